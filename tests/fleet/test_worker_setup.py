"""What a worker is told and what it is not: keys, and what only the coordinator can do."""

from __future__ import annotations

import pickle
from base64 import b64encode
from pathlib import Path
from typing import Any

import pytest

from provider import KEYS
from umwelten.api.argument_names import as_argument
from umwelten.cli.flag_names import as_flag
from umwelten.config.options import OPTIONS
from umwelten.config.settings import load
from umwelten.errors import ConfigError, UsageError
from umwelten.fleet.interfaces import NothingSent
from umwelten.fleet.packing import pack, unpack
from umwelten.fleet.worker_keys import KeyRing, SecretPlace, hidden_variables
from umwelten.fleet.worker_runner import HttpWorkerRunner
from umwelten.fleet.worker_setup import (
    PackedSpelling,
    WorkerSetup,
    check_targets,
    loopback_notes,
    packed_spelling,
)
from umwelten.phrases import by_name
from umwelten.types import Call, ModelRef, Prompt, Reply, RequestSettings, Secret
from workerkit import Case, pair, run

WORDS = RequestSettings(prompts=(Prompt(name="", text="Read this."),))
ALONE = Call(id=1, model=1, input=None)
EVERY = tuple(ModelRef(name, "m") for name in ("openai", "google", "openrouter", "anthropic", "ollama"))


def spellings(secret: str) -> list[bytes]:
    """A secret as it is, in hexadecimal, and in base64 wherever its bytes begin."""
    data = secret.encode()
    return [
        data,
        data.hex().encode(),
        *(b64encode(b"x" * shift + data)[4 if shift else 0 :][:-4] for shift in range(3)),
    ]


@pytest.mark.parametrize("ship", [False, True])
def test_no_key_is_in_any_message_unless_keys_are_sent(tmp_path: Path, ship: bool) -> None:
    async def main() -> None:
        case = Case(WORDS, models=EVERY)
        # What the workers' environment has is that of one machine, or nothing.
        own = {} if ship else None
        async with pair(tmp_path, case, worker_environ=own, ship=ship) as both:
            for model in both.targets:
                result = await both.both(Call(id=model, model=model, input=None))
                assert isinstance(result.outcome, Reply), result.outcome
            told = b"".join(both.carrier.frames)
            assert both.setup in told
            for secret in KEYS.values():
                shown = [spelling for spelling in spellings(secret) if spelling in told]
                assert bool(shown) is ship
                assert not any(spelling in both.setup for spelling in spellings(secret))

    run(main)


def test_a_cluster_of_a_run_gets_no_key_of_anybody(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("GOOGLE_API_KEY=of-the-file-1\nINTERNAL_TOKEN=of-the-file-2\n")
    (tmp_path / "umwelten.toml").write_text('[providers.mine]\nlike = "openai"\napi_key_env = "MINE"\n')
    environ = {
        "MINE": "of-a-provider-1",
        "ANTHROPIC_API_KEY": "unused-1",
        "AWS_SECRET_ACCESS_KEY": "unused-2",
        "COPY": "x of-the-file-2",
        "COPIED": "of-the-file-1",
        "HTTPS_PROXY": "http://proxy:1",
        "PATH": "/bin",
    }
    hidden = hidden_variables({}, load(tmp_path, environ, profile=None), environ)
    assert environ.keys() - hidden == {"HTTPS_PROXY", "PATH"}


def test_a_worker_without_a_key_says_which_variable_it_lacks(tmp_path: Path) -> None:
    async def main() -> None:
        with pytest.raises(ConfigError) as raised:
            async with pair(tmp_path, Case(WORDS, models=EVERY[:2]), worker_environ={}):
                pass
        assert "OPENAI_API_KEY" in str(raised.value)
        assert "GOOGLE_GENERATIVE_AI_API_KEY" in str(raised.value)

    run(main)


def test_keys_are_looked_up_in_the_order_of_one_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".env").write_text("A=of-the-file\nB=of-the-file\n")
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / ".env").write_text("C=of-a-project\n")
    monkeypatch.chdir(tmp_path / "project")
    ring = KeyRing({"HOME": str(tmp_path), "A": "of-the-environment", "D": "  "})

    def found(*names: str) -> str | None:
        key = ring.find(SecretPlace(names=names))
        return None if key is None else key[1].reveal()

    assert (found("A"), found("B"), found("C"), found("D")) == (
        "of-the-environment",
        "of-the-file",
        None,
        None,
    )
    assert found("D", "C", "B", "A") == "of-the-file"
    ring.add({"B": "sent"})
    assert found("B") == "sent"
    assert "of-the" not in repr(ring)
    ring.add({"E": "two words"})
    with pytest.raises(ConfigError, match="the key in E holds a blank") as raised:
        found("E")
    assert "two words" not in str(raised.value)


