"""Audio and video, and how large a file may be."""

from __future__ import annotations

from pathlib import Path

import pytest

from corpus import media, pictures
from umwelten.inputs import UnsupportedInput, read
from umwelten.inputs.convert.dispatch import convert
from umwelten.providers.capabilities import Capabilities
from umwelten.types import Media

FILES = {name: (mime, data) for name, _, mime, data in media.all()}


def sent(folder: Path, name: str, capabilities: Capabilities) -> Media:
    (folder / name).write_bytes(FILES[name][1])
    (part,) = read(folder / name, name=name, capabilities=capabilities).parts
    assert isinstance(part, Media)
    return part


@pytest.mark.parametrize("name", FILES)
def test_what_a_model_takes_goes_as_it_is(tmp_path: Path, name: str) -> None:
    mime, data = FILES[name]
    taken = frozenset((mime,))
    part = sent(tmp_path, name, Capabilities(audio=taken, video=taken))
    assert part == Media(mime=mime, data=data, name=name)


@pytest.mark.parametrize(
    ("name", "listed"), [("tone.mp3", "audio/mp3"), ("film.mov", "video/mov"), ("tone.wav", "audio/x-wav")]
)
def test_it_goes_under_the_name_that_the_provider_lists(tmp_path: Path, name: str, listed: str) -> None:
    assert (
        sent(tmp_path, name, Capabilities(audio=frozenset((listed,)), video=frozenset((listed,)))).mime
        == listed
    )


def test_what_a_model_does_not_take_is_said_with_what_it_takes(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedInput, match=r"tone\.flac is FLAC audio, but this model accepts no audio"):
        sent(tmp_path, "tone.flac", Capabilities())
    with pytest.raises(UnsupportedInput, match="accepts audio only as mp3, wav"):
        sent(tmp_path, "tone.flac", Capabilities(audio=frozenset(("audio/wav", "audio/mp3"))))
    with pytest.raises(
        UnsupportedInput, match=r"film\.mkv is Matroska video, but this model accepts no video"
    ):
        sent(tmp_path, "film.mkv", Capabilities(audio=frozenset(("audio/wav",))))


def hole(path: Path, head: bytes, size: int) -> Path:
    with path.open("wb") as file:
        file.write(head)
        file.truncate(size)
    return path


VIDEO = frozenset(("video/mp4",))


def test_above_what_a_request_holds_a_file_is_uploaded_or_refused(tmp_path: Path) -> None:
    film = hole(tmp_path / "f.mp4", media.MP4, 30_000)
    assert read(film, name="f", capabilities=Capabilities(video=VIDEO, inline_bytes=30_000)).parts
    assert read(
        film, name="f", capabilities=Capabilities(video=VIDEO, inline_bytes=20_000, upload=True)
    ).parts
    with pytest.raises(UnsupportedInput, match="a request to this model may hold up to 20 kB"):
        read(film, name="f", capabilities=Capabilities(video=VIDEO, inline_bytes=20_000))


def test_only_what_is_uploaded_may_be_larger_than_usual(tmp_path: Path) -> None:
    film = hole(tmp_path / "f.mp4", media.MP4, 70_000_000)
    (part,) = read(film, name="f", capabilities=Capabilities(video=VIDEO, upload=True)).parts
    assert isinstance(part, Media)
    assert len(part.data) == 70_000_000
    for path, capabilities in (
        (film, Capabilities(video=VIDEO)),
        (hole(tmp_path / "t", b"text", 70_000_000), Capabilities(video=VIDEO, upload=True)),
        (hole(tmp_path / "g", media.MP4, 2_100_000_000), Capabilities(video=VIDEO, upload=True)),
    ):
        with pytest.raises(UnsupportedInput, match="f is too large"):
            read(path, name="f", capabilities=capabilities)


def test_text_and_pictures_stay_within_what_a_request_holds(tmp_path: Path) -> None:
    (tmp_path / "t").write_text("word " * 1_000)
    with pytest.raises(UnsupportedInput, match="may hold up to 1 kB"):
        read(tmp_path / "t", name="t", capabilities=Capabilities(inline_bytes=1_000))
    (tmp_path / "p").write_bytes(pictures.saved(pictures.noisy((60, 60)), "PNG"))
    content = read(tmp_path / "p", name="p", capabilities=Capabilities(inline_bytes=3_000))
    assert content.convert is not None
    (part,) = convert(content.convert).parts
    assert isinstance(part, Media)
    assert len(part.data) <= 3_000
