"""How an evaluation stands, in words for people. Programs are given `EvaluationStatus`."""

from __future__ import annotations

from umwelten.report.queries.status import EvaluationStatus

_WORDS = {
    EvaluationStatus.COMPLETE: "done",
    EvaluationStatus.FAILED: "done",
    EvaluationStatus.INCOMPLETE: "stopped",
}


def status_text(status: str, *, failed: int, pending: int, reason: str | None = None) -> str:
    """Return `done, 335 failed`, `stopped, 12 pending: the cost cap is reached`, `interrupted, 3 pending`.

    A run whose calls all ended is done, however many failed. `reason` is why the latest run ended early; it
    is foreign text.
    """
    word = next((word for known, word in _WORDS.items() if known == status), status)
    failures = f", {failed:,} failed" if failed else ""
    left = f", {pending:,} pending" if pending and status != EvaluationStatus.RUNNING else ""
    return f"{word}{failures}{left}{f': {reason}' if reason else ''}"
