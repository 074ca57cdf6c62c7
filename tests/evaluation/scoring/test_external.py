"""Scorers in a process of their own: functions, programs, and rules that take too long."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from umwelten.child_processes import without_keys
from umwelten.errors import ConfigError
from umwelten.evaluation.scoring.exchange import AHEAD
from umwelten.evaluation.scoring.external import (
    External,
    ScorerInput,
    external_scorer,
    read_content,
)
from umwelten.scoring.definition import NamedPlace, read_scorer
from umwelten.scoring.score import Answer, Result, Score, Unscored

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="processes and pipes of POSIX")

CHECKS = """
import asyncio, os, subprocess, sys, time
from umwelten.scoring.score import Part, Score

def odd(answer, row, other=None):
    print("says", answer.text)
    match answer.text:
        case "raise": raise KeyError("colour")
        case "exit": sys.exit(3)
        case "hang": time.sleep(600)
        case "crash": os._exit(7)
        case "fork": os.fork()
        case "nan": return float("nan")
        case "yes": return "yes"
        case "big": return 1.7
        case "mapping": return {}
        case "none": return None
        case "text": return answer.lower()
        case "input": return bool(sys.stdin.read())
        case "record": return answer.record["a"] == 1 and row["b"] == "2"
        case "score": return Score(value=0.25, label="x", reason="so", parts=(Part(name="p", value=1),))
        case "family":
            subprocess.Popen(["sleep", "600"], start_new_session=True)
            return os.fork() == 0 or subprocess.Popen(["sleep", "600"]).pid > 0
    return 0.5

async def later(answer, expected):
    await asyncio.sleep(0)
    return answer.text == expected

