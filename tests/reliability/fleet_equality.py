"""The same evaluation made by this process and by workers: what the reports have to say alike."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

from provider import ChildProvider, clean_environment
from umwelten.simulate.faultserver.profile import Behaviour, Profile, Rule

SCHEMA = "title, year int"
TIMES = ("response_s", "ttft_s")
_UPLOADED = 24_000_000
"""Bytes of a file that Gemini's wire uploads."""


MODELS = ("openai:gpt-5.4-mini", "google:gemini-3.5-flash")


def profile(*, with_retries: bool = True) -> Profile:
    """A provider whose answers depend on what is asked alone: some are wrong once, some for ever, some are
    refused as a bad request, some break once. Each combination of model, prompt and file counts by itself."""
    wrong = Behaviour(shaped="invalid")
    broken = Behaviour(fault=500)
    once = [
        Rule(
            model=model.partition(":")[2], prompt=kind, first=1, counting="mark", schema=schema, behaviour=how
        )
        for model in MODELS
        for kind, schema, how in (("kind 1", True, wrong), ("kind 4", None, broken))
        if with_retries
    ]
    prose = Behaviour(shaped="ignore", text="I would rather not.")
    ever = [
        Rule(prompt="kind 2", schema=True, behaviour=prose),
        Rule(prompt="kind 3", behaviour=Behaviour(fault=400)),
    ]
    return Profile(rules=(*once, *ever))


def write_texts(root: Path, count: int) -> None:
    """Write texts of all kinds, and two prompts."""
    (root / "in").mkdir(parents=True, exist_ok=True)
    for n in range(count):
        (root / "in" / f"{n:05}.txt").write_text(f"mark:{n:05} kind {n % 10}: a text of its own.")
    prompts = '[prompts]\nbrief = "mark:brief Describe."\nlong = "mark:long Describe at length."\n'
    (root / "prompts.toml").write_text(prompts)


def write_uploads(root: Path, count: int) -> None:
    """Write files that are uploaded."""
    for n in range(count):
        (root / "in" / f"{n:05}.mp3").write_bytes(b"ID3\4\0\0\0\0\0\0" + bytes([n]) * _UPLOADED)


def evaluate(root: Path, server: ChildProvider, name: str, *options: str) -> tuple[int, str]:
    """Make the evaluation of this name; return its exit status and what was said."""
    command = ("eval", "batch", "--directory", "in", "-i", name, "--progress", "plain", "--no-share-limits")
    done = subprocess.run(
        [sys.executable, "-m", "umwelten", *command, *options],
        cwd=root,
        env=clean_environment({**server.env(), "XDG_STATE_HOME": str(root / "state")}),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
    )
    (root / f"said-{name}").write_text(done.stderr)
    return done.returncode, done.stderr


def said(root: Path, name: str) -> str:
    """What was said while an evaluation was made."""
    return (root / f"said-{name}").read_text()


def told(root: Path, name: str) -> dict[str, Any]:
    """What the report says of an evaluation, without times and its name; and what its calls sent."""
    command = ("eval", "report", "-i", name, "--format", "json")
    done = subprocess.run(
        [sys.executable, "-m", "umwelten", *command], cwd=root, env=clean_environment(), capture_output=True
    )
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    with closing(sqlite3.connect(root / "output" / name / "evaluation.db")) as connection:
        sent = connection.execute(
            "SELECT i.name, c.model_id, hex(c.content), c.key FROM calls c JOIN inputs i ON i.id = c.input_id"
        ).fetchall()
    counts = ("calls", "succeeded", "failed", "pending")
    return {
        "status": report["evaluation"]["status"],
        "summary": {key: report["summary"][key] for key in counts},
        "cost": report["cost"],
        "models": [
            {key: model[key] for key in ("model", "prompt", "cost", *counts)} for model in report["models"]
        ],
        "results": sorted(map(_timeless, report["results"]), key=json.dumps),
        "errors": {each["kind"]: each["count"] for each in report["errors"]},
        "attempts": sorted(
            [each[key] for key in ("model", "prompt", "outcome", "attempts", "cost_usd")]
            for each in report["attempts"]
        ),
        "records": (report["schema"] or {}).get("records"),
        "sent": sorted(sent),
    }


def _timeless(result: dict[str, Any]) -> dict[str, Any]:
    metrics = {key: value for key, value in result["metrics"].items() if key not in TIMES}
    return {**result, "metrics": metrics}


def differences(one: dict[str, Any], other: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """What two evaluations do not say alike, each shortened to the first that differs."""
    found = {}
    for key in one:
        mine, theirs = one[key], other[key]
        if mine != theirs:
            if isinstance(mine, list) and len(mine) == len(theirs):
                mine, theirs = next(pair for pair in zip(mine, theirs, strict=True) if pair[0] != pair[1])
            found[key] = (mine, theirs)
    return found


def compare(
    root: Path, server: ChildProvider, engine: tuple[str, ...], name: str, *options: str
) -> dict[str, Any]:
    """Make an evaluation both ways; fail where they differ, return what they say."""
    tellings = []
    for way, more in (("alone", ()), ("workers", engine)):
        server.reset()
        code, words = evaluate(root, server, f"{name}-{way}", *options, *more)
        assert code in (0, 1, 3), words
        tellings.append({"code": code, **told(root, f"{name}-{way}")})
    unlike = differences(*tellings)
    assert not unlike, unlike
    return tellings[0]
