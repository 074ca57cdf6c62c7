"""Evaluations as they were written when this directory was made: to be read and gone on with for ever.

`evaluations/NAME.zip` holds the files that an evaluation is about and its output, byte for byte as they were
left; `evaluations/NAME.json` what was then read from it: the report, the answers as the library gives them,
the keys of its calls, and what a resume asks.

    python -m golden.stored            # which there are, with tests/ in PYTHONPATH
    python -m golden.stored --write    # make those that are not there yet

An archive that is there is never made again: it stands for the evaluations that users have. Add a new one to
`EVALUATIONS`, for instance when what is stored has changed its form. Where a report says more than before on
purpose, delete its `NAME.json` and write it again: the difference shows that nothing else has changed.
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

import umwelten
from golden.given import FILES
from golden.recording import Recorder, Refusal, Request, recorder, surroundings
from golden.replaying import OUTPUT, call_keys, counted

FOLDER = Path(__file__).with_name("evaluations")

_PRICES = "".join(
    f'[prices."{model}"]\ninput = {given}\noutput = {made}\n'
    for model, given, made in (
        ("openai:tide-large", 2.5, 10.0),
        ("google:tide-flash", 0.3, 2.5),
        ("anthropic:tide", 3.0, 15.0),
    )
)
_ANSWER_FIELDS = (
    *("model", "file", "prompt", "repeat", "ok", "text", "data", "marks", "partial", "finish_reason"),
    *("reasoning", "cost_usd", "attempts", "response_s", "ttft_s"),
)
_USAGE = ("input_tokens", "output_tokens", "cached_tokens", "cache_write_tokens", "reasoning_tokens")
_SUMMARY = (
    *("calls", "succeeded", "failed", "pending", "wall_s", "sequential_s", "speedup", "p50_s", "p95_s"),
    *("cost_usd", "unpriced_calls", "errors"),
)

Go = Callable[[bool], None]
"""Run the evaluations of one archive in the working directory; True: resume them."""


@dataclass(frozen=True)
class Evaluation:
    """One archive. `ids` are its evaluations in order, `needs` the folders of `given.FILES` in it.

    `go` runs them. `at_first` answers when they are made, `later` for good.
    """

    name: str
    ids: tuple[str, ...]
    needs: tuple[str, ...]
    go: Go
    later: Callable[[Request], str | Refusal]
    at_first: Callable[[Request], str | Refusal] | None = None

    @property
    def archive(self) -> Path:
        return FOLDER / f"{self.name}.zip"

    @property
    def expected(self) -> Path:
        return FOLDER / f"{self.name}.json"


# --- the evaluations -----------------------------------------------------------------------------


def _two_models(resume: bool) -> None:
    umwelten.run(
        "Nenne drei Flüsse.",
        "openai:tide-large,ollama:tide-small",
        id="rivers",
        system="Be brief – always.",
        temperature=0,
        seed=7,
        repeat=2,
        resume=resume,
    ).wait()


def _files(resume: bool) -> None:
    umwelten.batch(
        "What does {{file.name}} say?",
        "google:tide-flash,anthropic:tide",
        id="notes",
        directory="mixed",
        schema="title, hour? int: 0-23, mood: calm|rough",
        coerce=True,
        attach=["attached/rules.txt", "attached/dot.png"],
        max_tokens=200,
        concurrent=True,
        resume=resume,
    ).wait()


def _rows(resume: bool) -> None:
    # By the command line, which leaves the same things behind.
    words = ["batch", "--id", "greetings", "--models", "openai:tide-large", "--rows", "tables/people.csv"]
    words += ["--row-name", "name", "--prompts", "prompts/rows.toml", "--param", "top_k=40", "--stream"]
    command = [sys.executable, "-m", "umwelten", "eval", *words, *(["--resume"] if resume else [])]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def _sent_rows(resume: bool) -> None:
    umwelten.batch(
        "Where is {{row.Hafen}}?",
        "openai:tide-large",
        id="ports",
        rows="tables/ports.csv",
        row_name="Hafen",
        resume=resume,
    ).wait()
    umwelten.batch(
        "Answer.", "openai:tide-large", id="questions", rows="tables/questions.txt", resume=resume
    ).wait()


def _chain(resume: bool) -> None:
    umwelten.batch(
        "Read this.",
        "anthropic:tide",
        id="letters",
        directory="texts",
        schema="sender, mood: glad|sad",
        resume=resume,
    ).wait()
    umwelten.batch(
        "Reply to {{file.name}}: {{answer}}",
        "openai:tide-large",
        id="replies",
        from_="letters",
        where="json.mood = glad",
        resume=resume,
    ).wait()


def _unfinished(resume: bool) -> None:
    umwelten.batch(
        "When is high tide?",
        "openai:tide-large,google:tide-flash",
        id="tides",
        directory="mixed",
        file_pattern="*.{txt,json,csv}",
        schema="hour int",
        resume=resume,
    ).wait()


_SEPARATORS = {"a,b": {"type": "integer"}, "c": {"type": "string"}, "note": {"enum": ["x; c: y"]}}


def _misfits(resume: bool) -> None:
    umwelten.batch(
        "Take it down.",
        "openai:tide-large",
        id="misfits",
        directory="texts",
        schema={"type": "object", "properties": _SEPARATORS},
        resume=resume,
    ).wait()


def _ranked(resume: bool) -> None:
    umwelten.batch(
        "What follows?", "openai:tide-large,google:tide-flash", id="sequels", directory="texts", resume=resume
    ).wait()
    umwelten.rank("sequels", judge="anthropic:tide", question="Which one is finer?").wait()


def _suite(resume: bool) -> None:
    # The same suite goes on by itself.
    scorers = {"right": {"type": "exact"}}
    task = {"prompt": "In or out?", "directory": "texts", "expected": "=out", "scorers": scorers}
    suite = {"suite": {"name": "shore"}, "tasks": {"way": task}, "gates": {"way.right": ">= 0.5"}}
    umwelten.suite(suite, "openai:tide-large,ollama:tide-small").wait()


def _rivers(request: Request) -> str:
    return "Elbe, Ems, Eider.\n" if b"tide-small" in request.body else "Elbe – Ems – Eider"


def _noted(request: Request) -> str:
    if b"File: table.csv" in request.body:
        return '{"title": "table", "hour": "7", "mood": "Calm"}'
    return '{"title": "«Tide»", "mood": "rough"}'


def _greeted(request: Request) -> str:
    return "Good day." if b"Greet" in request.body else "In the west."


def _lettered(request: Request) -> str:
    if b"tide-large" in request.body:
        return "With pleasure. 🌊"
    return '{"sender":"A","mood":"sad"}' if b"Flut" in request.body else '{"sender":"B","mood":"glad"}'


def _told(request: Request) -> str:
    return '{"hour": 13}'


def _half_told(request: Request) -> str | Refusal:
    """The csv file is refused, the text never gets a record, and Google refuses the key."""
    if "generateContent" in request.path:
        return Refusal(401, "API key not valid. Please pass a valid API key.")
    if b"File: table.csv" in request.body:
        return Refusal(400, "this content is not for us")
    return "At one, I think." if b"File: notes.txt" in request.body else _told(request)


def _fitting(request: Request) -> str:
    return '{"a,b": 1, "c": "fine", "note": "x; c: y"}'


def _misfitting(request: Request) -> str:
    """One is right when it is asked again, the other never."""
    if b"Flut" not in request.body and b"does not have the form" in request.body:
        return _fitting(request)
    return '{"a,b": "one", "c": "fine", "note": "z"}'


def _sequelled(request: Request) -> str:
    """The judge likes the sea, and what it is shown first."""
    body = request.body.decode()
    if "Which one is finer?" not in body:
        return "The sea." if "tide-large" in body else "Sand." if "Flut" in body else "The sea, again."
    sea, sand = body.find("The sea."), body.find("Sand.")
    winner = "first" if sand < 0 or sea < sand else "second"
    return json.dumps({"reason": "It is shorter.", "winner": winner})


def _which_way(request: Request) -> str:
    return "in" if b"tide-small" in request.body and b"Flut" in request.body else "out"


EVALUATIONS = (
    Evaluation("two-models", ("rivers",), (), _two_models, _rivers),
    Evaluation("files", ("notes",), ("mixed", "attached"), _files, _noted),
    Evaluation("rows", ("greetings",), ("tables", "prompts"), _rows, _greeted),
    Evaluation("chain", ("letters", "replies"), ("texts",), _chain, _lettered),
    Evaluation("unfinished", ("tides",), ("mixed",), _unfinished, _told, _half_told),
    Evaluation("rows-sent", ("ports", "questions"), ("tables",), _sent_rows, _greeted),
    Evaluation("misfits", ("misfits",), ("texts",), _misfits, _fitting, _misfitting),
    Evaluation("ranked", ("sequels", "sequels.rank"), ("texts",), _ranked, _sequelled),
    Evaluation("suite", ("shore.way",), ("texts",), _suite, _which_way),
)


# --- reading and going on ------------------------------------------------------------------------


@contextmanager
def unpacked(folder: Path, *evaluations: Evaluation) -> Iterator[Recorder]:
    """The archives' files in `folder`, which is the working directory, and a provider to go on with."""
    for evaluation in evaluations:
        with ZipFile(evaluation.archive) as archive:
            archive.extractall(folder)
    with _stage(folder) as provider:
        provider.respond = evaluations[0].later
        yield provider


