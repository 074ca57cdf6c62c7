"""Reading of a file for sending: its type is detected from its bytes, never from its name.

Text, and that of documents, is sent in this form:

    File: NAME
    <content>
    TEXT
    </content>

TEXT is the file's text as it is. If it contains `</content>`, the tag is `content-1` (or -2 and so on), so
that the first closing tag is always the end.

Images, PDF, audio and video are sent as bytes if the model accepts them. Others have to be
converted (`Content.convert`, `inputs.workers`), or are rejected with an error that says what to do.
"""

from __future__ import annotations

import os
import stat
from functools import partial
from hashlib import blake2b, file_digest
from pathlib import Path

import msgspec

from umwelten.choices import PdfMode
from umwelten.errors import InputError, MachineError, StoreError, read_error
from umwelten.file_types import UNKNOWN, FileType
from umwelten.identity import content_hash, input_part
from umwelten.inputs import media
from umwelten.inputs.added_values import AddedValues, widened, with_added
from umwelten.inputs.content import (
    Content,
    Conversion,
    Converted,
    InputChanged,
    Question,
    UnsupportedInput,
    frame_text,
    megabytes,
)
from umwelten.inputs.file_detection import detect, type_by_signature
from umwelten.inputs.files.scan import stamp as stamp_of
from umwelten.inputs.scopes import Scope
from umwelten.phrases import Phrase
from umwelten.prompts.request_builder import row_use
from umwelten.prompts.template import INPUT, MEMORY, PROMPT, ROW, Template
from umwelten.providers.capabilities import Capabilities
from umwelten.store.inputs import original_path
from umwelten.store.stored_calls import StoredAnswer, stored_answer
from umwelten.store.stored_pairs import PAIR_PART
from umwelten.types import Part, RequestSettings, RowUse, Text

__all__ = ["Content", "Converted", "UnsupportedInput", "file_hash", "frame_text", "input_hash", "read"]

MAX_BYTES = 64 * 1024 * 1024
"""Larger files (bytes) are not read, unless they are sent to the provider as they are."""

MAX_UPLOAD = 2_000_000_000
"""The same for files that may be uploaded. Each is wholly in memory while its call is prepared."""

_HEAD = 64 * 1024
_ANYTHING = Capabilities()

# Non-blocking, so that a FIFO in place of the file can't block the run.
_READ = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


def read(
    path: str | os.PathLike[str],
    *,
    name: str,
    stamp: str = "",
    part: str = "",
    capabilities: Capabilities = _ANYTHING,
    pdf: PdfMode = "auto",
    use: RowUse | None = None,
) -> Content:
    """Return an input's content for a model. The model sees `name`; an empty `stamp` is not compared.

    `stamp` and `part` are those of `FoundInput`; `capabilities` are the model's; `pdf` is how PDF files are
    sent; `use` is what the prompt uses of a row, or of an earlier answer. Raises `InputError` if it can't be
    read, `InputChanged` if what an earlier answer was asked about is another one now, and `UnsupportedInput`
    if it can't be sent, with a message that says what to do.
    """
    if part:
        return _read_part(Path(path), name, stamp, part, use, capabilities, pdf)
    data, changed = read_file(path, name=name, stamp=stamp, capabilities=capabilities)
    return content_of(data, name=name, changed=changed, capabilities=capabilities, pdf=pdf)


def read_file(
    path: str | os.PathLike[str], *, name: str, stamp: str, capabilities: Capabilities
) -> tuple[bytes, bool]:
    """Return a file's bytes, and whether it changed since it had that stamp; the arguments are as in `read`.

    Raises `InputError` if it can't be read, `UnsupportedInput` if it is too large for the model.
    """
    data, status = _read_bytes(path, name, capabilities)
    return data, stamp not in ("", stamp_of(status))


def file_stamp(path: str | os.PathLike[str]) -> str:
    """Return the stamp that a file has now, "" where it cannot be looked at."""
    try:
        return stamp_of(os.stat(path))  # noqa: PTH116
    except (OSError, ValueError):
        return ""


def content_of(data: bytes, *, name: str, changed: bool, capabilities: Capabilities, pdf: PdfMode) -> Content:
    """Return the content of a file that `read_file` read. Raises `UnsupportedInput`."""
    prepared = _prepare(data, name, capabilities, pdf)
    if isinstance(prepared, tuple):
        return Content(digest=content_hash(data), parts=prepared, changed=changed)
    return Content(digest=content_hash(data), parts=(), changed=changed, convert=prepared)


def file_hash(path: str | os.PathLike[str]) -> bytes:
    """Return the `identity.content_hash` of a file's bytes, in constant memory. Raises `InputError`."""
    size = len(content_hash(b""))
    try:
        with Path(path).open("rb") as file:
            return file_digest(file, lambda: blake2b(digest_size=size)).digest()
    except OSError as error:
        raise read_error(path, error) from error


