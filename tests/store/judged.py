"""An evaluation with scores, and with what judges said of its answers, made without a network."""

from __future__ import annotations

from pathlib import Path

import msgspec

from store.making import A, answer_all, files, never, query, spec
from umwelten.records import Derived
from umwelten.scoring.score import Score
from umwelten.store.scores.records import ScoreRecord, StoredScorer
from umwelten.store.scores.store import ScoreStore
from umwelten.store.store import Store
from umwelten.types import FoundInput


def evaluate(folder: Path, *names: str) -> None:
    """An evaluation of its own."""
    with Store.create(folder, msgspec.structs.replace(spec(A), id=folder.name)) as store:
        store.set_inputs(files(*(names or ("a", "sub/b"))), read_hash=never)
        answer_all(store)


def judge(folder: Path, scorer: str, *, at: Path | None = None) -> Path:
    """What a judge said of an evaluation's answers; returns the folder, `at` or the usual one."""
    where = at or folder.with_name(f"{folder.name}.{scorer}")
    derived = Derived(role="judge", of=folder.name, scorer=scorer)
    wanted = msgspec.structs.replace(spec(A, source="answers"), id=where.name, derived=derived)
    calls = [number for (number,) in query(folder, "SELECT id FROM calls")]
    path = str(folder / "evaluation.db")
    found = [FoundInput(name=f"{n}", path=path, size=1, stamp="1", part=f"answer {n}") for n in calls]
    with Store.create(where, wanted) as store:
        store.set_inputs(found, read_hash=never)
        answer_all(store)
    return where


def rank(folder: Path, *others: Path, at: str | None = None) -> Path:
    """What a judge said of pairs of answers of these evaluations; returns the folder."""
    where = folder.with_name(at or f"{folder.name}.rank")
    ids = [each.name for each in (folder, *others)]
    derived = Derived(role="rank", of=folder.name, scorer="rank", definition={"of": ids})
    wanted = msgspec.structs.replace(spec(A, source="pairs"), id=where.name, derived=derived)
    path, found = str(folder / "evaluation.db"), []
    calls = [number for (number,) in query(folder, "SELECT id FROM calls")]
    for number in calls:
        places = [f"{other.name}:{number}" for other in others] or [str(calls[0])]
        found += [
            FoundInput(
                name=f"{number}-{place}", path=path, size=1, stamp="1", part=f"pair {number} {place} 3 b c"
            )
            for place in places
        ]
    with Store.create(where, wanted) as store:
        store.set_inputs(found, read_hash=never)
        answer_all(store)
    with ScoreStore.open(where) as scores:
        board = [{"contestant": {"model": "m", "evaluation": name}} for name in ids]
        scores.write_settings({"ranking": {"id": where.name, "of": ids, "board": board}})
    return where


def score(folder: Path, *scorers: str) -> None:
    """Scores by judges, all the same."""
    with ScoreStore.open(folder) as store:
        ids = store.write_scorers(
            [
                StoredScorer(
                    name=name, type="judge", table={}, digest="d", graded=False, judge=f"{folder.name}.{name}"
                )
                for name in scorers
            ]
        )
        for call, key in query(folder, "SELECT id, key FROM calls"):
            for number in ids.values():
                score = Score(value=1.0, passed=True)
                store.put(ScoreRecord(call_id=call, scorer_id=number, call_key=key, key="k", result=score))


def judged(folder: Path) -> Path:
    """An evaluation with two judges, one of them judged itself, beside one that only looks like a third."""
    evaluate(folder)
    judge(judge(folder, "polite"), "fair")
    judge(folder, "right")
    score(folder, "polite", "right")
    evaluate(folder.with_name(f"{folder.name}.other"))
    return folder
