"""The file of `umwelten simulate`: whatever it is, nothing hangs and nothing crashes."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest


@pytest.mark.skipif(os.name == "nt", reason="FIFOs and sockets of POSIX")
@pytest.mark.parametrize("kind", ["fifo", "socket", "bytes", "nothing", "directory"])
def test_a_profile_that_is_none_is_an_error_in_words(
    cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.chdir(tmp_path)
    path = Path("profile.toml")
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(str(path))
    elif kind == "directory":
        path.mkdir()
    else:
        path.write_bytes(b"\xff\xfe" if kind == "bytes" else b"")
    code, out, err = cli("simulate", str(path))
    assert (code, out) == (2, "")
    assert "profile.toml" in err and "Traceback" not in err
