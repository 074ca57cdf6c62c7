"""Tracebacks in a few words."""

from __future__ import annotations


def last_place(traceback: str) -> str:
    """Return `rates.py, line 9, in rate`: where an exception was raised; "" if that is not known."""
    places = [line.strip() for line in traceback.splitlines() if line.lstrip().startswith('File "')]
    return places[-1].removeprefix('File "').replace('",', ",", 1) if places else ""


def last_words(traceback: str) -> str:
    """Return the last line that is not empty: the exception and its message."""
    return next((line.strip() for line in reversed(traceback.splitlines()) if line.strip()), "")
