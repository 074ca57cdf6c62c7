"""Names of files that are no text, or differ only a little: from the folder to the report."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from provider import clean_environment, provider

UMWELTEN = [sys.executable, "-m", "umwelten", "eval"]
BATCH = ("-m", "openai:a", "-i", "s", "-p", "{{file.path}}: {{content}}")
pytestmark = pytest.mark.skipif(sys.platform == "darwin", reason="macOS refuses such names")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Texts in a folder whose name is not UTF-8, as one of theirs is."""
    inside = Path(os.fsdecode(os.fsencode(tmp_path) + b"/d\xe9"))
    inside.mkdir()
    for name in (b"caf\xe9.txt", b"two\nlines.txt", b"a.TXT", b"a.txt"):
        Path(os.fsdecode(os.fsencode(inside) + b"/" + name)).write_bytes(name[:1])
    return tmp_path


def eval_(cwd: Path, server, *arguments: str | bytes) -> tuple[int, str, str]:
    done = subprocess.run(
        [*UMWELTEN, *arguments],
        cwd=cwd,
        env=clean_environment(server.env()),
        capture_output=True,
        timeout=30,
    )
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def test_a_name_that_is_no_text_is_sent_reported_and_resumed_like_others(folder: Path) -> None:
    with provider() as server:
        code, _, err = eval_(folder, server, "batch", *BATCH, "--directory", b"d\xe9")
        assert code == 0, err
        assert "1 file name is not UTF-8; the bytes are written as in 'caf\\xe9.txt'" in err
        assert server.idle().requests == 4
        code, _, err = eval_(folder, server, "batch", *BATCH, "--directory", b"d\xe9", "--resume")
        assert code == 0, err
        assert server.idle().requests == 4
        code, out, _ = eval_(folder, server, "report", "s", "--format", "json")
        shown = eval_(folder, server, "show", "s", r"caf\xe9.txt", "--json")
    assert code == 0
    assert {r["file"] for r in json.loads(out)["results"]} == {
        *("caf\\xe9.txt", "two\nlines.txt", "a.TXT", "a.txt")
    }
    assert json.loads(shown[1])["path"] == "d\\xe9/caf\\xe9.txt"
    texts = sorted(path.name for path in (folder / "output" / "s").glob("*.txt"))
    assert len({name.lower() for name in texts}) == 4  # also where capitals make no difference
    assert "caf-xe9.txt.txt" in texts


@pytest.mark.parametrize(
    "arguments",
    [
        ("--directory", b"f\xe9"),
        ("--files", b"d\xe9/none\xe9"),
        ("--file-pattern", b"*.\xe9", "--directory", b"d\xe9"),
    ],
)
def test_arguments_that_name_nothing_are_said_in_words(
    folder: Path, arguments: tuple[str | bytes, ...]
) -> None:
    with provider() as server:
        code, _, err = eval_(folder, server, "batch", *BATCH, *arguments)
        assert server.idle().requests == 0
    assert code == 2
    assert "Traceback" not in err
    assert r"\xe9" in err
