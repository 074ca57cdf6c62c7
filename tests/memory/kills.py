"""Kill -9 again and again while facts are learnt; in the end, what was computed beforehand is known."""

from __future__ import annotations

import json
import random
import sqlite3
import subprocess
import time
from collections import defaultdict
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from forked import FORKS
from memory.kit import ECHO, MODEL, answers, profile, table
from provider import ChildProvider, clean_environment, provider_process
from reliability.runs import Process
from umwelten.simulate.faultserver.profile import Profile
from umwelten.store.memory.facts import norm
from umwelten.store.writer import GROUP_SIZE

TAIL = 48
"""Characters at the end of a prompt that the provider says are the fact."""

IN_FLIGHT = 50
UPDATES = answers(
    '{"ops": [{"new": 1, "op": "UPDATE", "old": 1, "text": "{tail}"}]}', prompt="New facts about"
)
"""The new fact takes the place of the first that is shown, which is the newest."""

Rows = list[tuple[str, str]]


@dataclass
class Figures:
    """What it came to. `again`: requests beyond those that an undisturbed run makes."""

    kills: int = 0
    rows: int = 0
    facts: int = 0
    wrong: int = 0
    doubled: int = 0
    sourceless: int = 0
    broken_chains: int = 0
    again: int = 0
    requests: int = 0
    wall_s: float = 0.0

    @property
    def good(self) -> bool:
        """Whether everything is as it should be."""
        bad = self.wrong + self.doubled + self.sourceless + self.broken_chains
        return not bad and self.again <= self.kills * (IN_FLIGHT + GROUP_SIZE)


def make_rows(count: int, scopes: int, *, doubled: float, seed: int = 1) -> Rows:
    """Rows of scopes in turn; so many of them say again what an earlier one of the scope has said."""
    dice, said, rows = random.Random(seed), defaultdict[str, list[str]](list), Rows()
    for number in range(count):
        user = f"user{number % scopes:03}"
        if said[user] and dice.random() < doubled:
            text = dice.choice(said[user])
            rows.append((user, dice.choice((text, text.upper(), f"{text}.", f" {text}!"))))
            continue
        text = f"row {number:06} tells that {user} has seen the sea {number:06} times"
        said[user].append(text)
        rows.append((user, text))
    return rows


def wanted(rows: Rows) -> set[tuple[str, str]]:
    """The facts that are to be known, as (scope, norm)."""
    return {(user, norm(text.strip()[-TAIL:])) for user, text in rows}


def kill_learning(
    root: Path,
    *,
    rows: Rows,
    kills: int,
    merge: Literal["add", "update"] = "add",
    latency_s: float = 0.02,
    seed: int = 1,
) -> Figures:
    """So many kills of `memory learn` at random moments, until it has ended."""
    table(root / "rows.csv", rows)
    dice, figures = random.Random(seed), Figures(rows=len(rows))
    expected = len(rows) * (2 if merge == "update" else 1)
    with provider_process(slowed(profile(UPDATES, ECHO), latency_s)) as server:
        began = time.monotonic()
        process = _start(root, server, merge)
        while figures.kills < kills:
            if not _wait(process, server, dice, expected, kills):
                assert process.returncode == 0
                break
            process.kill()
            process.wait()
            figures.kills += 1
            process = _start(root, server, merge)
        assert process.wait(600) == 0
        figures.wall_s = time.monotonic() - began
        figures.requests = server.counts()["totals"]["requests"]
    _judge(root, rows, merge, figures)
    return figures


def _wait(process: Process, server: ChildProvider, dice: random.Random, expected: int, kills: int) -> bool:
    """Wait for a moment by chance, among the requests to come or after the last; False: it has ended."""
    goal = server.counts()["totals"]["requests"] + dice.uniform(0.0, 2.2 * expected / kills)
    while process.poll() is None and server.counts()["totals"]["requests"] < min(goal, expected):
        time.sleep(0.02)
    try:
        # Beyond the last request, facts are taken in.
        process.wait(dice.uniform(0.0, 1.0 if goal > expected else 0.05))
    except subprocess.TimeoutExpired:
        return True
    return False


def slowed(given: Profile, latency_s: float) -> Profile:
    """Return the profile with all its rules answering after so many seconds."""
    rules = [
        msgspec.structs.replace(rule, behaviour=msgspec.structs.replace(rule.behaviour, latency_s=latency_s))
        for rule in given.rules
    ]
    return msgspec.structs.replace(given, rules=tuple(rules))


def _start(root: Path, server: ChildProvider, merge: str) -> Process:
    command = ["-m", "umwelten", "memory", "learn", "people", "--rows", "rows.csv"]
    command += ["--scope", "{{row.user}}", "-p", "{{row.text}}", "-m", MODEL, "--merge", merge]
    command += ["--max-concurrency", str(IN_FLIGHT), "--progress", "none"]
    quiet = subprocess.DEVNULL
    return FORKS.start(command, cwd=root, env=clean_environment(server.env()), stdout=quiet, stderr=quiet)


def _judge(root: Path, rows: Rows, merge: str, figures: Figures) -> None:
    path = root / "output" / ".memory" / "people.db"
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        facts = connection.execute(
            "SELECT id, scope, norm, source_call, ended, superseded_by FROM facts ORDER BY id"
        ).fetchall()
    (folder,) = (root / "output").glob("people.learn-rows-??????")
    with closing(sqlite3.connect(folder / "evaluation.db")) as connection:
        calls = {key for (key,) in connection.execute("SELECT key FROM calls WHERE status = 1")}
    figures.facts = len(facts)
    found = [(scope, form) for _, scope, form, *_ in facts]
    figures.wrong = len(set(found) ^ wanted(rows))
    figures.doubled = len(found) - len(set(found))
    figures.sourceless = sum(key not in calls for *_, key, _, _ in facts)
    undisturbed = len(rows)
    if merge == "update":
        figures.broken_chains = sum(not _is_chain(list(chain)) for chain in _by_scope(facts).values())
        # The first fact of a scope needs no model.
        undisturbed += len(facts) - len(_by_scope(facts))
    else:
        figures.broken_chains = sum(ended is not None for *_, ended, _ in facts)
    figures.again = figures.requests - undisturbed


def _by_scope(facts: list[tuple[object, ...]]) -> dict[object, list[tuple[object, ...]]]:
    chains = defaultdict[object, list[tuple[object, ...]]](list)
    for fact in facts:
        chains[fact[1]].append(fact)
    return chains


def _is_chain(facts: list[tuple[object, ...]]) -> bool:
    """Whether each fact was brought up to date by the next, in the order of the rows; the last is known."""
    following = [*(fact[0] for fact in facts[1:]), None]
    ends = [*("updated" for _ in facts[1:]), None]
    in_order = [fact[2] for fact in facts] == sorted(str(fact[2]) for fact in facts)
    return in_order and [(fact[4], fact[5]) for fact in facts] == list(zip(ends, following, strict=True))


def as_json(figures: Figures) -> str:
    """The figures, for messages."""
    return json.dumps(figures.__dict__)
