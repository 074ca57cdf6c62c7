"""`umwelten ctl` at the channels of runs."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from livekit import RunControlInMemory, run_state, served
from umwelten.cli.app import main
from umwelten.evaluation.run_control import Author
from umwelten.evaluation.run_state import ChangeState, LaneWait, RunPhase, WorkersState
from umwelten.events import CallStarted
from umwelten.live.run_folder import run_folder
from umwelten.types import Call, Input, ModelRef

HOSTILE = "openai:\x1b[2J\x1b]0;owned\x07\u202e\x9b"


class Ran(NamedTuple):
    code: int
    out: str
    err: str


@pytest.fixture
def ctl(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Run `umwelten ctl` in this process."""
    monkeypatch.setattr("umwelten.cli.app.standard_streams.prepare", lambda: None)
    monkeypatch.setattr("getpass.getuser", lambda: "me")

    def run(*words: str) -> Ran:
        monkeypatch.setattr("sys.argv", ["umwelten", "ctl", *words])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return Ran(int(ended.value.code or 0), out, err)

    return run


def by(reason: str = "") -> Author:
    return Author(via="ctl", name="me", reason=reason)


def test_the_runs_of_this_machine_the_dead_among_them(ctl: Callable[..., Ran], tmp_path: Path) -> None:
    assert ctl() == Ran(0, "", "no run is under way on this machine\n")
    assert ctl("pauze").err.endswith("Did you mean pause?\n")
    with served(tmp_path / "tides") as run, served(tmp_path / "scans", id="scans") as other:
        run.run()
        other.run()
        _leave_dead("gone")
        listed = ctl()
        assert listed.code == 0
        rows = [line.split("\t") for line in listed.out.splitlines()]
        assert rows[0][:4] == ["ID", "PHASE", "DONE", "TOTAL"]
        assert {row[0]: row[1] for row in rows[1:]} == {
            "tides": "running",
            "scans": "running",
            "gone": "dead",
        }
        assert "dead" in listed.err
        found = {each["id"]: each for each in json.loads(ctl("--json").out)}
        assert found["gone"]["phase"] == "dead"
        assert not found["gone"]["answers"]
        assert "token" not in found["gone"]
        assert found["tides"]["lanes"][0]["ceiling"] == 10