def plain(answer, expected=None, *, file, model, **more): return (file, model, expected) == ("f", "m", None)
def wrong(anser): pass
def slash(answer, /): pass
"""


def scorer(folder: Path, kind: str, value: Any, **more: Any) -> External:
    said: list[str] = []
    table = {"type": kind, "value": value} | {key: each for key, each in more.items() if key == "timeout"}
    options = {key: each for key, each in more.items() if key != "timeout"}
    found = external_scorer(
        read_scorer("own", table, NamedPlace("x")), base=folder, **{"said": said.append} | options
    )
    found.__dict__["said"] = said
    return found


def run(made: External, texts: Iterable[str], **more: Any) -> list[Result]:
    with made:
        return list(made.score(ScorerInput(answer=Answer(text=text), **more) for text in texts))


def value(result: Result) -> float:
    assert isinstance(result, Score), result
    return result.value


@pytest.fixture
def checks(tmp_path: Path) -> Path:
    (tmp_path / "checks.py").write_text(CHECKS)
    return tmp_path


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _children() -> list[int]:
    listed = subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True).stdout.splitlines()
    return [int(line.split()[0]) for line in listed if line.split()[1:] == ["sleep", "600"]]


def test_what_goes_wrong_with_an_answer_concerns_that_answer_alone(checks: Path) -> None:
    errors = {
        "raise": "KeyError: 'colour' (checks.py, line 8)",
        "exit": "SystemExit: 3 (checks.py, line 9)",
        "hang": "took longer than 1 s",
        "crash": "the scorer's process ended (status 7)",
        "nan": "a value from 0 to 1, True, False or None is expected, not nan",
        "yes": "None is expected, not 'yes'",
        "big": "None is expected, not 1.7",
        "mapping": "None is expected, not dict",
        "text": "the text is answer.text",
    }
    texts = ["fork", "fine", *(text for error in errors for text in (error, "fine")), "\ud800"]
    made = scorer(checks, "python", "checks.py:odd", timeout="1s")
    found = run(made, texts)
    for text, result in zip(texts, found, strict=True):
        if text in errors:
            assert isinstance(result, Unscored)
            assert result.kind == "scorer_error"
            assert errors[text] in result.message
            assert str(checks) not in result.message
        else:
            assert value(result) == 0.5, text
    said = made.__dict__["said"]
    assert said.count("says fine") == texts.count("fine"), "a copy of the process went on"


def test_what_a_function_returns(checks: Path) -> None:
    none, empty, whole = run(scorer(checks, "python", "checks.py:odd"), ["none", "input", "score"])
    assert none == Unscored(kind="judge_declined", message="the scorer declined")
    assert (value(empty), empty.passed) == (0, False)  # type: ignore[union-attr]
    assert isinstance(whole, Score)
    assert (whole.value, whole.label, whole.reason, whole.passed) == (0.25, "x", "so", None)
    assert whole.parts[0].name == "p"
    given = ScorerInput(answer=Answer(text="record", record={"a": 1}), row={"b": "2"})
    with scorer(checks, "python", "checks.py:odd") as made:
        assert not made.needs_reference
        assert next(made.score([given])) == Score(value=1, passed=True)


def test_a_function_gets_what_it_names_and_needs_a_reference_if_it_has_no_default(checks: Path) -> None:
    with scorer(checks, "python", "checks.py:later") as made:
        assert made.needs_reference
        inputs = [
            ScorerInput(answer=Answer(text="a"), reference=reference)
            for reference in ({"expected": "a"}, {"expected": "b"}, {})
        ]
        same, other, without = made.score(inputs)
    assert (value(same), value(other)) == (1, 0)
    assert isinstance(without, Unscored)
    assert without.kind == "no_reference"
    assert value(run(scorer(checks, "python", "checks.py:plain"), ["a"], file="f", model="m")[0]) == 1


@pytest.mark.parametrize(
    ("kind", "given", "says"),
    [
        ("python", "nowhere.py:f", "no such file"),
        ("python", "checks.py:late", "has no function late\nDid you mean later? Functions there: odd"),
        ("python", "checks.py:time", "has something else than a function"),
        ("python", "checks.py:wrong", "has a parameter 'anser'\nDid you mean answer?"),
        ("python", "checks.py:slash", "'answer' cannot be given by name"),
        ("python", "broken.py:f", "broken.py: SyntaxError: '(' was never closed (broken.py, line 2)"),
        ("python", "failing.py:f", "ZeroDivisionError: division by zero (failing.py, line 1)"),
        ("command", "no-such-program", "'no-such-program' was not found"),
        ("command", "./checks.py", "is not executable\nchmod +x ./checks.py"),
    ],
)
def test_what_cannot_work_is_refused_before_anything(checks: Path, kind: str, given: str, says: str) -> None:
    (checks / "broken.py").write_text("\nf = (")
    (checks / "failing.py").write_text("1 / 0")
    with pytest.raises(ConfigError) as caught, scorer(checks, kind, given):
        pass
    assert says in str(caught.value)


def test_the_bytes_that_were_hashed_are_those_that_run(checks: Path) -> None:
    definition = read_scorer("own", {"type": "python", "value": "checks.py:odd"}, NamedPlace("x"))
    definition, code = read_content(definition, checks)
    (checks / "checks.py").write_text("def odd(answer): return 0.125")
    with external_scorer(definition, base=checks, code=code) as made:
        assert value(next(made.score([ScorerInput(answer=Answer(text="fine"))]))) == 0.5
        assert made.digest == definition.digest
    assert read_content(definition, checks)[0].digest != definition.digest


def test_after_many_failures_in_a_row_no_more_is_tried(checks: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("umwelten.evaluation.scoring.exchange.GIVE_UP", 3)
    found = run(
        scorer(checks, "python", "checks.py:odd"), ["crash"] * 2 + ["fine"] + ["crash"] * 3 + ["fine"] * 2
    )
    messages = [result.message for result in found if isinstance(result, Unscored)]
    assert [text.startswith("not tried") for text in messages] == [False] * 5 + [True] * 2


@pytest.mark.skipif(sys.platform != "linux", reason="processes are looked up in /proc")
def test_a_program_that_is_asked_nothing_ends_by_itself(checks: Path) -> None:
    with scorer(checks, "command", ["cat"]) as made:
        assert made._exchange.close() == "status 0"  # it used to be waited for, then killed


def test_no_process_is_left(checks: Path) -> None:
    before = set(_children())
    with scorer(checks, "python", "checks.py:odd") as made:
        assert value(next(made.score([ScorerInput(answer=Answer(text="family"))]))) == 1
        started, own = set(_children()) - before, made.pid
        assert len(started) == 2
        assert own is not None
    assert not any(map(_alive, (*started, own)))


@pytest.mark.skipif(sys.platform != "linux", reason="processes are looked up in /proc")
def test_no_process_outlives_one_that_is_killed(checks: Path) -> None:
    script = """
