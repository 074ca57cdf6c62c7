"""Every file of the corpus, for models that take different things: what is sent, or why not."""

from __future__ import annotations

from pathlib import Path

import pytest

from corpus.making import Sample, make
from umwelten.errors import InputError
from umwelten.identity import content_hash
from umwelten.inputs import read
from umwelten.inputs.convert.dispatch import convert
from umwelten.providers.capabilities import PICTURES, Capabilities
from umwelten.types import Media, Part, Text

ALL = Capabilities(
    pictures=PICTURES | {"image/heic"},
    pdf=True,
    audio=frozenset(f"audio/{name}" for name in ("wav", "mpeg", "aac", "ogg", "flac", "aiff", "mp4")),
    video=frozenset(
        f"video/{name}" for name in ("mp4", "quicktime", "webm", "x-matroska", "x-msvideo", "mpeg")
    ),
    upload=True,
)
SEES = Capabilities()
STILL = Capabilities(pictures=frozenset(("image/jpeg", "image/png", "image/webp")), pdf=True)
BLIND = Capabilities(pictures=frozenset())
MODELS = {"all": ALL, "sees": SEES, "still": STILL, "blind": BLIND}

_NATIVE = {"jpeg": "image/jpeg", "png": "image/png", "gif": "image/gif", "webp": "image/webp"}
_CONVERTED = {
    **dict.fromkeys(("tiff", "bmp", "ico", "deep", "pages"), "image/png"),
    **dict.fromkeys(("avif", "jp2", "cmyk"), "image/jpeg"),
    "moving": "",  # as its format suits
}
_AUDIO = ("wav", "mp3", "aac", "ogg", "flac", "aiff", "m4a")
_VIDEO = ("mp4", "mov", "webm", "mkv", "avi", "mpeg")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> list[Sample]:
    return make(tmp_path_factory.mktemp("corpus"))


def sent(sample: Sample, capabilities: Capabilities) -> tuple[tuple[Part, ...], str]:
    """The parts, or none and the error."""
    try:
        content = read(sample.path, name=sample.name, capabilities=capabilities)
        assert content.digest == content_hash(sample.path.read_bytes())
        parts = convert(content.convert).parts if content.convert is not None else content.parts
        assert (content.convert is None) == bool(content.parts)
        return parts, ""
    except InputError as error:
        return (), error.message


def expected(sample: Sample, capabilities: Capabilities) -> str:
    """The type that a sound sample is sent as, "" where it is refused."""
    kind = sample.kind
    if kind in ("text", "html", "docx", "xlsx", "xls", "xlsb", "ods", "pptx", "epub"):
        return "text"
    if kind in ("pdf", "late", "protected", "scan"):
        if capabilities.pdf:
            return "application/pdf"
        return "text" if kind != "scan" else "image/jpeg" if capabilities.pictures else ""
    if kind in _AUDIO or kind in _VIDEO:
        return sample.mime if sample.mime in capabilities.audio | capabilities.video else ""
    if kind == "heic":
        return sample.mime if sample.mime in capabilities.pictures else ""
    if not capabilities.pictures:
        return ""
    native = _NATIVE.get(kind, "")
    return native if native in capabilities.pictures else _CONVERTED.get(kind, "image/png")


@pytest.mark.parametrize("model", MODELS)
def test_every_sound_file_is_sent_as_the_model_takes_it(corpus: list[Sample], model: str) -> None:
    wrong: list[str] = []
    for sample in corpus:
        if sample.damaged or sample.trouble:
            continue
        parts, error = sent(sample, MODELS[model])
        types = {"text" if isinstance(part, Text) else part.mime for part in parts}
        want = expected(sample, MODELS[model])
        fine = types == ({want} if want else set()) or (
            sample.kind == "moving"
            and MODELS[model].pictures
            and types <= {"image/png", "image/jpeg"}
            and types
        )
        if not fine or bool(error) == bool(parts):
            wrong.append(f"{sample.name}: {types or error}, not {want}")
        if sample.says and "text" in types:
            (part,) = parts
            assert isinstance(part, Text)
            assert sample.says in part.text, sample.name
            assert part.text.startswith(f"File: {sample.name}\n<content>\n")
    assert not wrong


@pytest.mark.parametrize("model", MODELS)
def test_every_file_in_trouble_is_an_error_that_names_it(corpus: list[Sample], model: str) -> None:
    troubled = [sample for sample in corpus if sample.trouble]
    assert {sample.trouble for sample in troubled} == {
        *("empty", "locked", "archive", "program", "unknown", "huge", "bomb")
    }
    for sample in troubled:
        parts, error = sent(sample, MODELS[model])
        if sample.name == "no-pages.pdf" and MODELS[model].pdf:
            continue  # nothing tells it from others at first sight, and the provider judges
        assert not parts, sample.name
        assert error.startswith(sample.name), error


@pytest.mark.parametrize("model", MODELS)
def test_every_damaged_file_is_an_error_or_left_to_the_provider(corpus: list[Sample], model: str) -> None:
    damaged = [sample for sample in corpus if sample.damaged]
    assert len(damaged) >= 14
    for sample in damaged:
        parts, error = sent(sample, MODELS[model])
        if parts:  # a picture whose header is sound goes as it is
            (part,) = parts
            assert isinstance(part, Media)
            assert part.data == sample.path.read_bytes(), sample.name
        else:
            assert error.startswith(sample.name), error


def test_the_corpus_is_the_same_every_time(corpus: list[Sample], tmp_path: Path) -> None:
    again = make(tmp_path, huge=False)
    small = [sample for sample in corpus if sample.trouble != "huge" and sample.name != "data.db"]
    assert [sample.path.read_bytes() for sample in small] == [
        sample.path.read_bytes() for sample in again if sample.name != "data.db"
    ]
