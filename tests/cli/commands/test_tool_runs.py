"""Runs whose models call tools, through the command line."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from provider import KEYS, provider
from reliability.leaks import leaks
from reliability.runs import finish, start, wait_for
from toolrunkit import ARGUMENTS, batch, called, calling, rows, write, write_marks
from umwelten.simulate.faultserver import Behaviour, ToolTurns
from umwelten.simulate.faultserver.profile import Rule

NAME = "substr(i.name, 1, length(i.name) - 4)"
CALLS = "calls c JOIN inputs i ON i.id = c.input_id"
OF_TOOLS = "JOIN tool_calls t ON t.call_id = c.id ORDER BY t.call_id, t.step, t.place"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write(tmp_path)
    return tmp_path


# --- what models do --------------------------------------------------------------------------


def use(mark: str, text: str | None = None, **turns: Any) -> Rule:
    """How the model uses tools in the call about the file with that mark."""
    behaviour = Behaviour(tool_turns=ToolTurns(**{"arguments": ARGUMENTS, **turns}))
    return Rule(prompt=f"mark:{mark}", behaviour=behaviour)


ODD = {
    "always": ({"quirks": ("always_calls",)}, 6, "tools", ("done",) * 4 + ("error",)),
    "last": ({"turns": 9}, 5, None, ("done",) * 4),
    "alike": ({"quirks": ("malformed_arguments",), "turns": 50}, 4, None, ("error",) * 3),
    "unknown": ({"quirks": ("unknown_tool",)}, 2, None, ("unknown",)),
    "broken": ({"quirks": ("malformed_arguments",)}, 2, None, ("error",)),
    "none": ({"quirks": ("empty_arguments",)}, 2, None, ("error",)),
    "cut": ({"quirks": ("cut_arguments",), "quirk_turns": 1, "turns": 2}, 3, None, ("error", "done")),
    "twice": ({"quirks": ("cut_arguments",), "turns": 4}, 2, "tools", ("error",)),
    "empty": ({"quirks": ("empty_reply",)}, 3, None, ("done",)),
    "many": ({"calls": 200}, 2, None, ("done",) * 32 + ("error",) * 168),
}
"""What a model does; the requests that are made then, how the call fails, and what became of its calls."""

TOLD = {
    "unknown": "there is no tool 'no_such_tool'. The tools are: look",
    "broken": "the arguments are not valid JSON",
    "none": "Object missing required field `city`",
    "cut": "the arguments were cut off at --max-tokens",
    "always": "no more tool calls are possible",
    "many": "too many calls in one turn: at most 32 are run",
}


def test_whatever_a_model_does_its_call_ends_and_is_billed_once(cli: Any, root: Path) -> None:
    write_marks(root, ODD)
    rules = tuple(use(mark, **turns) for mark, (turns, *_) in ODD.items())
    with provider(calling(rules=rules)) as server:
        code, err = batch(cli, server, "t.py:look")
        ledger = server.idle()
    assert (code, ledger.verdicts) == (1, []), err
    requests = {one.conversation.split(":")[1]: one.requests for one in ledger.conversations()}
    kinds = dict(rows(root, f"SELECT {NAME}, c.error_kind FROM {CALLS}"))
    texts: dict[str, list[tuple[str, str]]] = {mark: [] for mark in ODD}
    for mark, *call in rows(root, f"SELECT {NAME}, t.state, t.result FROM {CALLS} {OF_TOOLS}"):
        texts[mark].append((call[0], call[1]))
    for mark, (_, count, kind, states) in ODD.items():
        assert sum(requests[mark].values()) == count, mark
        assert kinds[mark] == kind, mark
        assert tuple(state for state, _ in texts[mark]) == states, mark
    for mark, said in TOLD.items():
        assert said in [text for state, text in texts[mark] if state != "done"], mark
    marked = rows(root, "SELECT count(*) FROM answers WHERE marks LIKE '%last turn without tools%'")
    assert marked == [(3,)]  # "last", "alike" and "empty"
    billed = ledger.totals.input_tokens, ledger.totals.output_tokens
    assert rows(root, "SELECT sum(input_tokens), sum(output_tokens) FROM attempts") == [billed]
    cost = billed[0] * 150 + billed[1] * 600
    assert rows(root, "SELECT sum(cost_nusd) FROM calls") == [(cost,)]
    assert rows(root, "SELECT sum(cost_nusd) FROM attempts") == [(cost,)]
    words = "the model went on calling tools after it was told to answer", "for the second time: raise it"
    messages = " ".join(text for (text,) in rows(root, "SELECT error_message FROM calls WHERE status = 2"))
    assert all(part in messages for part in words)


def test_the_last_request_asks_for_the_answer_and_lets_no_tool_be_called(cli: Any, root: Path) -> None:
    with provider(calling(turns=9)) as server:
        assert batch(cli, server, "t.py:look", "--max-steps", "2")[0] == 0
        last = json.loads(server.idle().records[-1].body or "")
    assert last["messages"][-1] == {"role": "user", "content": "Answer now with what you have."}
    assert (last["tool_choice"], len(last["tools"])) == ("none", 1)


def test_a_turn_that_pauses_goes_on_as_a_step(cli: Any, root: Path) -> None:
    with provider(calling(quirks=("pause_turn",))) as server:
        assert batch(cli, server, "t.py:look", models="anthropic:m")[0] == 0
        assert not server.idle().verdicts
    assert rows(root, "SELECT steps, tool_calls, status FROM calls") == [(3, 1, 1)] * 2


def test_a_forced_choice_that_is_refused_is_left_out_once_for_all(cli: Any, root: Path) -> None:
    models = ("openai:m", "anthropic:m", "google:m")
    with provider(calling(refuse=("forced_choice",))) as server:
        code, err = batch(cli, server, "t.py:look", "--tool-choice", "any", models=",".join(models))
        assert server.idle().totals.invalid == 3
    assert code == 0
    for model in models:
        assert err.count(f"{model} does not take tool_choice; it is sent without") == 1


# --- what tools do ---------------------------------------------------------------------------


def test_whatever_a_tool_does_is_told_and_the_run_goes_on(cli: Any, root: Path) -> None:
    said = {"boom": "ValueError: it broke", "leave": "SystemExit: 3", "long": "x" * 8_000, "stop": "enough"}
    write_marks(root, said)
    rules = tuple(use(name, tools=(name,)) for name in said)
    with provider(calling(rules=rules)) as server:
        code, err = batch(cli, server, "t.py")
        requests = {
            one.conversation.split(":")[1]: len(one.requests) for one in server.idle().conversations()
        }
    assert (code, "tools: stop ended the call: enough (stop.txt) → the message says why" in err) == (1, True)
    assert dict(rows(root, f"SELECT {NAME}, t.result FROM {CALLS} {OF_TOOLS}")) == said
    assert requests == {"boom": 2, "leave": 2, "long": 2, "stop": 1}
    (error,) = rows(root, "SELECT error FROM tool_calls WHERE tool = 'boom'")[0]
    assert error.startswith("Traceback") and error.endswith("ValueError: it broke\n")


def test_no_key_gets_from_a_tool_to_a_model_or_a_file(cli: Any, root: Path) -> None:
    rules = (use("0", tools=("keys",)), use("1", tools=("spill",)))
    with provider(calling(rules=rules)) as server:
        reports = ("--report", "r.html", "--report", "r.json")
        code, err = batch(cli, server, "t.py:keys,t.py:spill", *reports)
        bodies = " ".join(record.body or "" for record in server.idle().records)
    shown = cli("eval", "show", "s", "0.txt")
    assert code == 0
    # Those of all providers, whoever is asked.
    for place in (bodies, err, shown.out, *(text for _, text in called(root))):
        assert not any(key in place for key in KEYS.values())
    assert bodies.count("*** *** *** ***") == 2
    assert leaks(root, KEYS) == []


# --- limits of cost --------------------------------------------------------------------------


def test_a_cap_of_costs_holds_while_conversations_grow(cli: Any, root: Path) -> None:
    for n in range(2, 12):
        (root / "in" / f"{n}.txt").write_text(f"mark:{n}")
    cap, lanes = 0.15, 4
    with provider(calling(turns=6, behaviour={"output_tokens": 400})) as server:
        options = ("--max-steps", "8", "--max-concurrency", str(lanes), "--max-cost", str(cap))
        code, err = batch(cli, server, "t.py:long", *options, models="openai:gpt-4o")
    assert (code, "--max-cost $0.15" in err) == (3, True)
    (spent, dearest), *_ = rows(root, "SELECT sum(cost_nusd), max(cost_nusd) FROM attempts")
    assert cap / 2 <= spent / 1e9 <= cap + lanes * dearest / 1e9


# --- resuming --------------------------------------------------------------------------------


CHANGES: dict[str, tuple[tuple[str, str], tuple[str, ...], str]] = {
    "another tool": (("", ""), ("--tools", "calculator"), "tools: look → look, calculator"),
    "code": (("seen {city}", "saw {city}"), (), "tool look: another code"),
    "two things": (
        ('"""See a city."""\n    return', '"""See a town."""\n    city = ""\n    return'),
        ("--max-steps", "7"),
        "tool look: another description and another code max_steps: 5 → 7",
    ),
}


def test_other_tools_are_not_mixed_in(cli: Any, root: Path) -> None:
    with provider(calling()) as server:
        assert batch(cli, server, "t.py:look")[0] == 0
        before = server.idle().requests
        text = (root / "t.py").read_text()
        for name, ((old, new), more, said) in CHANGES.items():
            (root / "t.py").write_text(text.replace(old, new) if old else text)
            code, err = batch(cli, server, "t.py:look", "--resume", *more)
            assert (code, said in err) == (2, True), (name, err)
        (root / "t.py").write_text(text.replace('"""See a city."""', '"""See a city."""  # for now'))
        code, err = batch(cli, server, "t.py:look", "--resume")
        assert (code, "nothing to do" in err) == (0, True)
        assert server.idle().requests == before


def test_a_process_that_a_tool_ends_is_resumed(cli: Any, root: Path) -> None:
    (root / "crash").touch()
    with provider(calling()) as server:
        code, _ = batch(cli, server, "t.py:crash")
        assert code not in (0, 1, 2, 3)
        code, err = batch(cli, server, "t.py:crash", "--resume")
        # Called in the run before, and run in this one.
        assert (code, "never called" in err) == (0, False)
        conversations = server.idle().conversations()
    assert [state for state, _ in called(root)] == ["done"] * 2
    # What was not committed when the process ended is asked once more, and nothing else.
    assert sum(one.paid_again for one in conversations) <= 2
    assert rows(root, "SELECT count(*) FROM calls WHERE status = 1") == [(2,)]


def test_what_may_run_once_is_not_run_again_after_its_process_ended(cli: Any, root: Path) -> None:
    (root / "crash").touch()
    with provider(calling()) as server:
        assert batch(cli, server, "t.py:book", "--max-concurrency", "1")[0] not in (0, 1, 2, 3)
        code, err = batch(cli, server, "t.py:book", "--resume")
    assert (code, "book was started before the interruption and may have run" in err) == (1, True)
    booked = (root / "booked").read_text().split()
    assert len(booked) == len(set(booked))
    # And a call that failed so is not begun anew.
    with provider(calling()) as server:
        code, err = batch(cli, server, "t.py:book", "--resume")
        assert (code, server.idle().requests) == (1, 0)
    assert (root / "booked").read_text().split() == booked


def test_ctrl_c_while_tools_run_keeps_their_steps_and_pays_nothing_twice(cli: Any, root: Path) -> None:
    more = ("--tools", "t.py:hold", "--max-concurrency", "1")
    with provider(calling()) as server:
        with start(root, server.env(), *more, models="openai:gpt-4o-mini") as process:
            wait_for(lambda: len(list(root.glob("began-*"))) == 2)
            process.send_signal(signal.SIGINT)
            assert process.stderr is not None
            while "stopping (" not in (line := process.stderr.readline()):
                assert line, "it ended without saying so"
            assert "waiting up to 10 s for 2 calls under way" in line
            (root / "go").touch()
            assert finish(process)[0] == 130
        assert called(root) == [("done", "held")] * 2
        assert rows(root, "SELECT count(*) FROM calls WHERE status = 1") == [(0,)]
        assert server.idle().requests == 2
        assert batch(cli, server, "t.py:hold", "--resume")[0] == 0
        ledger = server.idle()
    assert [(one.paid, one.paid_again) for one in ledger.conversations()] == [({1: 1, 2: 1}, 0)] * 2
    assert len(called(root)) == 2


# --- repeats and members ---------------------------------------------------------------------


def test_each_repeat_is_a_conversation_of_its_own(cli: Any, root: Path) -> None:
    with provider(calling()) as server:
        assert batch(cli, server, "t.py:look", "--repeat", "3")[0] == 0
        assert server.idle().requests == 2 * 3 * 2
    assert rows(root, "SELECT DISTINCT steps, tool_calls FROM calls") == [(2, 1)]
    assert len(called(root)) == 6


def test_conversations_stay_with_the_account_that_began_them(cli: Any, root: Path) -> None:
    for n in range(2, 12):
        (root / "in" / f"{n}.txt").write_text(f"mark:{n}")
    env = {"GATE_A": "test-key-gate-a-1f09c7", "GATE_B": "test-key-gate-b-77d1e2"}
    with provider(calling(turns=3, behaviour={"latency_s": 0.005})) as server:
        section = (
            f'[providers.gate]\nwire = "openai"\nbase_url = "{server.url}/v1"\nkeys = ["GATE_A", "GATE_B"]\n'
        )
        (root / "umwelten.toml").write_text(section)
        code, err = batch(cli, env, "t.py:look", "--max-concurrency", "8", models="gate:m")
        assert code == 0, err
        records = server.idle().records
    by_conversation: dict[str, set[str | None]] = {}
    for record in records:
        by_conversation.setdefault(record.conversation or str(record.marks), set()).add(record.key)
    assert len(records) == 12 * 4
    assert {len(keys) for keys in by_conversation.values()} == {1}
    assert len(set.union(*by_conversation.values())) == 2


def test_conversations_begin_anew_where_their_server_refuses_to_go_on(cli: Any, root: Path) -> None:
    refuses = calling(rules=(Rule(step=2, behaviour=Behaviour(fault=401)),))
    with provider(refuses) as a, provider(calling(behaviour={"latency_s": 0.01})) as b:
        urls = f'["{a.url}/v1", "{b.url}/v1"]'
        (root / "umwelten.toml").write_text(f'[providers.gate]\nwire = "openai"\nbase_urls = {urls}\n')
        code, err = batch(cli, {}, "t.py:look", models="gate:m")
        assert code == 0, err
        assert a.idle().requests >= 2
        assert b.idle().totals.answered == 2 * 2
    assert rows(root, "SELECT steps, tool_calls, status FROM calls") == [(2, 1, 1)] * 2