import sys
from pathlib import Path
from umwelten.evaluation.scoring.external import *
from umwelten.scoring.definition import *
from umwelten.scoring.score import Answer
definition = read_scorer("own", {"type": "python", "value": "checks.py:odd"}, NamedPlace("x"))
with external_scorer(definition, base=Path(sys.argv[1])) as made:
    texts = ["family", "hang"]
    for result in made.score(ScorerInput(answer=Answer(text=text)) for text in texts):
        print(made.pid, flush=True)
"""
    before = set(_children())
    parent = subprocess.Popen(
        [sys.executable, "-c", script, str(checks)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert parent.stdout
    own = int(parent.stdout.readline())
    started = set(_children()) - before
    assert len(started) == 2
    assert _alive(own)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    until = time.monotonic() + 20
    while any(map(_alive, (*started, own))) and time.monotonic() < until:
        time.sleep(0.01)
    assert not any(map(_alive, (*started, own)))


# --- programs ------------------------------------------------------------------------------------

PROGRAM = """
import json, os, sys, time
for line in sys.stdin:
    asked = json.loads(line)
    id, text = asked["id"], asked["answer"]
    replies = {
        "garbage": "loading",
        "skip": None,
        "number": json.dumps(7),
        "nan": '{"id": %d, "value": NaN}' % id,
        "yes": json.dumps({"id": id, "value": "yes"}),
        "null": json.dumps({"id": id, "value": None, "reason": "unsure"}),
        "nothing": json.dumps({"id": id}),
        "error": json.dumps({"id": id, "error": "no " + os.environ.get("MY_TOKEN", "token")}),
        "facts": json.dumps({"id": id, "value": 1, "label": [asked[k] for k in ("expected", "row", "file")]}),
    }
    if text == "exit": sys.exit("bye")
    if text == "quiet": sys.exit(0)
    if text == "hang": time.sleep(600)
    said = replies.get(text, json.dumps({"id": id, "value": True}))
    if said: print(said)