def test_a_run_that_ends_while_it_is_asked_is_not_dead(
    ctl: Callable[..., Ran], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with served(tmp_path) as run:
        listed = [run.run()]
    for module in ("runs", "shown"):
        monkeypatch.setattr(f"umwelten.cli.ctl.{module}.all_runs", lambda: listed)
    assert "dead" not in "".join(map(str, ctl()))
    assert "dead" not in ctl("tides").err


def _leave_dead(id: str) -> None:
    folder = run_folder()
    assert folder is not None
    facts = json.loads(next(folder.glob("*.json")).read_bytes())
    path = folder / f"1-{id}.json"
    path.write_text(json.dumps({**facts, "id": id, "pid": 1, "socket": f"1-{id}.sock", "started_at": 1.0}))
    path.chmod(0o600)


def test_how_a_run_is(ctl: Callable[..., Ran], tmp_path: Path) -> None:
    change = ChangeState(
        at=1.0,
        key="max_concurrency",
        scope="",
        old=200,
        new=40,
        via="ctl",
        author="me",
        reason="others need it",
        journalled=True,
    )
    workers = WorkersState(wanted=2, ready=1, lost=3)
    state = run_state(phase=RunPhase.PAUSED, quiet=True, changes=(change,), workers=workers)
    with served(tmp_path, RunControlInMemory(state)) as run:
        run.run()
        for words in ((), ("tides",), ("ti",), (str(run.run().file.pid),), ("-i", "tides")):
            shown = ctl(*words) if words else ctl("tides")
            assert shown.code == 0, shown.err
            assert "safe to kill" in shown.out
            assert "\topenai\t3\t8\t10" in f"\t{shown.out}".replace("\n", "\t")
            assert "max_concurrency\t\t200\t40\tme (ctl)\tothers need it" in shown.out
            assert "\nworkers\t1 of 2 workers, 3 lost\n" in shown.out
        assert msgspec.json.decode(ctl("tides", "--json").out, type=type(state)) == state


def test_names_of_models_and_reasons_cannot_steer_the_terminal(
    ctl: Callable[..., Ran], tmp_path: Path
) -> None:
    state = run_state()
    model = msgspec.structs.replace(state.models[0], model=HOSTILE, stopped=HOSTILE)
    lane = msgspec.structs.replace(state.lanes[0], name=HOSTILE, stopped=HOSTILE)
    state = msgspec.structs.replace(state, models=(model,), lanes=(lane,), reason=HOSTILE)
    page = Input(id=1, name=HOSTILE, path="/p")
    with served(tmp_path, RunControlInMemory(state)) as run:
        run.run()
        started = {"call": Call(id=5, model=1, input=page), "model": ModelRef("openai", HOSTILE)}
        run.tell(CallStarted(**started, lane=HOSTILE, attempt=1))
        for words in ((), ("--json",), ("tides",), ("tides", "--json"), ("tides", "cancel")):
            shown = ctl(*words)
            assert shown.code == 0
            assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", shown.out + shown.err), words


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("set max-concurrency 40", ("set", "max_concurrency", "40", "", False)),
        ("set max_concurrency auto --dry-run", ("set", "max_concurrency", "auto", "", True)),
        ("set provider-concurrency openai=20", ("set", "provider_concurrency", "20", "openai", False)),
        ("set provider-concurrency a=b=20", ("set", "provider_concurrency", "20", "a=b", False)),
        ("set lane-rpm openai 300", ("set", "rate", "300", "openai", False)),
        ("set max-cost 5", ("set", "max_cost", "5", "", False)),
        ("set max-errors 50", ("set", "max_errors", "50", "", False)),
        ("set timeout 60s", ("set", "timeout", "60s", "", False)),
        ("set retries 2", ("set", "retries", "2", "", False)),
        ("pause", ("pause", "", None)),
        ("pause --lane openai --for 10m", ("pause", "openai", 600.0)),
        ("resume --model openai:gpt-5.4-mini", ("resume", "openai:gpt-5.4-mini")),
        ("stop", ("stop", False)),
        ("stop --now", ("stop", True)),
        ("retry-failed --kind server --input a.txt", ("retry", "server", "", "a.txt")),
        ("cancel 268500993", ("cancel", 268500993)),
    ],
)
def test_every_verb(ctl: Callable[..., Ran], tmp_path: Path, words: str, told: tuple[Any, ...]) -> None:
    with served(tmp_path) as run:
        run.run()
        done = ctl("tides", *words.split(), "--reason", "why")
        assert (done.code, run.run_control.told) == (0, [(*told, by("why"))]), done.err
        assert done.out.startswith(f"tides\t{told[1] if told[0] == 'set' else told[0]}\t")
        assert done.out.endswith({"stop": "\tnot journalled\n"}.get(told[0], done.out[-11:]))
        assert ("could not be stored" in done.err) is (told[0] == "stop")
        again = ctl(*words.split(), "--json")
        assert json.loads(again.out)["id"] == "tides"
        assert run.run_control.told[1] == (*told, by())


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        ("tides set retries 0", 1, "tides: retries 0 is too low\nThe least is 1.\n"),
        ("tides cancel 404", 1, "not under way"),
        ("tide2 pause", 2, "Did you mean tides?"),
        ("tides puase", 2, "Did you mean 'pause'?"),
        ("tides set max-concurency 4", 2, "Did you mean max-concurrency?"),
        ("tides set retries", 2, "takes one value"),
        ("tides set lane-rpm openai", 2, "takes a provider or lane"),
        ("tides pause --for ever", 2, "--for ever"),
        ("tides pause --lane a --model b", 2, "exclude each other"),
        ("tides cancel x", 2, "not the number of a call"),
        ("--json pause", 2, "after the command"),
    ],
)
def test_what_goes_wrong(ctl: Callable[..., Ran], tmp_path: Path, words: str, code: int, says: str) -> None:
    with served(tmp_path) as run:
        run.run()
        done = ctl(*words.split())
        assert (done.code, says in done.err) == (code, True), done.err
        assert len(run.run_control.told) == (code == 1)


def test_several_runs_have_to_be_told_apart(ctl: Callable[..., Ran], tmp_path: Path) -> None:
    assert "no run is under way" in ctl("pause").err


