"""The store of an evaluation, opened and told its inputs."""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from umwelten.evaluation.reuse import take_over
from umwelten.evaluation.spec import EvaluationSpec, hash_reader, make_id, peek, stored_spec
from umwelten.file_types import type_by_name
from umwelten.prompts.request_builder import RequestBuilder, is_nameless
from umwelten.store.database import has_database, remove_own_files
from umwelten.store.kept_inputs import has_kept_inputs, remove_kept_inputs
from umwelten.store.store import Store
from umwelten.types import FoundInput

_LOOKED_AT = 64
"""Files whose types are counted: those that the first calls are about."""


@dataclass(frozen=True, slots=True)
class OpenedStore:
    """A store with its inputs.

    `documents` are the MIME types of the first ones that are converted for every model; `reused` says how
    many answers were taken over, by evaluation. `take_back` closes the store, and removes what was made anew:
    where nothing was asked, an id that holds nothing would only be in the way.
    """

    store: Store
    documents: Counter[str]
    reused: dict[str, int]
    take_back: Callable[[], None]


def open_store(spec: EvaluationSpec, builder: RequestBuilder) -> OpenedStore:
    """Return the store, told its inputs.

    Raises a `UmweltenError` for whatever the user must fix; then nothing is left behind.
    """
    output = spec.output
    first = spec.request.prompts[0].text
    name = output.id or make_id(output.words or first, output.output_dir, today=time.strftime("%Y-%m-%d"))
    stored = stored_spec(spec, name)
    inputs = spec.inputs
    if inputs is not None and output.mode == "overwrite" and inputs.keep is None:
        # A scan that fails must fail before the old evaluation is moved aside.
        deque(inputs.files(), maxlen=0)
    files = peek(inputs.files() if inputs is not None and inputs.keep is None else None)
    folder = output.output_dir / name
    fresh = not has_database(folder)
    opener = {"new": Store.create, "resume": Store.resume, "overwrite": Store.overwrite}[output.mode]
    store = opener(folder, stored, texts=spec.text_files)
    documents: Counter[str] = Counter()
    is_first = not has_kept_inputs(folder)

    def take_back() -> None:
        store.close()
        if fresh:
            if is_first:
                remove_kept_inputs(folder)
            remove_own_files(folder)

    try:
        store.add_tags(spec.tags)
        if inputs is not None and inputs.keep is not None:
            files = inputs.keep(folder)
        if files is None:
            store.set_no_inputs()
        else:
            # What may be taken over is known once all inputs are.
            lazy = inputs is not None and inputs.lazy and not spec.reuse
            if inputs is not None and inputs.source == "files":
                files = _count_documents(files, documents)
            store.set_inputs(
                files,
                read_hash=hash_reader(spec),
                movable=is_nameless,
                ahead=inputs.ahead if lazy and inputs is not None else None,
            )
        reused = take_over(spec, store, builder)
    except BaseException:
        take_back()
        raise
    return OpenedStore(store, documents, reused, take_back)


def _count_documents(files: Iterator[FoundInput], types: Counter[str]) -> Iterator[FoundInput]:
    """Pass files on and count what the names of the first are documents by."""
    for number, found in enumerate(files):
        if number < _LOOKED_AT and (kind := type_by_name(found.name)).family == "document":
            types[kind.mime] += 1
        yield found
