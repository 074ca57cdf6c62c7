"""What was changed in a run, in words."""

from __future__ import annotations

from typing import Any

from umwelten.records import ChangeKey


def change_words(key: str, old: Any, new: Any, scope: str = "") -> str:
    """Return what a change was, given its values of JSON.

    >>> change_words("max_concurrency", 200, 40)
    'max-concurrency 200 → 40'
    """
    of = f" of {scope}" if scope else ""
    match key:
        case ChangeKey.PAUSE:
            seconds = new.get("for_s") if isinstance(new, dict) else None
            return f"paused{f' {scope}' if scope else ''}{'' if seconds is None else f' for {seconds:g} s'}"
        case ChangeKey.RESUME:
            return f"resumed{f' {scope}' if scope else ''}"
        case ChangeKey.STOP:
            return "stopped at once" if new == "now" else "stopped"
        case ChangeKey.RETRY:
            return f"retried {new:,} failed {'call' if new == 1 else 'calls'}{f' ({scope})' if scope else ''}"
        case ChangeKey.CANCEL:
            return f"cancelled call {scope}"
        case _:
            return f"{key.replace('_', '-')}{of} {_value(old)} → {_value(new)}"


def author_words(via: str, author: str = "", reason: str = "") -> str:
    """Return who changed it and why: `ctl, ada: too many refusals`."""
    who = ", ".join(word for word in (via, author) if word)
    return f"{who}: {reason}" if reason else who


def _value(value: Any) -> str:
    return "off" if value is None else str(value)
