"""Steps of calls with tools: written, read back to go on, and undone where a conversation begins anew."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from store.making import A, B, files, never, query, records, reply, spec
from umwelten.errors import EvaluationChanged, StoreError
from umwelten.identity import content_hash
from umwelten.records import StepRecord, StoredSpec, ToolCallsRecord, ToolTotals
from umwelten.store.store import Store
from umwelten.tool_calls import (
    ModelTurn,
    OfferedTool,
    ToolCall,
    ToolCallState,
    ToolDefinition,
    ToolOutcome,
    ToolResults,
    ToolSettings,
)
from umwelten.types import Call, Failure, FailureKind, Usage

USED = Usage(input_tokens=10, output_tokens=3, details={"web_searches": 1})


def asked(step: int, place: int) -> ToolCall:
    return ToolCall(id=f"id {step}.{place}", name="git__look", arguments=f'{{"at": "{step}\u00e9"}}')


def turn(step: int, n: int = 2) -> ModelTurn:
    calls = tuple(asked(step, place) for place in range(n))
    return ModelTurn(raw=b'{"signed": "\\ud800", "n": %d}' % step, calls=calls, context_tokens=13)


def outcome(step: int, place: int, state: str = "done") -> ToolOutcome:
    return ToolOutcome(
        call=asked(step, place),
        tool="git.look",
        state=ToolCallState(state),
        text=f"found {step}.{place}",
        error="Traceback" if state == "error" else None,
        started_at=5.0,
        took_s=0.5,
    )


def step(call: Call, number: int, **more: Any) -> StepRecord:
    fields: dict[str, Any] = {
        "call": call,
        "number": number,
        "turn": turn(number),
        "started_at": 100.0 + number,
        "key": "u1:k",
        "content": b"c",
        "names": ("git.look", "git.look"),
        "usage": USED,
        "cost_nusd": 40,
        "served_by": "lane",
    }
    return StepRecord(**(fields | more))


def ended(call: Call, number: int, *places: int, state: str = "done") -> ToolCallsRecord:
    outcomes = tuple(outcome(number, place, state) for place in places)
    return ToolCallsRecord(call=call, step=number, outcomes=outcomes, places=places)


def begun(folder: Path, *made: Any) -> Any:
    """What the next run is told, when records of the only call were stored and the process ended."""
    with Store.create(folder, spec()) as store:
        store.set_inputs(files("a"), read_hash=never)
        (call,) = store.lease(1, 1)
        store.start_run({})
        for make in made:
            store.submit(make(call))
        store.finish_writing()
    with Store.resume(folder, spec()) as store:
        store.set_inputs(files("a"), read_hash=never)
        (call,) = store.lease(1, 1)
        return store.begun(call)


def test_a_call_without_steps_begins_anew(tmp_path: Path) -> None:
    assert begun(tmp_path) is None


def test_a_conversation_is_read_back_as_it_was(tmp_path: Path) -> None:
    found = begun(
        tmp_path,
        lambda call: step(call, 1),
        lambda call: ended(call, 1, 1),
        lambda call: ended(call, 1, 0, state="error"),
        lambda call: step(call, 2, cost_nusd=2),
        lambda call: ended(call, 2, 0, 1),
    )
    results = [tuple(outcome(n, place).result for place in range(2)) for n in (1, 2)]
    results[0] = (outcome(1, 0, "error").result, results[0][1])
    assert found.turns == (
        turn(1),
        ToolResults(results=results[0]),
        turn(2),
        ToolResults(results=results[1]),
    )
    assert found.totals == ToolTotals(steps=2, calls=4, errors=1, seconds=2.0)
    assert found.usage == Usage(input_tokens=20, output_tokens=6, details={"web_searches": 2})
    assert (found.key, found.content, found.cost_nusd) == ("u1:k", b"c", 42)
    assert (found.served_by, found.started_at, found.running, found.tools) == (
        "lane",
        101.0,
        (),
        ("git.look",),
    )


def test_calls_that_have_no_result_are_told_apart(tmp_path: Path) -> None:
    found = begun(
        tmp_path,
        lambda call: step(call, 1, turn=turn(1, 3), names=("git.look",) * 3),
        lambda call: ended(call, 1, 1),
        lambda call: ended(call, 1, 2, state="started"),
    )
    assert found.turns == (turn(1, 3),)
    assert found.outcomes == {1: outcome(1, 1)}
    assert found.running == ("git.look",)  # the first one had not been started


def test_a_cost_that_is_not_known_stays_so(tmp_path: Path) -> None:
    found = begun(
        tmp_path,
        lambda call: step(call, 1),
        lambda call: ended(call, 1, 0, 1),
        lambda call: step(call, 2, cost_nusd=None),
    )
    assert found.cost_nusd is None


def test_a_conversation_that_begins_anew_takes_the_place_of_the_old_one(tmp_path: Path) -> None:
    found = begun(
        tmp_path,
        lambda call: step(call, 1),
        lambda call: ended(call, 1, 0, 1),
        lambda call: step(call, 2),
        lambda call: step(call, 1, turn=turn(7)),
    )
    assert found.turns == (turn(7),)
    assert query(tmp_path, "SELECT count(*) FROM tool_calls") == [(2,)]


def test_steps_about_other_bytes_do_not_count(tmp_path: Path) -> None:
    with Store.create(tmp_path, spec()) as store:
        store.set_inputs(files("a"), read_hash=never)
        (call,) = store.lease(1, 1)
        store.start_run({})
        attempt, record = records(call, reply("fine"))
        for one in (step(call, 1), ended(call, 1, 0, 1), attempt, record):
            store.submit(one)
        store.end_run("complete", None, 1)
    with Store.resume(tmp_path, spec()) as store:
        store.set_inputs(files("a", stamp="new"), read_hash=lambda *_: content_hash(b"new"))
        (call,) = store.lease(1, 1)
        assert store.begun(call) is None


@pytest.mark.parametrize("same", [True, False])
def test_of_an_input_that_was_touched_conversations_go_on_if_the_same_would_be_sent(
    tmp_path: Path, same: bool
) -> None:
    stopped = Failure(kind=FailureKind.TOOLS, message="stopped")
    begun(
        tmp_path,
        lambda call: step(call, 1),
        lambda call: msgspec.structs.replace(records(call, stopped)[1], content=b"c"),
    )
    with Store.resume(tmp_path, spec()) as store:
        store.set_inputs(files("a", stamp="new"), read_hash=lambda *_: b"c" if same else b"d")
        (call,) = store.lease(1, 1)
        found = store.begun(call)
    assert (found.failed_as if found else None) == ("tools" if same else None)
    assert (found is not None) is same


def test_a_conversation_about_earlier_bytes_ends_although_another_model_answered_about_later_ones(
    tmp_path: Path,
) -> None:
    both = spec(A, B)
    with Store.create(tmp_path, both) as store:
        store.set_inputs(files("a"), read_hash=never)
        (one,), (other,) = store.lease(1, 1), store.lease(2, 1)
        store.start_run({})
        _, answered = records(one, reply("done"))
        store.submit(msgspec.structs.replace(answered, content=b"new"))
        store.submit(step(other, 1))
    with Store.resume(tmp_path, both) as store:
        store.set_inputs(files("a", stamp="new"), read_hash=lambda *_: b"new")
        (call,) = store.lease(2, 1)
        assert store.lease(1, 1) == [] and store.begun(call) is None


def test_how_a_call_ended_is_told(tmp_path: Path) -> None:
    failure = Failure(kind=FailureKind.TOOLS, message="no answer", retry=False)
    found = begun(tmp_path, lambda call: step(call, 1), lambda call: records(call, failure)[1])
    assert found.failed_as == "tools"


def test_an_end_counts_until_a_later_run_has_begun_anew(tmp_path: Path) -> None:
    stopped = Failure(kind=FailureKind.TOOLS, message="stopped")
    begun(tmp_path, lambda call: step(call, 1), lambda call: records(call, stopped)[1])
    found = []
    for make in (lambda call: step(call, 1, started_at=900.0), None):
        with Store.resume(tmp_path, spec()) as store:
            store.set_inputs(files("a"), read_hash=never)
            (call,) = store.lease(1, 1)
            found.append(store.begun(call))
            store.start_run({})
            if make is not None:
                store.submit(make(call))
    assert [(one.failed_as, one.started_at) for one in found] == [("tools", 101.0), (None, 900.0)]


def test_an_answer_leaves_no_steps_of_a_conversation_that_it_did_not_come_from(tmp_path: Path) -> None:
    begun(tmp_path, lambda call: step(call, 1), lambda call: step(call, 2), lambda call: ended(call, 2, 0, 1))
    with Store.resume(tmp_path, spec()) as store:
        store.set_inputs(files("a"), read_hash=never)
        (call,) = store.lease(1, 1)
        store.start_run({})
        _, record = records(call, reply("done"))
        store.submit(msgspec.structs.replace(record, tools=ToolTotals(steps=2)))
    assert query(tmp_path, "SELECT number FROM steps") == [(1,)]
    assert query(tmp_path, "SELECT DISTINCT step FROM tool_calls") == [(1,)]


def test_an_answer_that_is_taken_over_leaves_no_steps(tmp_path: Path) -> None:
    begun(tmp_path, lambda call: step(call, 1))
    with Store.resume(tmp_path, spec()) as store:
        store.set_inputs(files("a"), read_hash=never)
        for pending in store.all_pending(1):
            store.take_over([records(call, reply("done"))[1] for call in pending])
    assert query(tmp_path, "SELECT 1 FROM steps UNION ALL SELECT 1 FROM tool_calls") == []


def test_results_of_the_old_conversation_do_not_get_into_the_new_one(tmp_path: Path) -> None:
    found = begun(
        tmp_path,
        lambda call: ended(call, 1, 0, 1),
        lambda call: step(call, 1, turn=turn(1, 1), names=("git.look",)),
    )
    assert found.turns == (turn(1, 1),)


def test_tools_that_were_only_asked_for_have_not_run(tmp_path: Path) -> None:
    found = begun(
        tmp_path,
        lambda call: step(call, 1, names=("book", "git.look")),
        lambda call: ended(call, 1, 1),
    )
    assert found.tools == ("git.look",)


def test_what_tools_took_is_in_the_row_of_the_call(tmp_path: Path) -> None:
    totals = ToolTotals(steps=3, calls=4, errors=1, seconds=2.5)
    broken = Failure(kind=FailureKind.SERVER, message="500")
    begun(tmp_path, lambda call: msgspec.structs.replace(records(call, broken)[1], tools=totals))
    assert query(tmp_path, "SELECT steps, tool_calls, tool_errors, tool_s FROM calls") == [(3, 4, 1, 2.5)]


# --- settings --------------------------------------------------------------------------------


def offering(**more: Any) -> StoredSpec:
    definition = ToolDefinition(name="look", description="Look.", parameters={"type": "object"})
    fields = {"name": "look", "definition": definition, "fingerprint": "1"} | more
    settings = ToolSettings(tools=(OfferedTool(**fields),))
    return msgspec.structs.replace(spec(), request=msgspec.structs.replace(spec().request, tools=settings))


def test_what_was_offered_is_kept(tmp_path: Path) -> None:
    Store.create(tmp_path, offering()).close()
    with Store.resume(tmp_path, offering()) as store:
        assert store.spec == offering()


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"fingerprint": "2"}, "tool look: another code"),
        (
            {"definition": ToolDefinition(name="look", description="See.", parameters={"type": "object"})},
            "tool look: another description",
        ),
        (
            {
                "definition": ToolDefinition(
                    name="look", description="Look.", parameters={"type": "object", "x": 1}
                )
            },
            "tool look: another schema",
        ),
        ({"name": "see"}, "tools: look → see"),
    ],
)
def test_a_tool_that_changed_is_named(tmp_path: Path, changed: dict[str, Any], said: str) -> None:
    Store.create(tmp_path, offering()).close()
    with pytest.raises(EvaluationChanged) as error:
        Store.resume(tmp_path, offering(**changed))
    assert said in f"{error.value.message} {error.value.hint}"


def test_an_evaluation_without_tools_goes_on_without(tmp_path: Path) -> None:
    Store.create(tmp_path, spec()).close()
    with pytest.raises(EvaluationChanged, match="tools: none → look"):
        Store.resume(tmp_path, offering())


def test_a_state_that_there_is_not_is_damage(tmp_path: Path) -> None:
    begun(tmp_path, lambda call: step(call, 1))
    with closing(sqlite3.connect(tmp_path / "evaluation.db")) as connection, connection:
        connection.execute("UPDATE tool_calls SET state = 'odd'")
    with Store.resume(tmp_path, spec()) as store, pytest.raises(StoreError, match="damaged"):
        store.set_inputs(files("a"), read_hash=never)
        (call,) = store.lease(1, 1)
        store.begun(call)