@contextmanager
def _stage(folder: Path) -> Iterator[Recorder]:
    with recorder() as provider, surroundings(provider.port, folder, _PRICES):
        provider.tokens = (120, 7)
        yield provider


def resumed(evaluation: Evaluation, provider: Recorder) -> list[list[Any]]:
    """What is asked when everything is resumed."""
    evaluation.go(True)
    return counted(provider.take())


def read(evaluation: Evaluation) -> dict[str, Any]:
    """All that can be read from it, by id. Needs `unpacked`."""
    return {id_: {"open": _opened(id_), "keys": keys(id_), "report": _report(id_)} for id_ in evaluation.ids}


def keys(id_: str) -> dict[str, Any]:
    """The settings' hash and the keys of the calls, and by which version of the store they were written."""
    with closing(sqlite3.connect(OUTPUT / id_ / "evaluation.db")) as connection:
        settings, calls = call_keys(connection)
        application = connection.execute("PRAGMA application_id").fetchone()[0]
    return {"application_id": application, "settings": settings, "calls": calls}


def reported(ids: Iterable[str]) -> Any:
    """What `umwelten eval report --format json` says of these."""
    command = [sys.executable, "-m", "umwelten", "eval", "report", *ids, "--format", "json"]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=120)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def _report(id_: str) -> Any:
    umwelten.open(id_).report("report.json")
    return json.loads(Path("report.json").read_text(encoding="utf-8"))


