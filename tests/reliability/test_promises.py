"""The table of promises names tests that exist."""

from __future__ import annotations

from reliability.promises import missing


def test_every_promise_names_tests_that_exist() -> None:
    assert missing() == []
