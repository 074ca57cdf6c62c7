"""Answers of an earlier evaluation as inputs of a new one.

They are those in its report: of its latest files, models and repeats, about the files as they were then.
Failed and pending calls have no answer and are left out. The database is only read, in short transactions,
so that a run in progress is not delayed.

An answer's part is `answer CALL`, its stamp a hash of its text. Where a prompt reaches beyond the text
(`chained`), the stamp covers the call and its input as well, and the part of one that is sent with the file
it is about is `answer CALL BYTES NAME`, for estimates.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from hashlib import blake2b
from itertools import islice
from pathlib import Path

import msgspec

from umwelten.errors import InputError, StoreError, UsageError
from umwelten.identity import content_hash
from umwelten.inputs.answer_fields import NUMBERS, AnswerFields, decoded
from umwelten.inputs.answer_filter import AnswerFilter
from umwelten.inputs.content import Content, Question, frame_text
from umwelten.inputs.files.suggestions import nearest_name
from umwelten.inputs.filters import JSON, Compared, comparisons, parse_where, path_value
from umwelten.inputs.tables.json_values import as_text
from umwelten.phrases import Phrase
from umwelten.prompts.template import INPUT, PROMPT, ROW
from umwelten.store.database import database, has_database, store_errors
from umwelten.store.inputs import has_input, path_text
from umwelten.store.reader import Reader
from umwelten.store.stored_calls import ANSWER_PART, StoredAnswer, StoredCall, stored_answer, stored_answers
from umwelten.store.variants import first_variant
from umwelten.text.suggestions import closest, did_you_mean, did_you_mean_clause
from umwelten.types import FoundInput, Text

_NAMES = ("model", "provider", "prompt", "file")
_SHOWN = 10
_MOST_SAMPLED = 1_000
PART = ANSWER_PART
DEEP = "-"
"""Stands in stamps that cover more than an answer's text."""

Beside = Callable[[str, str], str]

_REPEAT_END = re.compile(r"\.r[0-9]+\Z", re.IGNORECASE)


def answers(
    folder: Path,
    *,
    where: str | None = None,
    most: int | None = None,
    chained: Collection[str] = (),
    beside: Beside | None = None,
    only: Collection[int] | None = None,
) -> Iterator[FoundInput]:
    """Yield the answers of the evaluation in that folder that match the filter, by file, model and repeat.

    They are named after its inputs, with `.<slug>` for all models and prompts but the first it ever had, and
    `.rN` for repeats from 2 on, so that later additions to it rename none. `most` limits their number.
    `chained` are the placeholders that reach beyond their texts (`RowUse.chained`). `beside` gives, by an
    input's name and path, what else is sent with its answers: another text makes another stamp. `only`: to
    these calls alone.
    Raises `InputError` at once if there is no such evaluation, later if no answer matches, and `UsageError`
    at once for an invalid filter.
    """
    if not has_database(folder):
        if where is not None:
            parse_where(where, numbers=NUMBERS)  # of two mistakes, the one that can be seen
        nearest = _nearest_evaluation(folder)
        raise InputError(
            f"there is no evaluation {folder.name!r} in {folder.parent}",
            did_you_mean(nearest, "{!r}") or "umwelten eval list shows the evaluations.",
            argument="from_",
        )
    with _reading(folder):
        wanted = AnswerFilter(folder, where)
        found = _matching_answers(folder, wanted, where or "", chained, beside, only)
        return islice(found, most)


def matching_calls(folder: Path, where: str) -> frozenset[int]:
    """Return the numbers of the calls whose answers match the filter.

    Raises `UsageError` for an invalid one, `InputError` if no answer matches.
    """
    count, found = 0, set[int]()
    with _reading(folder) as reader:
        for call, _, matches in AnswerFilter(folder, where).of(stored_answers(reader)):
            count += 1
            if matches:
                found.add(call.id)
    if not found:
        raise _no_match_error(folder, count, where)
    return frozenset(found)


