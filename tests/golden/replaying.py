"""Running combinations as a user would, and telling what their identity was and what they sent."""

from __future__ import annotations

import difflib
import json
import re
import sqlite3
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import umwelten
from golden import given
from golden.combinations import COMBINATIONS, Combination, Step
from golden.recording import Recorder, Request, recorder, surroundings
from umwelten.evaluation import build_spec

GOLDEN = Path(__file__).with_name("golden.jsonl")
OUTPUT = Path("output")

_SET_RULE = "from umwelten.evaluation import build_spec; build_spec.ROW_RULE = {}"
"""Has a process begin evaluations as a version with that rule for rows did."""

_KEYS = """SELECT m.name, coalesce(p.name, ''), i.name, c.repeat, c.key FROM calls c
    JOIN models m ON m.id = c.model_id JOIN inputs i ON i.id = c.input_id
    LEFT JOIN prompts p ON p.id = m.prompt_id"""
_LIMIT = r'"(?:(?:exclusiveM|m)(?:in|ax)imum|(?:min|max)Items|multipleOf)":[-+.\deE]+'
_LIMITS = re.compile(f"{_LIMIT}(?:,{_LIMIT})+")
_OWN_PROVIDERS = "".join(
    f'[providers.own-{wire}]\nwire = "{wire}"\nbase_url = "http://127.0.0.1:{{port}}/own/{wire}"\n'
    for wire in ("openai", "gemini", "anthropic", "ollama")
)
# One that ended; calls of a server of that name are still what they were.
_OWN_PROVIDERS += """[providers.github-models]
wire = "openai"
base_url = "http://127.0.0.1:{port}/github-models/v1"
api_key_env = "GITHUB_TOKEN"
"""


def stored_lines() -> dict[str, str]:
    """The lines of the golden file by the names of their combinations."""
    if not GOLDEN.exists():
        return {}
    lines = GOLDEN.read_text(encoding="utf-8").split("\n")[:-1]
    return {json.loads(line)["name"]: line for line in lines}


@contextmanager
def stage(folder: Path) -> Iterator[Recorder]:
    """The files and the provider that combinations need, with `folder` as the working directory."""
    given.write(folder)
    with (
        recorder() as provider,
        surroundings(provider.port, folder, _OWN_PROVIDERS.format(port=provider.port)),
    ):
        yield provider


def line_of(combination: Combination, provider: Recorder) -> str:
    """The combination's line, from a run of it. Needs a `stage`."""
    try:
        return _line_of(combination, provider)
    except BaseException as error:
        error.add_note(f"in the combination {combination.name}")
        raise


def _line_of(combination: Combination, provider: Recorder) -> str:
    asked, settings, calls, requests = [], [], [], []
    base = re.sub(r"[^a-z0-9]+", "-", combination.name.lower()).strip("-")
    for number, step in enumerate(combination.steps):
        id_ = f"{base}-{number}"
        _play(step, id_, f"{base}-{number - 1}", provider)
        with closing(sqlite3.connect(OUTPUT / id_ / "evaluation.db")) as connection:
            digest, keys = call_keys(connection)
            bad = connection.execute("SELECT error_message FROM calls WHERE status <> 1").fetchall()
        assert bool(bad) == combination.refused, f"calls failed: {bad}"
        asked.append(_asked(step))
        settings.append(digest)
        calls.append(keys)
        requests.append(counted(provider.take()))
    found = {"name": combination.name, "asked": asked, "settings": settings}
    found |= {"calls": calls, "requests": requests}
    return json.dumps(found, ensure_ascii=False, separators=(",", ":"))


def call_keys(connection: sqlite3.Connection) -> tuple[str, list[list[Any]]]:
    """The settings' hash, and [model, prompt, input, repeat, key] of each call that ended."""
    (digest,) = connection.execute("SELECT settings_hash FROM evaluation").fetchone()
    return digest.hex(), sorted(map(list, connection.execute(_KEYS)))


def counted(requests: Iterable[Request]) -> list[list[Any]]:
    """[times, path, body] of each, in an order that the run has no say in. Bodies are JSON and so UTF-8."""
    counts = Counter((request.path, _settled(request.body.decode())) for request in requests)
    return [[times, *request] for request, times in sorted(counts.items())]


def _settled(body: str) -> str:
    """The body, with a strict schema's limits in one order: theirs followed the hashes of the process."""
    if '"strict":true' not in body:
        return body
    return _LIMITS.sub(lambda found: ",".join(sorted(found[0].split(","))), body)


def _play(step: Step, id_: str, before: str, provider: Recorder) -> None:
    answers = [step.answer] if isinstance(step.answer, str) else list(step.answer)
    provider.respond = lambda request: answers.pop(0) if len(answers) > 1 else answers[0]
    arguments = dict(step.arguments)
    if step.kind == "command":
        started = f"{_SET_RULE.format(step.row_rule)}; from umwelten.__main__ import main; main()"
        words = [sys.executable, "-c", started, "eval", *arguments["words"], "--id", id_]
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return
    arguments |= {"from_": before} if step.earlier else {}
    rule, build_spec.ROW_RULE = build_spec.ROW_RULE, step.row_rule
    try:
        (umwelten.run if step.kind == "run" else umwelten.batch)(id=id_, **arguments).wait()
    finally:
        build_spec.ROW_RULE = rule


def _asked(step: Step) -> dict[str, Any]:
    given = {name: _written(value) for name, value in step.arguments.items() if value is not None}
    return {"kind": step.kind, **given}


def _written(value: Any) -> Any:
    """An argument as JSON that tells a path from a text."""
    if isinstance(value, Path):
        return {"path": value.as_posix()}
    return [_written(item) for item in value] if isinstance(value, list) else value


def difference(stored: str, found: str) -> str:
    """What differs between two lines, as a diff."""
    pieces = [_pieces(line) for line in (stored, found)]
    return "\n".join(difflib.unified_diff(*pieces, "golden.jsonl", "this code", lineterm="", n=2))


def _pieces(line: str) -> list[str]:
    """The line in pieces that fit a screen; no byte of it is lost."""
    return re.sub(r"(,|\\n|[\[{](?=[\[{]))", r"\1\n", line).split("\n")


# --- the file ------------------------------------------------------------------------------------


def main(words: list[str]) -> int:
    """Compare, and with `--write` add what is not there. 1: a line differs, and nothing was written."""
    stored, found = stored_lines(), {}
    with tempfile.TemporaryDirectory() as folder, stage(Path(folder)) as provider:
        for combination in COMBINATIONS:
            found[combination.name] = line_of(combination, provider)
    gone = [name for name in stored if name not in found]
    changed = [name for name in stored if name in found and stored[name] != found[name]]
    new = [name for name in found if name not in stored]
    for name in changed:
        print(f"{name} has changed:\n{difference(stored[name], found[name])}\n")
    for name in gone:
        print(f"{name} is in the file, and no combination has that name")
    print(f"{len(stored)} lines, {len(changed)} changed, {len(gone)} gone, {len(new)} new")
    if changed or gone:
        print("nothing is written: what is in the file stays as it is")
        return 1
    if new and "--write" in words:
        with GOLDEN.open("a", encoding="utf-8", newline="\n") as file:
            file.writelines(found[name] + "\n" for name in new)
    return 0
