"""Stop sequences: each wire's own field, from the command line, `umwelten.toml` and the library."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import umwelten
from conftest import Cli
from provider import KEYS, provider
from umwelten.providers.protocol import Endpoint
from umwelten.providers.vendors import VENDORS
from umwelten.providers.wires import WIRES
from umwelten.types import ModelRef, Parameters, Request, Secret
from wirekit import KEY, body_of, user

FIELDS = {
    "openai": ("stop",),
    "google": ("generationConfig", "stopSequences"),
    "anthropic": ("stop_sequences",),
    "ollama": ("options", "stop"),
}


def _body(name: str, stop: tuple[str, ...] | None, dropped: frozenset[str] = frozenset()) -> dict[str, Any]:
    vendor = VENDORS[name]
    endpoint = Endpoint(vendor=vendor, base_url=vendor.base_url, api_key=Secret(KEY))
    request = Request(
        model=ModelRef(name, "m"), messages=(user("hi"),), parameters=Parameters(temperature=0, stop=stop)
    )
    return body_of(WIRES[vendor.wire].encode(request, endpoint, dropped))


def _field(body: dict[str, Any], path: tuple[str, ...]) -> Any:
    for name in path:
        body = body.get(name, {})
    return body or None


@pytest.mark.parametrize("name", FIELDS)
def test_every_wire_has_its_own_field(name: str) -> None:
    assert _field(_body(name, ("\n\n", "END")), FIELDS[name]) == ["\n\n", "END"]
    assert _field(_body(name, None), FIELDS[name]) is None


@pytest.mark.parametrize("name", FIELDS)
def test_a_model_that_refuses_them_is_asked_without(name: str) -> None:
    assert _field(_body(name, ("END",), frozenset({"stop"})), FIELDS[name]) is None


def test_flags_settings_and_arguments_mean_the_same(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "umwelten.toml").write_text('[profiles.short]\nstop = ["\\n", "END"]\n')
    with provider() as server:
        one = ["eval", "run", "-p", "hi", "-m", "openai:a"]
        assert cli(*one, "-i", "flag", "--stop", "\n", "--stop", "END", env=server.env()).code == 0
        assert cli(*one, "-i", "file", "--profile", "short", env=server.env()).code == 0
        for variable, value in {**server.env(), **KEYS}.items():
            monkeypatch.setenv(variable, value)
        monkeypatch.chdir(tmp_path)
        umwelten.run("hi", "openai:a", id="library", stop=["\n", "END"], stream=True).wait()
        umwelten.run("hi", "openai:a", id="none", stream=True).wait()
        # One text is one sequence, blanks and all.
        umwelten.run("hi", "openai:a", id="one", stop=" ", stream=True).wait()
        server.idle()
    reports = [json.loads(cli("eval", "report", name, "--format", "json").out) for name in ("flag", "file")]
    assert [dict(report["settings"]["parameters"])["stop"] for report in reports] == ['["\\n","END"]'] * 2
    none, one_blank = (
        dict(json.loads(cli("eval", "report", name, "--format", "json").out)["settings"]["parameters"])
        for name in ("none", "one")
    )
    assert "stop" not in none
    assert one_blank["stop"] == '[" "]'


def test_another_sequence_is_another_setting(cli: Cli) -> None:
    with provider() as server:
        one = ["eval", "run", "-p", "hi", "-m", "openai:a", "-i", "a"]
        assert cli(*one, "--stop", "END", env=server.env()).code == 0
        assert cli(*one, "--stop", "END", "--resume", env=server.env()).code == 0
        code, _, err = cli(*one, "--stop", "STOP", "--resume", env=server.env())
        assert code == 2
        assert "stop" in err
        assert server.idle().requests == 1


def test_an_empty_sequence_is_refused(cli: Cli) -> None:
    code, _, err = cli("eval", "run", "-p", "hi", "-m", "openai:a", "--stop", "")
    assert code == 2
    assert "--stop" in err
