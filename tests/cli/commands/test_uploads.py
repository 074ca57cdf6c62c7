"""Files that are too large for a request: sent before it, shared, taken away again, never in the way."""

from __future__ import annotations

import time

import pytest

from corpus import media
from provider import provider
from umwelten.simulate.faultserver.profile import Behaviour, Profile

WORDS = "word " * 20_000
PLAIN = ("--progress", "none")


def _film(path, size: int = 17_000_000) -> None:
    path.parent.mkdir(exist_ok=True)
    with path.open("wb") as file:
        file.write(media.MP4)
        file.truncate(size)


@pytest.mark.parametrize("attached", [False, True], ids=["input", "attachment"])
def test_a_film_is_uploaded_once_for_all_calls_and_taken_away(cli, tmp_path, attached):
    _film(tmp_path / "in" / "film.mp4")
    where = ("run", "--attach", "in/film.mp4") if attached else ("batch", "--directory", "in")
    with provider(Profile(default=Behaviour(text="seen"))) as server:
        code, _, err = cli(
            *("eval", where[0], "-p", "What is shown?", "-m", "google:gemini-3.5-flash", *where[1:]),
            *("--repeat", "3", "--max-concurrency", "3", *PLAIN),
            env=server.env(),
            timeout=120,
        )
        assert code == 0, err
        ledger = server.idle()
        left = dict(server.server.uploads.files)
    assert ledger.requests == 3
    for record in ledger.records:
        [film] = record.files
        assert film.name is not None
        assert "/files/" in film.name, "its address was sent, not its bytes"
    assert len({record.files[0].name for record in ledger.records}) == 1
    assert not left


def test_a_film_that_the_provider_can_not_read_fails_its_call_and_nothing_stays(cli, tmp_path):
    _film(tmp_path / "in" / "film.mp4")
    (tmp_path / "in" / "note.txt").write_text("fine")
    with provider(Profile(upload_state="FAILED")) as server:
        code, _, err = cli(
            *("eval", "batch", "--directory", "in", "-p", "What is shown?", "-m", "google:gemini-3.5-flash"),
            *PLAIN,
            env=server.env(),
            timeout=120,
        )
        assert code == 1, err
        assert server.idle().requests == 1
        assert not server.server.uploads.files
    assert "could not read the file" in err


def test_an_escaped_place_is_sent_without_its_backslash(cli, tmp_path):
    with provider(Profile(default=Behaviour(text="{prompt}"))) as server:
        code, out, err = cli(
            *("eval", "run", "-p", r"Explain \{{content}} in Jinja", "-m", "openai:a", *PLAIN),
            env=server.env(),
        )
    assert code == 0, err
    assert out.strip() == "Explain {{content}} in Jinja"


def test_a_row_with_a_name_like_a_picture_is_priced_by_its_text(cli, tmp_path):
    (tmp_path / "t.csv").write_text(
        "name,text\n" + "".join(f"p{n}.jpg,{'word ' * 20_000}\n" for n in range(4))
    )
    with provider(Profile(default=Behaviour(text="ok"))) as server:
        began = time.monotonic()
        code, _, err = cli(
            *("eval", "batch", "--rows", "t.csv", "--row-name", "name", "-p", "{{row.text}}", *PLAIN),
            *("-m", "openai:gpt-4o", "--max-tokens", "10", "--max-cost", "0.05"),
            env=server.env(),
        )
        # 20,000 words cost 0.05 USD and more: the cap lets none of them in.
        assert code == 3, err
        assert server.idle().requests == 0
    assert time.monotonic() - began < 30