def read_answer(
    path: str | Path,
    *,
    name: str,
    part: str,
    stamp: str = "",
    chained: tuple[str, ...] = (),
    question: Callable[[StoredAnswer], Question] | None = None,
) -> Content:
    """Return an answer framed like a text file, with the values of `answer`, `file.name` and `file.path`.

    `stamp` is that of `answers`; if empty it is not compared. `chained` (`RowUse.chained`) are further
    values: `json.…` of its record, `row.…` of the row at the beginning of the chain; `question` then reads
    what it was asked. Raises `InputError` if the answer is gone or lacks a field, and what `question` does.
    """
    folder, number = Path(path).parent, int(part.split(" ", 2)[1])
    with input_errors():
        answer = stored_answer(folder, number)
    if answer is None:
        raise InputError(
            f"the answer {name!r} is no longer in {path}", Phrase("Continue with {option:resume}.")
        )
    values = {"answer": answer.text, "file.name": answer.file or "", "file.path": path_text(answer.path)}
    digest, asked = content_hash(answer.text.encode()), None
    if chained and question is not None:
        asked = question(answer)
        further = {name: _json_value(answer, name) for name in chained if name.startswith(JSON)}
        digest = chained_digest(digest, asked, further)
        if asked.content is not None:
            further |= {n: text for n, text in asked.content.values.items() if n.startswith(ROW)}
        values |= further
    return Content(
        digest=digest,
        parts=(Text(text=frame_text(answer.text, name)),),
        changed=stamp != "" and _is_another(stamp, answer),
        values=values,
        question=asked,
    )


def _json_value(answer: StoredAnswer, name: str) -> str:
    """Return the text of a `json.…` placeholder. Raises `InputError` where the answer has no such field."""
    value = path_value(decoded(answer.data or answer.text), name.removeprefix(JSON))
    if value is None:
        raise InputError(f"there is no {name} in the answer about {answer.file or 'the prompt'}")
    return as_text(value)


def chained_digest(digest: bytes, question: Question, record: Mapping[str, str]) -> bytes:
    """Return the digest of an answer with what is sent of its record and its question."""
    shown = [question.name, question.prompt if PROMPT in question.names else ""]
    if not {PROMPT, INPUT}.intersection(question.names):
        shown = []
    asked = question.content.digest.hex() if question.content is not None else ""
    return content_hash(msgspec.json.encode([digest.hex(), shown, asked, sorted(record.items())]))


def _matching_answers(
    folder: Path,
    wanted: AnswerFilter,
    where: str,
    chained: Collection[str],
    beside: Beside | None,
    only: Collection[int] | None,
) -> Iterator[FoundInput]:
    count, any_match = 0, False
    path = str(database(folder))
    with _reading(folder) as reader:
        name = _namer(reader)
        prompt = max(len(prompt.text.encode()) for prompt in reader.spec().request.prompts)
        for call, _, matches in wanted.of(stored_answers(reader)):
            count += 1
            if matches and (only is None or call.id in only):
                any_match = True
                found = _found_input(call, name(call), path)
                if chained or beside is not None:
                    found = _with_question(found, call, chained, prompt, beside)
                yield found
    if not any_match:
        raise _no_match_error(folder, count, where)


def _found_input(call: StoredCall, name: str, path: str) -> FoundInput:
    text = call.text or ""
    return FoundInput(name=name, path=path, size=len(text.encode()), stamp=text_stamp(text), part=_part(call))


def _with_question(
    found: FoundInput,
    call: StoredCall,
    chained: Collection[str],
    prompt_bytes: int,
    beside: Beside | None,
) -> FoundInput:
    """Return an answer that is sent with what it was asked: its stamp covers that, its size counts it."""
    is_file = INPUT in chained and call.file is not None and not call.part
    size = found.size + (call.input_size if chained else 0) + (prompt_bytes if PROMPT in chained else 0)
    stamp = answer_stamp(call.text or "", call.key, call.input_stamp, deep=True)
    if beside is not None:
        text = beside(call.file or "", call.path)
        size, stamp = size + len(text.encode()), f"{stamp}{DEEP}{text_stamp(text)}"
    return FoundInput(
        name=found.name,
        path=found.path,
        size=size,
        stamp=stamp,
        part=f"{found.part} {call.input_size} {call.file}" if is_file else found.part,
    )


def _part(call: StoredCall) -> str:
    return f"{PART}{call.id}"


def _is_another(stamp: str, answer: StoredAnswer) -> bool:
    """Return whether a stamp is of another answer. What was sent beside it is not looked at again."""
    own = DEEP.join(stamp.split(DEEP)[:2])
    return own != answer_stamp(answer.text, answer.key, answer.stamp, deep=DEEP in stamp)


def answer_stamp(text: str, key: str, input_stamp: str, *, deep: bool) -> str:
    """Return the stamp of an answer; `deep`: of its call and its input as well."""
    more = f"{DEEP}{text_stamp(f'{key} {input_stamp}')}" if deep else ""
    return f"{text_stamp(text)}{more}"


def text_stamp(text: str) -> str:
    """Return the stamp of a text."""
    return blake2b(text.encode(), digest_size=8).hexdigest()


