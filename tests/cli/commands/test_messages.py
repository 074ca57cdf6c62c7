"""Files of messages on the command line: run, shown before and after, and continued."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from provider import provider
from umwelten.simulate.faultserver.profile import Behaviour, Profile

CHAT = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "2+2?"},
    {"role": "assistant", "content": "4"},
    {"role": "user", "content": "3+3?"},
]
SHOWN = "User: 2+2?\n\nAssistant: 4\n\nUser: 3+3?"


@pytest.fixture
def server():
    with provider(Profile(keep_bodies=True)) as found:
        yield found


def test_a_file_of_messages_is_one_prompt_that_goes_on_by_itself(cli, server, tmp_path: Path) -> None:
    file = tmp_path / "chat.json"
    file.write_text(json.dumps(CHAT))
    words = ("eval", "run", "--prompts", "chat.json", "-m", "openai:a", "--progress", "none")
    code, out, err = cli(*words, "--dry-run", env=server.env())
    assert (code, SHOWN in out, "SYSTEM\nBe brief." in out) == (0, True, True), (out, err)
    with provider(Profile(default=Behaviour(fault=400))) as broken:
        code, _, err = cli(*words, "-i", "sums", env=broken.env())
    assert code == 1, err
    # The file is not read again: the messages are kept with the evaluation, the system's as well.
    file.unlink()
    code, _, err = cli("eval", "resume", "sums", env=server.env())
    assert code == 0, err
    assert [json.loads(record.body)["messages"] for record in server.idle().records] == [CHAT]
