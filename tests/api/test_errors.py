"""What the user must mend is raised where the job is used; failed calls are answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

import umwelten
from provider import Profile, Provider
from umwelten.simulate.faultserver.profile import Behaviour

pytestmark = pytest.mark.usefixtures("server")


@pytest.mark.parametrize(
    ("ask", "error", "says"),
    [
        (lambda: umwelten.run("", "openai:a"), umwelten.UsageError, "the prompt is empty"),
        (lambda: umwelten.run("hello"), umwelten.UsageError, 'Give models="provider:model"'),
        (lambda: umwelten.run("hello", "gpt"), umwelten.UsageError, "A model is written provider:model"),
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
            "directory, files, rows and from_",
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


def test_an_id_that_is_taken_is_an_error_that_names_the_arguments() -> None:
    umwelten.run("hello", "openai:a", id="taken").wait()
    with pytest.raises(umwelten.EvaluationExists, match="resume=True goes on with it, overwrite=True starts"):
        umwelten.run("hello", "openai:a", id="taken").wait()


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
