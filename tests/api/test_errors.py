"""What the user must mend is raised where the job is used; failed calls are answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import umwelten
from provider import Profile, Provider
from umwelten.events import Note, RunFinished
from umwelten.simulate.faultserver.profile import Behaviour

pytestmark = pytest.mark.usefixtures("server")


@pytest.mark.parametrize(
    ("ask", "error", "says"),
    [
        (lambda: umwelten.run("", "openai:a"), umwelten.UsageError, "the prompt is empty"),
        (lambda: umwelten.run("hello"), umwelten.UsageError, 'Give models="provider:model"'),
        (lambda: umwelten.run("hello", "gpt"), umwelten.UsageError, "Write a model as provider:model"),
        (lambda: umwelten.run("hello", "groq:m"), umwelten.ConfigError, "GROQ_API_KEY"),
        (lambda: umwelten.run("hello", "openai:a", id=".x"), umwelten.UsageError, "cannot be an id"),
        (lambda: umwelten.run("hello", "openai:a", temperature=5), umwelten.UsageError, "temperature: 5"),
        (lambda: umwelten.run("hello", "openai:a", timeout_s=0), umwelten.UsageError, "timeout_s: 0"),
        (
            lambda: umwelten.run("hello", "openai:a", max_concurrency=0),
            umwelten.UsageError,
            "max_concurrency",
        ),
        (
            lambda: umwelten.run("hello", "openai:a", provider_concurrency={"opnai": 1}),
            umwelten.UsageError,
            "Did you mean openai?",
        ),
        (lambda: umwelten.run("hello", "openai:a", resume=True), umwelten.UsageError, "need an id"),
        (
            lambda: umwelten.run("hello", "openai:a", id="x", resume=True, overwrite=True),
            umwelten.UsageError,
            "exclude each other",
        ),
        (lambda: umwelten.run("hello", "openai:a", attach="no.txt"), umwelten.InputError, "no.txt"),
        (
            lambda: umwelten.batch("hello", "openai:a"),
            umwelten.UsageError,
            "directory, files, rows or from_",
        ),
        (lambda: umwelten.batch("hello", "openai:a", directory="no"), umwelten.InputError, "no"),
        (
            lambda: umwelten.batch("hello", "openai:a", files=["a.txt"], file_pattern="*.txt"),
            umwelten.UsageError,
            "file_pattern goes with directory, not with files",
        ),
    ],
)
def test_what_must_be_mended_is_raised_where_the_job_is_used(
    ask: Callable[[], umwelten.Job[Any]], error: type[Exception], says: str, server: Provider
) -> None:
    job = ask()
    with pytest.raises(error) as raised:
        job.wait()
    assert says in str(raised.value)
    assert "--" not in str(raised.value)

    async def main() -> None:
        await ask()

    with pytest.raises(error):
        asyncio.run(main())
    with pytest.raises(error):
        list(ask())
    assert server.ledger.requests == 0


@pytest.mark.parametrize(
    ("ask", "message", "hint", "argument"),
    [
        (
            lambda: umwelten.batch("hello", "openai:a", directory="data/run--final"),
            "no such directory: data/run--final",
            None,
            "directory",
        ),
        (
            lambda: umwelten.batch("hello", "openai:a", directory="texts", file_pattern="*--draft.txt"),
            "no file in texts matches '*--draft.txt': it contains 1 .txt, such as 'deep--er.txt'",
            None,
            None,
        ),
        (
            lambda: umwelten.batch("hello", "openai:a", directory="texts/deep--er.txt"),
            "not a directory: texts/deep--er.txt",
            "Use files for single files.",
            "directory",
        ),
        (
            lambda: umwelten.batch("hello", "openai:a", from_="--draft", where="length > 3"),
            "there is no evaluation '--draft' in output",
            "umwelten eval list shows the evaluations.",
            "from_",
        ),
        (
            lambda: umwelten.run("hello {{row.--x}}", "openai:a", timeout_s=9, temperature="--hot"),
            "temperature: '--hot' is not allowed",
            "Give a number from 0 to 2.",
            "temperature",
        ),
        (
            lambda: umwelten.batch("a {{row.--x}}", "openai:a", files="texts/deep--er.txt"),
            "{{row.--x}} in the prompt: no rows to fill it in from. "
            "Known: {{content}}, {{file.name}}, {{file.path}}",
            "Give a table with rows; write \\{{…}} for the literal text.",
            None,
        ),
    ],
)
def test_what_the_user_wrote_is_quoted_as_it_is(
    ask: Callable[[], umwelten.Job[Any]], message: str, hint: str | None, argument: str | None
) -> None:
    Path("texts").mkdir()
    Path("texts/deep--er.txt").write_text("hello")
    with pytest.raises(umwelten.UmweltenError) as raised:
        ask().wait()
    assert (raised.value.message, raised.value.hint) == (message, hint)
    assert raised.value.argument == argument


def test_what_cannot_be_sent_says_so_in_python_in_the_answer_too(server: Provider) -> None:
    Path("a--b.txt").write_bytes(b"PAR1" + bytes(50) + b"PAR1")
    [answer] = umwelten.batch("hello", "openai:a", files="a--b.txt").wait()
    assert answer.error is not None
    assert answer.error.message == (
        "a--b.txt is a Parquet table, which can't be sent. Use rows to run over its rows."
    )


def test_a_reason_to_stop_names_arguments() -> None:
    Path("umwelten.toml").write_text('[prices."openai:a"]\ninput = 1.0\noutput = 1000.0\n')
    ends = []
    results = umwelten.run(
        "hello",
        "openai:a",
        repeat=3,
        max_tokens=100,
        max_cost=0.001,
        on_event=lambda event: ends.append(event) if isinstance(event, RunFinished) else None,
    ).wait()
    assert results.status == "stopped"
    assert results.reason == (
        "$0.00 is spent and the next call could cost up to $0.10, which would pass max_cost $0.001; "
        "lower max_tokens or raise the cap"
    )
    [end] = ends
    assert (end.status, end.reason, end.reason_code) == ("stopped", results.reason, "max_cost")


def test_reports_name_arguments(server: Provider) -> None:
    server.use(Profile(default=Behaviour(fault=500)))
    results = umwelten.run("hello", "openai:a", retries=0, report="at-the-end.md").wait()
    results.report("afterwards.html")
    for name in ("at-the-end.md", "afterwards.html"):
        assert "resume=True tries these calls again" in Path(name).read_text("utf-8")


def test_notes_name_arguments() -> None:
    notes = []
    umwelten.run(
        "hello",
        "openai:a,openai:a",
        provider_concurrency={"openai": 2},
        on_event=lambda event: notes.append(event.text) if isinstance(event, Note) else None,
    ).wait()
    assert "openai:a is listed twice but called once; use repeat to call it more often" in notes
    assert "up to 2 calls in flight, from provider_concurrency; max_concurrency sets it" in notes


def test_an_id_that_is_taken_is_an_error_that_names_the_arguments() -> None:
    umwelten.run("hello", "openai:a", id="taken").wait()
    with pytest.raises(
        umwelten.EvaluationExists, match="resume=True continues it, overwrite=True starts over"
    ):
        umwelten.run("hello", "openai:a", id="taken", resume=False).wait()


def test_changed_settings_do_not_mix_answers() -> None:
    umwelten.run("hello", "openai:a", id="taken").wait()
    with pytest.raises(umwelten.EvaluationChanged):
        umwelten.run("goodbye", "openai:a", id="taken", resume=True).wait()


def test_two_jobs_on_one_id_are_refused(server: Provider) -> None:
    async def main() -> list[Any]:
        first = asyncio.ensure_future(umwelten.run("hello", "openai:slow", id="one", resume=True))
        await asyncio.to_thread(server.await_requests, 1)
        second = umwelten.run("hello", "openai:slow", id="one", resume=True)
        return await asyncio.gather(first, second, return_exceptions=True)

    first, second = asyncio.run(main())
    assert len(first) == 1
    assert isinstance(second, umwelten.EvaluationBusy)


def test_a_failed_call_is_an_answer_with_an_error() -> None:
    results = umwelten.run("hello", "openai:broken,openai:a").wait()
    failed, good = results
    assert not failed.ok
    assert failed.text is None
    assert failed.error is not None
    assert failed.error.kind == "bad_request"
    assert "no such thing" in failed.error.message
    assert good.ok
    assert good.error is None
    assert results.status == "failed"
    assert results.summary.errors == {"bad_request": 1}
    assert [answer.model for answer in results.failures] == ["openai:broken"]
    assert [answer.model for answer in results.answers] == ["openai:a"]


def test_a_refused_key_stops_the_run_and_says_why(server: Provider) -> None:
    server.use(Profile(default=Behaviour(fault=401, message="that key is revoked")))
    results = umwelten.run("hello", "openai:a", repeat=3).wait()
    assert results.status == "stopped"
    assert results.reason is not None
    assert "that key is revoked" in results.reason
    assert results.summary.pending == 3


def test_an_unknown_argument_is_a_type_error() -> None:
    with pytest.raises(TypeError, match="temprature"):
        umwelten.run("hello", "openai:a", temprature=0)  # type: ignore[call-overload]