"""


def test_what_goes_wrong_with_a_program_concerns_that_answer_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MY_TOKEN", "secret")
    (tmp_path / "program.py").write_text(PROGRAM)
    errors = {
        "garbage": 'wrote \'loading\', where {"id": 1, "value": 0.5} is expected',
        "skip": "no line came for it before that of a later answer",
        "number": "wrote '7'",
        "nan": "None is expected, not NaN",
        "yes": 'None is expected, not "yes"',
        "nothing": 'no "value" was given',
        "error": "no token",
        "exit": "ended (status 1) without a result for this answer: bye",
        "quiet": "ended (status 0) without a result for this answer",
        "hang": "no line came within 1 s",
    }
    texts = ["fine", *(text for error in errors for text in (error, "fine")), "skip"]
    made = scorer(tmp_path, "command", [sys.executable, "program.py"], timeout="1s")
    for text, result in zip(texts, run(made, texts), strict=True):
        if text == "fine":
            assert result == Score(value=1, passed=True)
        else:
            assert isinstance(result, Unscored)
            assert result.kind == "scorer_error"
            assert errors[text] in result.message or text == "skip"
    made = scorer(tmp_path, "command", [sys.executable, "program.py"])
    declined, facts = run(
        made, ["null", "facts"], reference={"expected": 1.5}, row={"a": float("nan")}, file="f"
    )
    assert declined == Unscored(kind="judge_declined", message="unsure")
    assert isinstance(facts, Score)
    assert facts.label == '[1.5, {"a": null}, "f"]'


def test_a_program_may_answer_at_the_end_of_its_input_or_one_at_a_time(tmp_path: Path) -> None:
    reply = 'a = json.loads(line); print(json.dumps({"id": a["id"], "value": a["answer"] == "x"}))'
    (tmp_path / "whole.py").write_text(f"import json, sys\nfor line in list(sys.stdin): {reply}")
    (tmp_path / "single.py").write_text(f"import json, sys\nfor line in [sys.stdin.readline()]: {reply}")
    texts = ["x", "y"] * (AHEAD // 2 + 50)
    whole = run(scorer(tmp_path, "command", [sys.executable, "whole.py"], timeout="1s"), texts)
    assert [value(result) for result in whole] == [1, 0] * (AHEAD // 2 + 50)
    single = run(scorer(tmp_path, "command", [sys.executable, "single.py"]), texts[:4])
    assert [value(result) for result in single] == [1, 0, 1, 0]


def test_a_key_is_neither_in_the_environment_nor_in_what_is_kept(tmp_path: Path) -> None:
    seen = without_keys(
        {
            "OPENAI_API_KEY": "1",
            "db_password": "2",
            "HF_TOKEN": "3",
            "ALIAS": "x-key-123456",
            "PWD": "/",
            "A": "b",
        },
        ["key-123456"],
    )
    assert seen == {"PWD": "/", "A": "b"}
    (tmp_path / "checks.py").write_text(
        "import sys\ndef f(answer):\n    print('the key', answer.text)\n    raise ValueError(answer.text)"
    )
    made = scorer(tmp_path, "python", "checks.py:f", masked=lambda text: text.replace("key-123456", "***"))
    (found,) = run(made, ["key-123456"])
    assert isinstance(found, Unscored)
    assert found.message == "ValueError: *** (checks.py, line 4)"
    assert made.__dict__["said"] == ["the key ***"]


# --- rules ---------------------------------------------------------------------------------------


def test_a_costly_rule_has_a_time_limit_in_place_of_a_limit_of_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("umwelten.evaluation.scoring.external.COSTLY_S", 0.5)
    definition = read_scorer("own", {"type": "regex", "value": "(a+)+b"}, NamedPlace("x"))
    found = run(external_scorer(definition), ["aab", "a" * 60, "cc"], reference={"expected": "aa"})
    assert [value(found[0]), value(found[2])] == [1, 0]
    assert found[1] == Unscored(kind="scorer_error", message="took longer than 0.5 s")


def test_mathematics(tmp_path: Path) -> None:
    pytest.importorskip("math_verify")
    definition = read_scorer("own", {"type": "math", "timeout": "5s"}, NamedPlace("x"))
    touched = tmp_path / "touched"
    cases = [
        ("So it is $\\frac{1}{2}$.", "0.5", 1),
        ("The answer is 50%.", "1/2", 1),
        ("x^2 + 2x + 1", "(x+1)^2", 1),
        ("**Answer:** 2*sqrt(2)", "$\\sqrt{8}$", 1),
        ("there are 42 apples", "41", 0),
        ("I do not know", "41", 0),
        (f"Answer: __import__('os').system('touch {touched}')", "1", 0),
        (f"${{{{}}}}[].__class__ \\text{{open('{touched}', 'w')}}$", "1", 0),
    ]
    with external_scorer(definition) as made:
        inputs = (ScorerInput(answer=Answer(text=text), reference={"expected": e}) for text, e, _ in cases)
        for (text, _, wanted), result in zip(cases, made.score(inputs), strict=True):
            assert value(result) == wanted, text
        (odd,) = made.score([ScorerInput(answer=Answer(text="1"), reference={"expected": "some words"})])
        assert isinstance(odd, Unscored)
        assert odd.kind == "no_reference"
    assert not touched.exists()


def test_mathematics_without_its_library_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    definition = read_scorer("own", {"type": "math"}, NamedPlace("x"))
    with pytest.raises(ConfigError, match=r"pip install 'umwelten\[math\]'"):
        external_scorer(definition)