def input_hash(
    path: str | os.PathLike[str],
    part: str,
    use: RowUse,
    added: AddedValues | None = None,
    names: tuple[str, ...] = (),
    name: str = "",
) -> bytes:
    """Return the digest that an input's `Content` would have, for a prompt with these placeholders.

    `name` is the input's, for added values that use it.

    Raises `InputError`.
    """
    if part:
        content = _read_part(Path(path), "", "", part, widened(use, added, names))
        return with_added(content, added, names, name, path).digest
    digest = file_hash(path)
    return with_added(Content(digest=digest, parts=()), added, names, name, path).digest


def _read_part(
    path: Path,
    name: str,
    stamp: str,
    part: str,
    use: RowUse | None,
    sees: Capabilities | None = None,
    pdf: PdfMode = "auto",
) -> Content:
    """Return a row's, an answer's or a pair's content, as `read` does; `sees` as in `read_question`."""
    # Imported here because tables and evaluations need modules that files do not.
    if part.startswith("row "):
        from umwelten.inputs.tables.rows import read_row

        return read_row(path, name=name, part=part, stamp=stamp, use=use)
    names, folder = use.chained if use is not None else (), path.parent
    if part.startswith(PAIR_PART):
        from umwelten.inputs.pairs import read_pair

        asked_of = partial(read_question, names=names, sees=sees, pdf=pdf)
        return read_pair(path, name=name, part=part, stamp=stamp, chained=names, question=asked_of)
    from umwelten.inputs.earlier_answers import read_answer

    question = partial(read_question, names=names, folder=folder, sees=sees, pdf=pdf)
    return read_answer(path, name=name, part=part, stamp=stamp, chained=names, question=question)


# --- what an earlier answer was asked --------------------------------------------------------

# An input that is not what was sent then is an error: no answer should be judged by a page that its model
# never saw. Files are compared by their bytes, rows by what was sent of them, answers by their stamps.


_WHOLE = ("content", "answer", "first", "second")


def asked(
    folder: Path,
    call: int,
    *,
    names: tuple[str, ...] = (PROMPT, INPUT),
    sees: Capabilities | None = None,
    pdf: PdfMode = "auto",
) -> Question:
    """Return what the good answer to a call of the evaluation in that folder was asked.

    `names`, `sees` and `pdf` are as in `read_question`; a row's values are `content.values`. Raises
    `StoreError`, `InputError` if there is no such answer, `InputChanged` if the input is another one now.
    """
    answer = stored_answer(folder, call)
    if answer is None:
        raise InputError(f"call {call} of evaluation {folder.name!r} has no good answer")
    return read_question(answer, names, folder=folder, sees=sees, pdf=pdf)


def read_question(
    answer: StoredAnswer,
    names: tuple[str, ...],
    *,
    folder: Path,
    sees: Capabilities | None,
    pdf: PdfMode = "auto",
) -> Question:
    """Return what an answer of the evaluation in `folder` was asked, as far as placeholders need it.

    `names` are those of `RowUse.chained`. `sees` are the capabilities of the model that is to see the input;
    `None`: a file is only compared, and has no parts. Raises `InputChanged` if the input is another one now,
    `UnsupportedInput` if the model can't be shown it, `InputError` if it can't be read.
    """
    question = Question(prompt=answer.prompt, name=answer.file or "", path=answer.path, names=names)
    inner = Template(answer.prompt).names if PROMPT in names and answer.file is not None else ()
    wanted = tuple(dict.fromkeys((*names, *inner)))
    rows = tuple(name for name in wanted if name.startswith(ROW))
    shown = INPUT in names or any(name in inner for name in _WHOLE)
    if answer.file is None or not (rows or shown or any(not name.startswith("file.") for name in inner)):
        return question
    use = RowUse(
        rule=answer.row_rule,
        columns=None if INPUT in names or "content" in inner else tuple(n.removeprefix(ROW) for n in rows),
        chained=tuple(dict.fromkeys((*rows, *Template(answer.prompt).chained))) if inner else rows,
        again=True,
    )
    recalls = MEMORY in inner and answer.recall is not None
    if recalls:
        chained = (*use.chained, *Scope(answer.recall.scope).chained)  # type: ignore[union-attr]
        use = msgspec.structs.replace(use, columns=None, chained=tuple(dict.fromkeys(chained)))
    content = _read_input(answer, use, sees if shown else None, pdf, folder)
    if recalls:
        content = _with_memory(content, answer, folder)
    return msgspec.structs.replace(question, content=content)


def _with_memory(content: Content, answer: StoredAnswer, folder: Path) -> Content:
    """Return the content with what was recalled about it then. Raises `InputChanged` if that is not known."""
    # Imported here because few evaluations recall anything.
    from umwelten.inputs.recall import facts_of

    assert answer.recall is not None
    path = original_path(answer.path)
    try:
        added = facts_of(folder.parent, answer.recall).added()
        found = with_added(content, added, (MEMORY,), answer.file or "", path)
    except (StoreError, InputError) as error:
        raise _changed(answer, folder, InputError(error.wording)) from error
    if found.digest[len(content.digest) :] != answer.content[len(content.digest) :]:
        problem = f"the memory store {answer.recall.store!r} no longer has what was recalled"
        raise _changed(answer, folder, InputError(problem))
    return msgspec.structs.replace(content, values=found.values)


