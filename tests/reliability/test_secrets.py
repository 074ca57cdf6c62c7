"""Keys are sent and never told: not in files, not on screens, not in what a provider says about them."""

from __future__ import annotations

import base64
import json
from pathlib import Path

from provider import KEYS, provider
from reliability.leaks import leaks
from reliability.runs import finish, start, write_texts
from umwelten.simulate.faultserver.profile import Behaviour, Profile, Rule

MODELS = {
    "openai": ("openai:a", "OPENAI_API_KEY"),
    "gemini": ("google:g", "GOOGLE_GENERATIVE_AI_API_KEY"),
    "anthropic": ("anthropic:c", "ANTHROPIC_API_KEY"),
    "openrouter": ("openai/router", "OPENROUTER_API_KEY"),
}


def _basic(key: str) -> str:
    return base64.b64encode(f"user:{key}".encode()).decode()


def test_no_file_that_the_tests_left_holds_a_key(tmp_path: Path) -> None:
    """Every wire, with a provider that repeats the key it was given, and all said that can be said."""
    write_texts(tmp_path, 8)
    for wire, (model, name) in MODELS.items():
        key = KEYS[name]
        rules = (
            Rule(prompt="number 0000", behaviour=Behaviour(fault=400, message=f"Bad request with {key}")),
            Rule(prompt="number 0001", behaviour=Behaviour(fault=500, body=f"<h1>{key}</h1>")),
            Rule(
                prompt="number 0002",
                behaviour=Behaviour(fault="error_in_200", message=f"with {key}", error_status=500),
            ),
            Rule(prompt="number 0003", behaviour=Behaviour(fault="reset_body")),
            Rule(
                prompt="number 0005", behaviour=Behaviour(text=f"It is {key}.", headers={"x-request-id": key})
            ),
            Rule(
                prompt="number 0006",
                behaviour=Behaviour(fault=400, code=key, headers={"request-id": f"Basic {_basic(key)}"}),
            ),
            Rule(
                prompt="number 0007",
                behaviour=Behaviour(
                    fault=400, body=json.dumps({"error": {"message": f"Unsupported parameter: '{key}'"}})
                ),
            ),
            Rule(prompt="number 0004", behaviour=Behaviour(fault=401, message=f"Incorrect API key: {key}")),
        )
        progress = "json" if wire == "gemini" else "plain"
        flags = ("--debug", "--verbose", "--retries", "1", "--progress", progress, "--overwrite")
        with (
            provider(Profile(rules=rules)) as server,
            start(tmp_path, server.env(), *flags, models=model) as process,
        ):
            out, err = process.communicate(timeout=60)
        (tmp_path / f"said-{wire}").write_text(out + err)
        assert process.returncode == 3, err
    assert leaks(tmp_path) == []


def test_a_leak_would_be_found(tmp_path: Path) -> None:
    key = KEYS["OPENAI_API_KEY"]
    (tmp_path / "plain.db").write_bytes(b"\0\0" + key.encode() + b"\0")
    (tmp_path / ".env").write_text(f"OPENAI_API_KEY={key}\n")
    assert leaks(tmp_path) == [(tmp_path / "plain.db", "OPENAI_API_KEY")]
    (tmp_path / "plain.db").unlink()


def test_a_key_in_a_message_is_blotted_out_and_the_rest_is_kept(tmp_path: Path) -> None:
    write_texts(tmp_path, 1)
    key = KEYS["OPENAI_API_KEY"]
    refuse = Profile(default=Behaviour(fault=400, message=f"The key {key} may not use this model."))
    with provider(refuse) as server, start(tmp_path, server.env()) as process:
        code, err = finish(process)
    assert code == 1
    assert "The key *** may not use this model." in " ".join(err.split())
