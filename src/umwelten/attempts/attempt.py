"""An attempt under way, and what is told of it afterwards."""

from __future__ import annotations

import msgspec

from umwelten.attempts.target import Target
from umwelten.attempts.upload_cache import CachedUpload
from umwelten.types import Call, Outcome, Request, Timing, Turn


class Attempt(msgspec.Struct):
    """An attempt under way. The fields in `dropped` are left out of its request; `stream`: it is streamed.

    Set when the input was read: `content`, the hash of its bytes, `kept`, the hash of the question where it
    is kept, `prepared_s`, the `characters` sent, and
    `outline`, the request with all its fields but without the messages. `uploads` are the files at the
    provider that it uses. `sent` False: the request never went out.
    `about` is what the conversation is about so far, as `content`, where that must not have changed.
    """

    call: Call
    turns: tuple[Turn, ...]
    target: Target
    dropped: frozenset[str]
    stream: bool
    outline: Request | None = None
    content: bytes = b""
    kept: bytes = b""
    characters: int = 0
    prepared_s: float = 0.0
    uploads: list[CachedUpload] = []
    sent: bool = True
    about: bytes | None = None


def trace(attempt: Attempt, answer: Outcome, timing: Timing) -> str:
    """Describe the stages of an attempt, and what its reply stated about rate limits."""
    call, model = attempt.call, attempt.target.model
    subject = f"{model} {call.input.name}" if call.input else str(model)
    stages = [f"prepared in {attempt.prepared_s * 1e3:.1f} ms"]
    if timing.ttft_s is not None:
        stages.append(f"first text after {timing.ttft_s:.3f} s")
    stages.append(f"ended after {timing.latency_s:.3f} s")
    for budget in answer.hints.budgets:
        left = "?" if budget.remaining is None else f"{budget.remaining:g}"
        limit = "?" if budget.limit is None else f"{budget.limit:g}"
        reset = "" if budget.reset_s is None else f", again in {budget.reset_s:.3g} s"
        stages.append(f"{budget.resource} {left} of {limit} left{reset}")
    if answer.hints.retry_after_s is not None:
        stages.append(f"asked to wait {answer.hints.retry_after_s:.3g} s")
    return f"{subject}: {'; '.join(stages)}"