def _read_input(
    answer: StoredAnswer, use: RowUse, sees: Capabilities | None, pdf: PdfMode, folder: Path
) -> Content:
    """Return an answer's input as it was sent. Raises `InputChanged` if it is another one now."""
    path, name = original_path(answer.path), answer.file or ""
    try:
        if answer.part:
            content = _read_part(Path(path), name, answer.stamp, answer.part, use, sees, pdf)
            changed = content.changed and not _is_sent_alike(answer, Path(path))
        else:
            content = (
                Content(digest=file_hash(path), parts=())
                if sees is None
                else read(path, name=name, capabilities=sees, pdf=pdf)
            )
            changed = content.digest != input_part(answer.content)
    except (MachineError, UnsupportedInput, InputChanged):
        raise
    except InputError as error:
        raise _changed(answer, folder, error) from error
    if changed:
        raise _changed(answer, folder)
    return content


def _is_sent_alike(answer: StoredAnswer, path: Path) -> bool:
    """Return whether a row that changed is still sent as it was: its prompt uses other columns of it."""
    settings = RequestSettings(prompts=(), row_rule=answer.row_rule)
    use = msgspec.structs.replace(row_use(settings, answer.prompt), again=True)
    return answer.part.startswith("row ") and _read_part(
        path, "", answer.stamp, answer.part, use
    ).digest == input_part(answer.content)


def _changed(answer: StoredAnswer, folder: Path, error: InputError | None = None) -> InputChanged:
    why = "it changed" if error is None else error.wording
    return InputChanged(
        Phrase(
            "{name} is not as evaluation {id!r} sent it: {why}. Continue that with {option:resume} first",
            name=answer.file,
            id=folder.name,
            why=why,
        )
    )


# --- reading ----------------------------------------------------------------------------------


def _read_bytes(
    path: str | os.PathLike[str], name: str, capabilities: Capabilities
) -> tuple[bytes, os.stat_result]:
    try:
        handle = os.open(path, _READ)
        try:
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode):
                raise InputError(f"{name} is not a regular file")
            size = status.st_size
            limit = MAX_BYTES if size <= MAX_BYTES else _size_limit(handle, size, name, capabilities)
            # A read of n bytes allocates n first: asking for the file's size, not the limit, keeps small
            # files cheap.
            pieces = [os.read(handle, size + 1)]
            received = len(pieces[0])
            # That is all, unless the file has changed or its file system returns it in pieces.
            while pieces[-1] and received != size and received <= limit:
                pieces.append(os.read(handle, (size if received < size else limit) + 1 - received))
                received += len(pieces[-1])
            return b"".join(pieces), os.fstat(handle)
        finally:
            os.close(handle)
    except OSError as error:
        raise read_error(path, error) from error


def _size_limit(handle: int, size: int, name: str, capabilities: Capabilities) -> int:
    """Return how many bytes of a large file may be read: more than usual only of media sent as they are."""
    kind = type_by_signature(os.read(handle, _HEAD))
    os.lseek(handle, 0, os.SEEK_SET)
    is_media = kind is not None and kind.family in ("picture", "pdf", "audio", "video")
    limit = MAX_UPLOAD if capabilities.upload else capabilities.inline_bytes
    limit = max(limit, MAX_BYTES) if is_media else MAX_BYTES
    if size > limit:
        raise UnsupportedInput(
            f"{name} is too large ({megabytes(size)}): files up to {megabytes(limit)} can be sent. "
            "Split it or make it smaller."
        )
    return limit


# --- sending ----------------------------------------------------------------------------------


def _prepare(
    data: bytes, name: str, capabilities: Capabilities, pdf: PdfMode
) -> tuple[Part, ...] | Conversion:
    kind, text = detect(data)
    match kind.family:
        case "text":
            return _text_parts(text or "", len(data), name, capabilities)
        case "picture":
            return media.picture(data, kind, name, capabilities)
        case "audio" | "video":
            return media.recording(data, kind, name, capabilities)
        case "pdf":
            return media.pdf(data, name, capabilities, pdf)
        case "document":
            return Conversion(
                step="document", mime=kind.mime, data=data, name=name, capabilities=capabilities
            )
    raise UnsupportedInput(_unsupported_message(kind, name))


def _text_parts(text: str, size: int, name: str, capabilities: Capabilities) -> tuple[Part, ...]:
    if not text or text.isspace():
        raise UnsupportedInput(f"{name} is empty, so there is nothing to send. Leave it out.")
    media.check_fits(size, name, capabilities)
    return (Text(text=frame_text(text, name)),)


def _unsupported_message(kind: FileType, name: str) -> Phrase:
    what = f"{kind.word} and" if kind is UNKNOWN else f"{kind.word}, which"
    return Phrase("{name} is {what} can't be sent. {advice}", name=name, what=what, advice=kind.advice)
