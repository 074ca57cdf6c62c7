"""A provider on this machine, and an empty working directory, for every test of the library."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from provider import Profile, Provider, provider
from umwelten.simulate.faultserver.profile import Behaviour, Rule

SLOW_S = 0.4


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    """Models named `slow` take a while, those named `broken` fail; all others answer at once."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", os.devnull)
    rules = (
        Rule(model="slow", behaviour=Behaviour(latency_s=SLOW_S)),
        Rule(model="broken", behaviour=Behaviour(fault=400, message="no such thing")),
    )
    with provider(Profile(rules=rules, keep_bodies=True)) as running:
        for name, value in running.env().items():
            monkeypatch.setenv(name, value)
        yield running
