"""Processes that the tests kill, or whose disk they fill. Told what to do by their arguments."""

from __future__ import annotations

import resource
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import msgspec

from store.making import A, B, files, never, records, reply, spec
from umwelten.identity import content_hash
from umwelten.records import CallRecord
from umwelten.store.contents import Content, KeptQuestion, encode_question, text_bytes
from umwelten.store.store import Store
from umwelten.store.tables import cell_of
from umwelten.types import Call

FILES = 4000


def text(call: int) -> str:
    """Long enough that a half-written file shows."""
    return f"answer {call} " * 300 + "end"


def asked(call: int) -> str:
    """A document that both models are asked about, and a word of the call's own."""
    return f"document {cell_of(call)[0]} " * 200 + f"for {call}"


def question(call: int) -> list[Content]:
    """What is kept of it, the question itself last."""
    *document, own = asked(call).rpartition("for")
    data = text_bytes("".join(document))
    digest = content_hash(data)
    whole = encode_question(KeptQuestion(parts=(((digest.hex(),), own),)))
    return [(digest, data), (content_hash(whole), whole)]


def answer(store: Store, calls: list[Call]) -> None:
    for call in calls:
        kept = question(call.id)
        store.keep(kept)
        attempt, ended = records(call, reply(text(call.id)))
        store.submit(attempt)
        store.submit(msgspec.structs.replace(ended, kept=kept[-1][0]))
    time.sleep(0.003)


def hold(folder: Path) -> None:
    with Store.create(folder, spec()) as store:
        store.start_run({})
        print("held", flush=True)
        sys.stdin.read()


def work(folder: Path) -> None:
    """Answer call after call, and print each one's id once it is committed and its file in place."""

    def acknowledge(group: Sequence[CallRecord]) -> None:
        print("".join(f"{record.call.id}\n" for record in group), end="", flush=True)

    with Store.resume(folder, spec(A, B)) as store:
        store.set_inputs(files(*(f"dir{n % 7}/{n}" for n in range(FILES))), read_hash=never)
        store.on_commit(acknowledge)
        store.start_run({})
        print("working", flush=True)
        while calls := [call for model in store.models for call in store.lease(model, 3)]:
            answer(store, calls)
        store.end_run("complete", None, 1)


def fill(folder: Path) -> None:
    """Write until no file may grow any more; print the ids acknowledged and, at the end, the error."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    with Store.create(folder, spec(A)) as store:
        store.set_inputs(files(*map(str, range(FILES))), read_hash=never)
        store.on_commit(lambda group: [print(record.call.id, flush=True) for record in group])
        store.start_run({})
        grown = max(path.stat().st_size for path in folder.iterdir())
        resource.setrlimit(resource.RLIMIT_FSIZE, (grown + 1_000_000, resource.RLIM_INFINITY))
        while store.error is None and (calls := store.lease(1, 5)):
            answer(store, calls)
        refused = store.error
        store.end_run("stopped", "disk", 1)
        print(f"error {refused}", flush=True)


if __name__ == "__main__":
    {"hold": hold, "work": work, "fill": fill}[sys.argv[1]](Path(sys.argv[2]))
