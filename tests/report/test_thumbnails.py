"""Which pictures a report shows, to the byte."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path

from report.making import Done, answer, change, spec, work
from umwelten.report.queries.thumbnails import AS_IT_IS, thumbnails
from umwelten.store.reader import Reader

# Pillow cannot make a smaller picture of what is none, and where it is missing, of nothing.
PNG = b"\x89PNG\r\n\x1a\n"


def test_what_cannot_be_made_smaller_is_shown_if_it_is_small(tmp_path: Path) -> None:
    sizes = {"tiny.png": 20, "most.png": AS_IT_IS, "more.png": AS_IT_IS + 1, "other.png": 21, "gone.png": 22}
    work(tmp_path / "demo", spec(), list(sizes), lambda call: Done(answer()))
    for name, size in sizes.items():
        path = tmp_path / name
        path.write_bytes(PNG.ljust(size, b"x"))
        change(
            tmp_path / "demo", "UPDATE inputs SET path = ?, size = ? WHERE name = ?", (str(path), size, name)
        )
    (tmp_path / "other.png").write_bytes(PNG.ljust(20, b"x"))
    (tmp_path / "gone.png").unlink()
    with Reader.open(tmp_path / "demo") as reader:
        shown = thumbnails(reader)
    assert shown.keys() == {"tiny.png", "most.png"}
    assert shown["tiny.png"] == "data:image/png;base64," + b64encode(PNG.ljust(20, b"x")).decode()