def _no_match_error(folder: Path, count: int, where: str) -> InputError:
    if count == 0:
        return InputError(f"evaluation {folder.name!r} has no answers", "Failed and pending calls have none.")
    return InputError(
        Phrase(
            "none of the {seen:,} answers of evaluation {name!r} matches {option:where={where}}",
            seen=count,
            name=folder.name,
            where=where,
        ),
        _filter_hints(folder, where),
        argument="where",
    )


def check_paths(folder: Path, where: str | None, paths: Collection[str]) -> None:
    """Raise `UsageError` for `{{json.…}}` that none of the answers has.

    Of many answers only the first are looked at, and then nothing is refused: calls will fail by themselves.
    """
    if not paths or not has_database(folder):
        return
    with _reading(folder) as reader:
        found = AnswerFilter(folder, where).of(stored_answers(reader))
        rows = list(islice((fields for _, fields, matches in found if matches), _MOST_SAMPLED))
    for path in paths if len(rows) < _MOST_SAMPLED else ():
        hint = _other_paths(f"{JSON}{path}", rows)
        if hint is not None:
            raise UsageError(f"{{{{{JSON}{path}}}}} in the prompt: no answer of {folder.name!r} has it", hint)


def _filter_hints(folder: Path, where: str) -> str | None:
    """Return hints for a filter that matches nothing: the values that its fields have."""
    compared = comparisons(where)
    hints = []
    if any(comparison.field == "status" for comparison in compared):
        hints.append("Failed and pending calls have no answer, so only status=succeeded can match.")
    with _reading(folder) as reader:
        # A thousand answers are sample enough; reading all again would take long.
        rows = [AnswerFields(call) for call in islice(stored_answers(reader), _MOST_SAMPLED)]
    hints += [
        hint
        for comparison in compared
        if comparison.field in _NAMES and (hint := _other_names(comparison, rows))
    ]
    paths = [comparison.field for comparison in compared if comparison.field.startswith(JSON)]
    hints += [hint for path in paths if (hint := _other_paths(path, rows))]
    return "\n".join(dict.fromkeys(hints)) or None


def _other_names(comparison: Compared, rows: list[AnswerFields]) -> str | None:
    names = list(
        dict.fromkeys(str(row[comparison.field]) for row in rows if row[comparison.field] is not None)
    )
    if (
        comparison.sign not in ("=", "==", "in")
        or not names
        or any(value in names for value in comparison.values)
    ):
        return None
    return f"{comparison.field}s of the answers: {_first_names(names)}"


def _other_paths(path: str, rows: list[AnswerFields]) -> str | None:
    if any(row.get(path) is not None for row in rows):
        return None
    keys = dict.fromkeys(key for row in rows for key in row.keys_of_record())
    if not keys:
        return "The answers are not JSON records, so they have no fields json.…."
    first = path.removeprefix(JSON).partition(".")[0]
    name = None if first in keys else closest(first, keys)
    return f"The records have {_first_names(list(keys))}{did_you_mean_clause(name, 'json.{}') or '.'}"


def _first_names(names: list[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _namer(reader: Reader) -> Callable[[StoredCall], str]:
    # The first variant keeps the bare names, planned or not: a renamed input would be sent again.
    first = first_variant(reader.connection)

    def name(call: StoredCall) -> str:
        parts = (call.file, None if call.file and call.model_id == first else call.slug)
        base = ".".join(part for part in parts if part)
        # A file may have the name of another file's repeat, or of another file with a model.
        base += "_" if _REPEAT_END.search(base) else ""
        while base != call.file and has_input(reader.connection, base):
            base += f"-{text_stamp(_part(call))}"
        return base if call.repeat == 1 else f"{base}.r{call.repeat}"

    return name


def _nearest_evaluation(folder: Path) -> str | None:
    """Return the closest name of a folder with an evaluation."""
    sibling = nearest_name(folder)
    return sibling.name if sibling is not None and has_database(sibling) else None


# --- the database ----------------------------------------------------------------------------


@contextmanager
def _reading(folder: Path) -> Iterator[Reader]:
    """Yield a reader of the evaluation. Its errors are raised as `InputError`."""
    with input_errors(), Reader.open(folder) as reader, store_errors(folder):
        yield reader


@contextmanager
def input_errors() -> Iterator[None]:
    """Raise what the store raises as `InputError`."""
    try:
        yield
    except StoreError as error:
        raise InputError(error.wording, error.hint_wording, argument=error.argument) from error