def _opened(id_: str) -> dict[str, Any]:
    """The evaluation as the library gives it."""
    results = umwelten.open(id_)
    summary = results.summary
    return {
        "status": results.status,
        "reason": results.reason,
        "good": len(results.answers),
        "bad": len(results.failures),
        "summary": {name: getattr(summary, name) for name in _SUMMARY},
        "answers": [_answer(answer) for answer in results],
    }


def _answer(answer: umwelten.Answer) -> dict[str, Any]:
    error = answer.error
    return {
        **{name: getattr(answer, name) for name in _ANSWER_FIELDS},
        "marks": list(answer.marks),
        "usage": {name: getattr(answer.usage, name) for name in _USAGE},
        "error": None if error is None else [error.kind, error.message],
    }


def as_text(found: object) -> str:
    """JSON whose lines are easy to compare."""
    return json.dumps(found, ensure_ascii=False, indent=1) + "\n"


# --- making them ---------------------------------------------------------------------------------


def _make(evaluation: Evaluation, folder: Path) -> None:
    names = [name for name in FILES if name.split("/")[0] in evaluation.needs]
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(FILES[name])
    with _stage(folder) as provider:
        provider.respond = evaluation.at_first or evaluation.later
        evaluation.go(False)
    FOLDER.mkdir(exist_ok=True)
    _pack(evaluation.archive, folder, [*names, *_left(folder / OUTPUT, folder)])


def _left(output: Path, folder: Path) -> Iterator[str]:
    """What a run left there, but for the lock and the journal's files, which a later reader leaves empty."""
    for path in sorted(path for path in output.rglob("*") if path.is_file()):
        if path.name.endswith("-wal"):
            assert path.stat().st_size == 0, "the database was not closed"
        elif not path.name.endswith((".lock", "-shm")):
            yield path.relative_to(folder).as_posix()


def _pack(archive: Path, folder: Path, names: Iterable[str]) -> None:
    with ZipFile(archive, "w") as packed:
        for name in names:
            entry = ZipInfo(name)
            entry.compress_type, entry.external_attr = ZIP_DEFLATED, 0o644 << 16
            packed.writestr(entry, (folder / name).read_bytes(), compresslevel=9)


def _write_expected(evaluation: Evaluation, folder: Path) -> None:
    with unpacked(folder, evaluation) as provider:
        found = read(evaluation)
        asked = resumed(evaluation, provider)
    evaluation.expected.write_text(as_text({"read": found, "asked": asked}), encoding="utf-8", newline="\n")


def main(words: list[str]) -> int:
    """List them, and with `--write` make those that are not there yet."""
    for evaluation in EVALUATIONS:
        missing = [path for path in (evaluation.archive, evaluation.expected) if not path.exists()]
        if missing and "--write" in words:
            with tempfile.TemporaryDirectory() as made, tempfile.TemporaryDirectory() as opened:
                if evaluation.archive in missing:
                    _make(evaluation, Path(made))
                _write_expected(evaluation, Path(opened))
        state = ", ".join(path.name for path in missing) + " is new" if missing else "stays as it is"
        print(f"{evaluation.name}: {state}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
