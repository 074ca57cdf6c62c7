"""One attempt over a real socket: what is sent, what it comes to, and what it costs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from umwelten.attempts.cut_input import CUT_INPUT
from umwelten.attempts.input_reader import InputReader
from umwelten.attempts.outcome_check import OutcomeCheck
from umwelten.attempts.runner import HttpAttemptRunner
from umwelten.attempts.structured_output import StructuredOutput
from umwelten.attempts.target import Target
from umwelten.attempts.transport import Transport
from umwelten.engine.interfaces import AttemptResult
from umwelten.errors import InputError, LocalModelError
from umwelten.events import Note
from umwelten.identity import content_hash
from umwelten.inputs.workers.pool import ConversionPool
from umwelten.prompts.request_builder import RequestBuilder
from umwelten.providers.openai.chat import OpenAIChat
from umwelten.providers.protocol import Endpoint, HttpRequest
from umwelten.providers.vendors import VENDORS
from umwelten.providers.wires import WIRES
from umwelten.schema import compile_schema, load_schema
from umwelten.simulate.faultserver.profile import Behaviour, Profile, Rule
from umwelten.simulate.faultserver.server import FaultServer
from umwelten.types import (
    Call,
    Continue,
    Failure,
    FailureKind,
    Input,
    ModelRef,
    Parameters,
    Prompt,
    Reply,
    Request,
    RequestSettings,
    Secret,
    Usage,
)
from wirekit import assistant, place, user

MODEL = ModelRef("openai", "m")
ALONE = Call(id=1, model=1, input=None)
SCHEMA = load_schema("title, year int").schema
TURNS = (assistant('{"title": 7}'), user("title: 7 is not a string"))


def in_tokens(usage: Usage, model: ModelRef) -> int | None:
    """A price list of one nano-dollar a token."""
    if usage.input_tokens is None or usage.output_tokens is None:
        return None
    return usage.input_tokens + usage.output_tokens


class Bench:
    """A runner, the server it asks, and what it reported."""

    def __init__(
        self, runner: HttpAttemptRunner, server: FaultServer, builder: RequestBuilder, notes: list[Note]
    ) -> None:
        self.runner, self.server, self.builder, self.notes = runner, server, builder, notes
        self.pieces: list[str] = []

    async def attempt(self, call: Call = ALONE, turns: Any = (), stream: bool = False) -> AttemptResult:
        return await self.runner(call, turns, self.pieces.append if stream else None)

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(record.body or "") for record in self.server.ledger.records]


@asynccontextmanager
async def serving(
    behaviour: Behaviour | None = None,
    *rules: Rule,
    settings: RequestSettings | None = None,
    model: ModelRef = MODEL,
    price: Any = in_tokens,
    stream: bool = False,
    trace: bool = False,
    structured: bool = True,
    target: dict[str, Any] | None = None,
) -> AsyncIterator[Bench]:
    settings = settings or RequestSettings(prompts=(Prompt(name="", text="Read this."),))
    builder = RequestBuilder(settings)
    profile = Profile(default=behaviour or Behaviour(), rules=rules, keep_bodies=True)
    async with FaultServer(profile) as server, Transport(timeout_s=10) as transport:
        endpoint = place(model.provider, f"{server.url}/v1", scope=VENDORS[model.provider].scope)
        notes: list[Note] = []
        runner = HttpAttemptRunner(
            builder=builder,
            # Two, as of two prompts.
            targets=dict.fromkeys(
                (1, 2),
                Target(**{"model": model, "endpoint": endpoint, "wire": WIRES["openai"], **(target or {})}),
            ),
            transport=transport,
            inputs=InputReader(builder, ConversionPool(10), None, notes.append),
            price=price,
            stream=stream,
            observer=notes.append,
            check=OutcomeCheck(
                StructuredOutput(compile_schema(SCHEMA)) if settings.schema and structured else None
            ),
            trace=trace,
        )
        yield Bench(runner, server, builder, notes)
        await runner.close()


def shaped(**more: Any) -> RequestSettings:
    return RequestSettings(prompts=(Prompt(name="", text="Read this."),), schema=SCHEMA, **more)


def about(path: Path, text: str = "Some words.") -> Call:
    path.write_text(text)
    return Call(id=1, model=1, input=Input(id=1, name=path.name, path=str(path), size=len(text)))


def failure_of(result: AttemptResult) -> Failure:
    assert isinstance(result.outcome, Failure)
    return result.outcome


# --- what is sent, and what it is known by ---------------------------------------------------


def test_an_answer_with_its_identity_content_and_cost(tmp_path: Path) -> None:
    async def main() -> None:
        async with serving(Behaviour(text="Fine.", input_tokens=30, output_tokens=4)) as bench:
            result = await bench.attempt(about(tmp_path / "a.txt"))
            assert isinstance(result.outcome, Reply)
            assert (result.outcome.text, result.cost_nusd) == ("Fine.", 34)
            assert result.content == content_hash(b"Some words.")
            assert result.key == bench.builder.key(MODEL, result.content, 1)
            assert 0 < result.timing.latency_s < 10
            (body,) = bench.bodies
            assert "Read this." in body["messages"][0]["content"]
            assert "Some words." in body["messages"][0]["content"]

    asyncio.run(main())


def test_the_question_is_made_anew_with_each_request_and_the_turns_follow_it(tmp_path: Path) -> None:
    async def main() -> None:
        async with serving() as bench:
            call = about(tmp_path / "a.txt")
            first = await bench.attempt(call)
            second = await bench.attempt(call, TURNS)
            one, two = (body["messages"] for body in bench.bodies)
            assert two[:1] == one
            assert [(turn["role"], turn["content"]) for turn in two[1:]] == [
                ("assistant", '{"title": 7}'),
                ("user", "title: 7 is not a string"),
            ]
            assert (second.key, second.content) == (first.key, first.content), "the same call"

    asyncio.run(main())


def test_a_streamed_answer_comes_in_pieces() -> None:
    async def main() -> None:
        async with serving(
            Behaviour(text="one two three four", chunks=4, chunk_gap_s=0.02), stream=True
        ) as bench:
            result = await bench.attempt(stream=True)
            assert isinstance(result.outcome, Reply)
            assert "".join(bench.pieces) == result.outcome.text == "one two three four"
            assert len(bench.pieces) > 1
            assert result.timing.ttft_s is not None

    asyncio.run(main())


def test_an_input_that_changed_since_it_was_found_is_sent_as_it_is_and_said(tmp_path: Path) -> None:
    async def main() -> None:
        async with serving() as bench:
            call = about(tmp_path / "a.txt")
            stale = Input(id=1, name="a.txt", path=str(tmp_path / "a.txt"), stamp="another")
            result = await bench.attempt(Call(id=1, model=1, input=stale))
            assert result.content == content_hash(b"Some words.")
            assert [note.text for note in bench.notes] == [
                "a.txt changed since the start; its present bytes are sent"
            ]
            assert call.input is not None

    asyncio.run(main())


@pytest.mark.parametrize("later", ["as it was", "other words", "gone"])
def test_an_answer_counts_as_to_a_cut_input_only_while_the_input_is_what_was_sent(
    tmp_path: Path, later: str
) -> None:
    """The bound is of the input as it is read again; of another one it would say nothing."""
    words = "word " * 4_000

    async def main() -> None:
        async with serving(Behaviour(input_tokens=1_000), stream=True) as bench:
            call = about(tmp_path / "a.txt", words)
            path = tmp_path / "a.txt"

            def change(piece: str) -> None:
                if later == "gone":
                    path.unlink(missing_ok=True)
                else:
                    path.write_text(words if later == "as it was" else words.upper())

            result = await bench.runner(call, (), change)
            assert isinstance(result.outcome, Reply)
            cut = later == "as it was"
            assert (CUT_INPUT in result.outcome.marks) is cut
            said = [note.text.partition(", ")[0] for note in bench.notes]
            assert said == ["openai:m read 1,000 tokens of a.txt"] * cut

    asyncio.run(main())


def test_the_stages_of_an_attempt_are_reported_where_that_is_asked_for() -> None:
    async def main() -> None:
        async with serving(trace=True) as bench:
            await bench.attempt()
            (note,) = bench.notes
            assert note.level == "debug"
            assert note.text.startswith("openai:m: prepared in ")
            assert "ended after" in note.text

    asyncio.run(main())


# --- answers that have to fit a schema -------------------------------------------------------


def test_an_answer_that_does_not_fit_ends_in_a_conversation_that_leads_to_one_that_does() -> None:
    wrong = Rule(behaviour=Behaviour(shaped="invalid", input_tokens=20, output_tokens=5), first=1)

    async def main() -> None:
        async with serving(None, wrong, settings=shaped()) as bench:
            first = await bench.attempt()
            assert isinstance(first.outcome, Continue)
            assert (first.outcome.failure.kind, first.cost_nusd) == (FailureKind.SCHEMA, 25)
            second = await bench.attempt(turns=first.outcome.turns)
            assert isinstance(second.outcome, Reply)
            assert second.outcome.data is not None
            assert second.outcome.marks == ("asked again",)
            assert [len(body["messages"]) for body in bench.bodies] == [2, 4], "with the system text"
            assert second.key == first.key

    asyncio.run(main())


@pytest.mark.parametrize("structured", [True, False])
def test_a_provider_that_rejects_the_answer_itself_is_asked_again(structured: bool) -> None:
    error = {
        "error": {
            "message": "Failed to validate JSON.",
            "code": "json_validate_failed",
            "failed_generation": '{"a":',
        }
    }
    rejecting = Behaviour(fault=400, body=json.dumps(error))

    async def main() -> None:
        async with serving(rejecting, settings=shaped(), structured=structured) as bench:
            result = await bench.attempt(turns=TURNS)
            assert isinstance(result.outcome, Continue)
            assert (result.outcome.failure.partial, result.outcome.failure.retry) == ('{"a":', True)
            assert result.cost_nusd == 0, "refused with an error status"
            # Without a schema of ours nothing is known of the faults: the same request goes again.
            assert len(result.outcome.turns) == (4 if structured else 2)
            assert result.outcome.turns[:2] == TURNS

    asyncio.run(main())


def test_a_long_answer_does_not_hold_up_the_others() -> None:
    broken = '{"title": ' + '{"a": ' * 30_000

    async def main() -> float:
        behaviour = Behaviour(shaped="ignore", text=broken)
        async with serving(behaviour, settings=shaped()) as bench:
            attempt = asyncio.create_task(bench.attempt())
            loop, longest = asyncio.get_running_loop(), 0.0
            while not attempt.done():
                before = loop.time()
                await asyncio.sleep(0.005)
                longest = max(longest, loop.time() - before)
            assert isinstance((await attempt).outcome, Continue)
            return longest

    assert asyncio.run(main()) < 1.0


# --- failures --------------------------------------------------------------------------------


def test_an_input_that_is_gone_fails_its_call_alone_and_is_not_asked_about(tmp_path: Path) -> None:
    async def main() -> None:
        async with serving() as bench:
            gone = Input(id=1, name="gone.txt", path=str(tmp_path / "gone.txt"))
            result = await bench.attempt(Call(id=1, model=1, input=gone))
            failure = failure_of(result)
            assert (failure.kind, failure.code) == (FailureKind.BAD_REQUEST, "unsupported_input")
            assert (failure.retry, failure.lane_down, result.cost_nusd) == (False, False, 0)
            assert bench.bodies == []

    asyncio.run(main())


def test_attachments_that_a_model_cannot_take_fail_its_calls() -> None:
    async def main() -> None:
        async with serving(target={"attached": InputError("plan.xyz can't be sent")}) as bench:
            failure = failure_of(await bench.attempt())
            assert (failure.message, failure.code) == ("plan.xyz can't be sent", "unsupported_input")
            assert bench.bodies == []

    asyncio.run(main())


class Faulty(OpenAIChat):
    """A wire with a bug."""

    def encode(
        self, request: Request, endpoint: Endpoint, dropped: frozenset[str] = frozenset()
    ) -> HttpRequest:
        raise ZeroDivisionError("a bug")


def test_a_fault_of_our_own_is_the_failure_of_its_call() -> None:
    async def main() -> None:
        async with serving(target={"wire": Faulty()}) as bench:
            result = await bench.attempt()
            failure = failure_of(result)
            assert (failure.code, failure.retry, result.cost_nusd) == ("internal", False, 0)
            assert "ZeroDivisionError" in failure.message

    asyncio.run(main())


class NoServer:
    """Starts no local server."""

    def using(self, model: str) -> Any:
        @asynccontextmanager
        async def fail() -> AsyncIterator[tuple[str, Secret]]:
            raise LocalModelError(f"{model} could not be started")
            yield "", Secret("")

        return fail()


def test_a_local_model_that_does_not_start_is_unavailable() -> None:
    async def main() -> None:
        async with serving(target={"local": NoServer()}) as bench:
            failure = failure_of(await bench.attempt())
            assert (failure.kind, failure.code) == (FailureKind.UNAVAILABLE, "local_model")
            assert failure.message == "m could not be started"

    asyncio.run(main())


def test_a_field_that_a_model_refuses_is_left_out_from_then_on() -> None:
    error = {"error": {"message": "Unsupported parameter: 'temperature'", "param": "temperature"}}
    refusing = Rule(behaviour=Behaviour(fault=400, body=json.dumps(error)), first=1)
    settings = RequestSettings(
        prompts=(Prompt(name="", text="Hi."),), parameters=Parameters(temperature=0.5, top_p=0.9)
    )

    async def main() -> None:
        async with serving(None, refusing, settings=settings) as bench:
            failure = failure_of(await bench.attempt())
            assert (failure.parameter, failure.retry) == ("temperature", True)
            for _ in range(2):
                assert isinstance((await bench.attempt()).outcome, Reply)
            assert [sorted(body.keys() & {"temperature", "top_p"}) for body in bench.bodies] == [
                ["temperature", "top_p"],
                ["top_p"],
                ["top_p"],
            ]
            assert [note.text for note in bench.notes] == [
                "openai:m does not take temperature; it is sent without"
            ]

    asyncio.run(main())


def test_a_field_that_is_refused_although_it_was_left_out_ends_the_call() -> None:
    error = {"error": {"message": "Unsupported parameter: 'temperature'", "param": "temperature"}}
    settings = RequestSettings(prompts=(Prompt(name="", text="Hi."),), parameters=Parameters(temperature=0.5))

    async def main() -> None:
        async with serving(Behaviour(fault=400, body=json.dumps(error)), settings=settings) as bench:
            assert failure_of(await bench.attempt()).retry
            assert not failure_of(await bench.attempt()).retry
            assert len(bench.notes) == 1

    asyncio.run(main())


def refusing_once(words: str, **fields: Any) -> Rule:
    body = json.dumps({"error": {"message": words, **fields}})
    return Rule(first=1, behaviour=Behaviour(fault=400, body=body))


def test_a_model_without_system_messages_gets_that_text_at_the_beginning_of_the_prompt() -> None:
    settings = RequestSettings(prompts=(Prompt(name="", text="Hi."),), system="Be brief.")

    async def main() -> None:
        async with serving(None, refusing_once("System role not supported"), settings=settings) as bench:
            assert failure_of(await bench.attempt()).retry
            for _ in range(2):
                assert isinstance((await bench.attempt()).outcome, Reply)
            assert [body["messages"] for body in bench.bodies[1:]] == [
                [{"role": "user", "content": "Be brief.\n\nHi."}]
            ] * 2
            assert [note.text for note in bench.notes] == [
                "openai:m does not take a system message; its text goes to the beginning of the prompt"
            ]

    asyncio.run(main())


@pytest.mark.parametrize("stream", [True, False], ids=["refused", "demanded"])
def test_where_answers_come_only_the_other_way_they_are_asked_for_that_way(stream: bool) -> None:
    words = (
        "Your organization must be verified to stream this model." if stream else "only supports streaming"
    )

    async def main() -> None:
        async with serving(None, refusing_once(words), stream=stream) as bench:
            assert failure_of(await bench.attempt()).retry
            for _ in range(2):
                assert isinstance((await bench.attempt()).outcome, Reply)
            assert [body.get("stream", False) for body in bench.bodies] == [stream, not stream, not stream]
            assert len(bench.notes) == 1

    asyncio.run(main())


def test_a_field_that_was_not_sent_is_no_reason_to_ask_again() -> None:
    async def main() -> None:
        for words in ("Unsupported parameter: 'seed'", "System role not supported", "'x' is not supported"):
            async with serving(None, refusing_once(words)) as bench:
                assert not failure_of(await bench.attempt()).retry
                assert bench.notes == []

    asyncio.run(main())


def test_what_one_prompt_learnt_about_a_model_the_others_know() -> None:
    settings = RequestSettings(prompts=(Prompt(name="", text="Hi."),), parameters=Parameters(seed=1))

    async def main() -> None:
        async with serving(None, refusing_once("seed is not supported"), settings=settings) as bench:
            assert failure_of(await bench.attempt()).retry
            assert isinstance((await bench.attempt(Call(id=2, model=2, input=None))).outcome, Reply)
            assert len(bench.notes) == 1

    asyncio.run(main())


# --- cost ------------------------------------------------------------------------------------

COSTS: Sequence[tuple[str, Behaviour, ModelRef, bool, int | None]] = [
    ("refused", Behaviour(fault=500), MODEL, False, 0),
    ("throttled", Behaviour(fault=429), MODEL, False, 0),
    ("cut off in a stream", Behaviour(fault="cut"), MODEL, True, None),
    ("cut off, free", Behaviour(fault="cut"), ModelRef("ollama", "m"), True, 0),
]


@pytest.mark.parametrize(
    ("behaviour", "model", "stream", "cost"), [row[1:] for row in COSTS], ids=[row[0] for row in COSTS]
)
def test_what_a_failed_attempt_costs(
    behaviour: Behaviour, model: ModelRef, stream: bool, cost: int | None
) -> None:
    async def main() -> None:
        async with serving(behaviour, model=model, stream=stream) as bench:
            result = await bench.attempt()
            assert isinstance(result.outcome, Failure)
            assert result.cost_nusd == cost

    asyncio.run(main())


@pytest.mark.parametrize(
    ("counts", "cost"),
    [
        ({"input_tokens": 0, "output_tokens": 0}, None),
        ({"input_tokens": 9, "output_tokens": 0}, None),
        ({"input_tokens": 0, "output_tokens": 9}, None),
        ({"input_tokens": 9, "output_tokens": 9}, 18),
    ],
)
@pytest.mark.parametrize("stream", [True, False])
def test_counts_of_0_beside_an_answer_are_no_counts(
    counts: dict[str, int], cost: int | None, stream: bool
) -> None:
    async def main() -> None:
        async with serving(Behaviour(**counts), stream=stream) as bench:
            result = await bench.attempt()
            assert isinstance(result.outcome, Reply)
            assert result.cost_nusd == cost

    asyncio.run(main())


def test_a_request_whose_tier_was_refused_and_left_out_is_a_standard_one() -> None:
    extra: dict[str, Any] = {"service_tier": "flex"}
    settings = RequestSettings(prompts=(Prompt(name="", text="Hi."),), parameters=Parameters(extra=extra))
    tiers: list[str | None] = []

    def price(usage: Usage, model: ModelRef) -> int:
        tiers.append(usage.service_tier)
        return 1

    async def main() -> None:
        refusal = refusing_once("Unsupported parameter: 'service_tier'")
        async with serving(None, refusal, settings=settings, price=price) as bench:
            assert failure_of(await bench.attempt()).retry
            assert isinstance((await bench.attempt()).outcome, Reply)
            assert "service_tier" not in bench.bodies[-1]

    asyncio.run(main())
    assert tiers == ["standard"]
