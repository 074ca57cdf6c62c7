"""Finding a local model's weights."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from local.tiny import GGUF, MODELS, TINY
from umwelten.errors import LocalModelError
from umwelten.local import LOCAL_MODELS, find_weights


def cache(folder: Path) -> dict[str, str]:
    (folder / "models").mkdir(exist_ok=True)
    return {"UMWELTEN_CACHE_DIR": str(folder)}


def test_weights_in_the_cache_are_found(tmp_path: Path) -> None:
    env = cache(tmp_path)
    path = tmp_path / "models" / "tiny.gguf"
    path.write_bytes(GGUF)
    assert find_weights("tiny", env=env, models=MODELS) == path


def test_weights_of_the_right_name_and_wrong_bytes_are_refused(tmp_path: Path) -> None:
    env = cache(tmp_path)
    (tmp_path / "models" / "tiny.gguf").write_bytes(GGUF + b"!")
    with pytest.raises(LocalModelError, match="damaged") as refused:
        find_weights("tiny", env=env, models=MODELS)
    assert "umwelten models pull tiny" in str(refused.value)


def test_checked_weights_are_not_hashed_again_until_they_change(tmp_path: Path) -> None:
    env = cache(tmp_path)
    path = tmp_path / "models" / "tiny.gguf"
    path.write_bytes(GGUF)
    find_weights("tiny", env=env, models=MODELS)
    before = path.stat()
    # Same size and time: only a hash could tell, so being found shows that none was taken.
    path.write_bytes(GGUF[::-1])
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert find_weights("tiny", env=env, models=MODELS) == path
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    with pytest.raises(LocalModelError, match="damaged"):
        find_weights("tiny", env=env, models=MODELS)


@pytest.mark.parametrize("note", [b"", b"[]", b'{"sha256": 1}', b"\xff"])
def test_a_broken_note_beside_the_weights_is_made_anew(tmp_path: Path, note: bytes) -> None:
    env = cache(tmp_path)
    path = tmp_path / "models" / "tiny.gguf"
    path.write_bytes(GGUF)
    beside = tmp_path / "models" / "tiny.gguf.json"
    beside.write_bytes(note)
    assert find_weights("tiny", env=env, models=MODELS) == path
    assert TINY.sha256.encode() in beside.read_bytes()


def test_absent_weights_name_the_command_that_fetches_them(tmp_path: Path) -> None:
    with pytest.raises(LocalModelError, match="umwelten models pull tiny"):
        find_weights("tiny", env=cache(tmp_path), models=MODELS)


def test_an_unknown_name_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(LocalModelError, match="local:smollm2"):
        find_weights("smollm3", env=cache(tmp_path))


def test_a_path_is_that_file(tmp_path: Path) -> None:
    path = tmp_path / "My Model.GGUF"
    path.write_bytes(GGUF)
    assert find_weights(str(path)) == path


def test_a_path_to_something_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "page.gguf"
    path.write_text("<html>")
    with pytest.raises(LocalModelError, match="not a GGUF file"):
        find_weights(str(path))
    with pytest.raises(LocalModelError, match="No such file"):
        find_weights(str(tmp_path / "absent.gguf"))
    with pytest.raises(LocalModelError, match="directory"):
        find_weights(f"{tmp_path}/")


def test_weights_in_an_installed_package_are_found_and_the_package_is_not_imported(tmp_path: Path) -> None:
    package = tmp_path / LOCAL_MODELS["smollm2"].package
    package.mkdir()
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    (package / LOCAL_MODELS["smollm2"].file).write_bytes(GGUF)
    code = "from umwelten.local import find_weights; print(find_weights('smollm2'))"
    found = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.strip() == str(package / LOCAL_MODELS["smollm2"].file)