def test_an_address_that_holds_what_is_not_shown_is_a_secret_too(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("OPENAI_BASE_URL=http://127.0.0.1:${PORT}/test-token-4711/v1\n")

    async def main() -> None:
        case = Case(WORDS, environ={"OPENAI_BASE_URL": "", "UMWELTEN_TRUST": "1"})
        async with pair(tmp_path, case, ship=True) as both:
            assert b"test-token-4711" not in both.setup
            await both.both(ALONE)
            told = b"".join(both.carrier.frames)
            assert b"test-token-4711" in told, "with the keys, as the user let them be sent"

    run(main)


def test_values_that_hold_a_secret_cannot_be_packed() -> None:
    for value in (Secret("test-key"), {"key": Secret("test-key")}, ("\udce9", Secret("test-key"))):
        with pytest.raises(TypeError, match="Secret"):
            pack(value)
    with pytest.raises(TypeError):
        pickle.dumps(Secret("test-key"))


@pytest.mark.parametrize("spelling", [by_name, as_flag, as_argument])
def test_options_are_called_as_the_coordinator_calls_them(spelling: Any) -> None:
    packed = unpack(pack(packed_spelling(spelling)), PackedSpelling)
    for name in OPTIONS:
        for value in (None, "yes", "no", "text", "VALUES"):
            assert packed(name, value) == spelling(name, value), name
    assert packed("no_such_option") == "no_such_option"


def test_models_of_this_machine_alone_are_refused_by_name() -> None:
    class Target:
        model, local = ModelRef("local", "qwen3-4b"), object()

    with pytest.raises(UsageError, match="local:qwen3-4b"):
        check_targets({1: Target()})  # type: ignore[dict-item]


def test_an_address_of_each_machine_itself_is_told(tmp_path: Path) -> None:
    async def main() -> None:
        case = Case(WORDS, environ={"OPENAI_BASE_URL": "https://llm.example.com/v1"}, models=EVERY[:2])
        async with pair(tmp_path, case) as both:
            (note,) = loopback_notes(both.targets)
            assert note.startswith(f"google is reached at http://127.0.0.1:{both.server.port}")

    run(main)


class Host:
    """Remembers what it is told, and lets nothing be sent once `is_cut_off`."""

    about = None

    def __init__(self) -> None:
        self.kept: list[bytes] = []
        self.is_cut_off = False

    def note(self, text: str, level: Any) -> None:
        pass

    def keep(self, contents: Any) -> None:
        self.kept += [digest for digest, _ in contents]

    def on_connected(self, lane: str, took_s: float) -> None:
        pass

    def on_refused(self, model: str, address: str, fields: tuple[str, ...]) -> None:
        pass

    def may_send(self) -> bool:
        return not self.is_cut_off

    async def supply(self) -> None:
        return None

    async def wanted(self) -> Any:
        raise AssertionError("nothing is wanted for a call without an input")


def test_nothing_is_sent_once_it_is_forbidden_and_contents_are_told_once(tmp_path: Path) -> None:
    async def main() -> None:
        case = Case(RequestSettings(prompts=(Prompt(name="", text="Read this. " * 100),)))
        async with pair(tmp_path, case) as both:
            host = Host()
            runner = HttpWorkerRunner(unpack(both.setup, WorkerSetup), host, KeyRing(KEYS))
            try:
                for _ in range(3):
                    await runner(ALONE, (), None, "openai:gpt-5.4-mini", host)
                assert len(host.kept) == len(set(host.kept)) == 2
                host.is_cut_off = True
                before = both.server.ledger.requests
                with pytest.raises(NothingSent):
                    await runner(ALONE, (), None, "openai:gpt-5.4-mini", host)
                assert both.server.ledger.requests == before == 3
                assert runner.room >= 1
            finally:
                await runner.close()

    run(main)
