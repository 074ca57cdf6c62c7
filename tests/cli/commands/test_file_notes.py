"""What is told of files that are not sent as they show."""

from __future__ import annotations

from pathlib import Path

from corpus import office
from provider import provider


def test_what_a_file_hides_is_told_of_the_first_one_and_in_detail_of_each(cli, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    hidden = office.docx(
        "<w:p><w:r><w:rPr><w:vanish/></w:rPr><w:t>x</w:t></w:r><w:r><w:t>y</w:t></w:r></w:p>"
    )
    for name in ("a.docx", "b.DOCX"):
        (tmp_path / "in" / name).write_bytes(hidden)
    told = "docx: hidden text of the document is left out"
    with provider() as server:
        wanted = ("eval", "batch", "-p", "x", "-m", "openai:a", "--directory", "in")
        code, _, err = cli(*wanted, "-i", "one", env=server.env())
        assert code == 0, err
        assert err.lower().count(told) == 1
        code, _, err = cli(*wanted, "-i", "two", "--verbose", env=server.env())
        assert code == 0, err
        assert err.lower().count(told) == 2