def test_a_run_that_has_ended_is_told_from_a_wrong_name(
    ctl: Callable[..., Ran], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "output" / "scans").mkdir(parents=True)
    (tmp_path / "output" / "scans" / "evaluation.db").touch()
    ended, wrong = ctl("scans", "pause"), ctl("../output/scans", "pause")
    assert (ended.code, wrong.code) == (2, 2)
    assert "its run has ended" in ended.err
    assert "umwelten eval resume scans" in ended.err
    assert "no run" in wrong.err
    with served(tmp_path) as run, served(tmp_path, id="tides-2") as other:
        run.run()
        other.run()
        _leave_dead("gone")
        done = ctl("pause")
        assert (done.code, "tides (process" in done.err) == (2, True)
        assert ctl("gone", "pause").code == 2
        assert "is dead" in ctl("gone").err
        assert ctl("tides", "pause").code == 0
        assert len(run.run_control.told) == 1
        assert ctl("tides-", "pause").code == 0
        assert len(other.run_control.told) == 1


def test_a_run_that_does_not_answer_is_named(
    ctl: Callable[..., Ran], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with served(tmp_path, RunControlInMemory(slow_s=0.3)) as run:
        run.run()
        monkeypatch.setattr("umwelten.live.client.Run.__init__.__defaults__", (0.1,))
        monkeypatch.setattr("umwelten.live.client.all_runs.__defaults__", (None, 0.1))
        done = ctl("tides", "pause")
        assert (done.code, "tides: no answer in 0.1 s" in done.err) == (1, True)


def test_watching_goes_on_until_the_run_ends(
    ctl: Callable[..., Ran], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with served(tmp_path) as run:
        run.run()
        seen = iter([lambda: None, lambda: None, run.server.close])
        monkeypatch.setattr("umwelten.cli.ctl.shown.time.sleep", lambda s: next(seen)())
        done = ctl("tides", "--watch", "--json")
    assert done.code == 0
    assert [json.loads(line)["id"] for line in done.out.splitlines()] == ["tides"] * 3
    assert "has ended" in done.err


def test_what_the_shell_completes(tmp_path: Path) -> None:
    from click.shell_completion import ShellComplete

    from umwelten.cli.app import cli

    def words(*typed: str) -> set[str]:
        *before, last = typed
        found = ShellComplete(cli, {}, "umwelten", "_X").get_completions(["ctl", *before], last)
        return {item.value for item in found}

    with served(tmp_path) as run:
        run.run()
        run.tell(
            CallStarted(call=Call(id=5, model=1, input=None), model=ModelRef("o", "m"), lane="o", attempt=1)
        )
        assert {"tides", "pause", "set"} <= words("")
        assert "tides" not in words("tides", "")
        assert {"pause", "set"} <= words("tides", "")
        assert "max-concurrency" in words("tides", "set", "")
        assert words("tides", "set", "provider-concurrency", "") == {"openai="}
        assert words("tides", "pause", "--lane", "") == {"openai"}
        assert words("tides", "pause", "--model", "") == {"openai:gpt-5.4-mini"}
        assert words("tides", "cancel", "") == {"5"}


def test_on_a_terminal_a_run_is_shown_in_words_that_fit(
    ctl: Callable[..., Ran], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "12")
    long = "a-rather-long-name-of-an-evaluation"
    state = run_state(long, phase=RunPhase.PAUSED, quiet=True, paused_s=3.0, folder=f"/{'deep/' * 30}")
    now = time.time()
    wait = LaneWait(reason="rate_limit", text="429 " + "too many requests " * 9, since=now, until=now + 3600)
    lanes = (msgspec.structs.replace(state.lanes[0], wait=wait),)
    state = msgspec.structs.replace(state, lanes=lanes)
    with served(tmp_path, RunControlInMemory(state), id=long) as run:
        found = run.run()
        monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
        listed = ctl()
        assert "9 of 20" in listed.out
        assert max(map(len, listed.out.splitlines())) <= 80
        shown = ctl(long)
        assert shown.out.startswith(f"{long}: paused, quiet: safe to kill\n  calls   9 of 20 done, 1 failed")
        assert "8 of 10" in shown.out
        assert re.search(r"until \d\d:\d\d:\d\d: 429", shown.out)
        assert ctl(long, "pause", "--for", "10m").out == f"{long}: all of it is paused\n"
        assert ctl(long, "set", "retries", "2").out == f"{long}: retries – → 2\n"
        seen = iter([lambda: None, run.server.close])
        monkeypatch.setattr("umwelten.cli.ctl.shown.time.sleep", lambda s: next(seen)())
        watched = ctl(long, "--watch").out.split("\x1b[11F\x1b[J")
        assert [len(screen.splitlines()) for screen in watched] == [11, 11]
        assert max(len(line) for screen in watched for line in screen.splitlines()) <= 80
        assert found.file.id == long
