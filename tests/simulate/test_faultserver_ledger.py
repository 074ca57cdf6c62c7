"""The fault server keeps its ledger straight, follows its rules, and runs and ends as a process."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import signal
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import openai
import pytest

from provider import KEYS, Provider, chat, contents, fetch, provider, provider_process, run_python
from umwelten.simulate.faultserver import (
    Behaviour,
    FaultServer,
    Profile,
    Rule,
    content_mark,
    digest,
    fingerprint,
    load_profile,
    parse_profile,
)

PNG = b"\x89PNG\r\n\x1a\n some pixels"


def openai_client(server: Provider, path: str = "/v1") -> openai.OpenAI:
    return openai.OpenAI(base_url=server.url + path, api_key=KEYS["OPENAI_API_KEY"], max_retries=0)


def gemini(server: Provider, verb: str, *parts: dict[str, object], key: str = "k") -> tuple[int, bytes]:
    url = f"{server.url}/v1beta/models/gem:{verb}"
    return fetch(url, contents(*parts), {"x-goog-api-key": key})[:2]


# --- what is asked, and the ledger -------------------------------------------------------------


def test_the_record_tells_prompt_model_system_and_key_but_never_the_key_itself() -> None:
    with provider() as server:
        with openai_client(server) as client:
            client.chat.completions.create(
                model="gpt",
                max_tokens=9,
                messages=[
                    {"role": "system", "content": "Be brief."},
                    {"role": "user", "content": "Read mark:page-7 and mark:page-8."},
                ],
            )
        ledger = server.idle()
        shown = fetch(server.url + "/_ledger")[1]
    (record,) = ledger.records
    assert (record.wire, record.model, record.system) == ("openai", "gpt", "Be brief.")
    assert record.prompt == "Read mark:page-7 and mark:page-8."
    assert record.marks == ["mark:page-7", "mark:page-8."]
    assert (record.stream, record.status, record.fate, record.max_tokens) == (False, 200, "answered", 9)
    assert record.key == fingerprint(KEYS["OPENAI_API_KEY"])
    assert KEYS["OPENAI_API_KEY"].encode() not in shown
    assert json.loads(shown)["records"][0]["prompt"] == record.prompt


def test_the_same_picture_has_the_same_mark_on_every_wire() -> None:
    data = base64.b64encode(PNG).decode()
    url = f"data:image/png;base64,{data}"
    with provider() as server:
        parts = [{"type": "text", "text": "Look"}, {"type": "image_url", "image_url": {"url": url}}]
        sent = {"model": "m", "messages": [{"role": "user", "content": parts}]}
        fetch(server.url + "/v1/chat/completions", sent)
        gemini(
            server,
            "generateContent",
            {"text": "Look"},
            {"inlineData": {"mimeType": "image/png", "data": data}},
        )
        source = {"type": "base64", "media_type": "image/png", "data": data}
        blocks = [{"type": "image", "source": source}, {"type": "text", "text": "Look"}]
        sent = {"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": blocks}]}
        fetch(server.url + "/v1/messages", sent, {"anthropic-version": "2023-06-01"})
        message = {"role": "user", "content": "Look", "images": [data]}
        body = fetch(server.url + "/api/chat", {"model": "m", "stream": False, "messages": [message]})[1]
        records = server.idle().records
    assert [record.wire for record in records] == ["openai", "gemini", "anthropic", "ollama"]
    for record in records:
        assert record.images == ["image/png"]
        assert (record.files[0].mark, record.files[0].size) == (content_mark(PNG), len(PNG))
        assert record.prompt == "Look"
    assert digest("Look", [PNG]) in json.loads(body)["message"]["content"]


def test_answers_differ_when_prompt_or_file_does() -> None:
    answers = {digest("a"), digest("b"), digest("a", [b"x"]), digest("a", [b"y"]), digest("a", [b"x", b"y"])}
    assert len(answers) == 5


def test_the_peak_is_the_most_that_were_in_flight_together() -> None:
    with provider(Profile(default=Behaviour(latency_s=0.15))) as server:
        url = server.url + "/v1/chat/completions"
        with ThreadPoolExecutor(7) as pool:
            list(pool.map(lambda n: fetch(url, chat(str(n), model=f"m{n % 2}")), range(7)))
        fetch(url, chat("alone"))
        ledger = server.idle()
    assert ledger.peak_in_flight == 7
    assert (ledger.models["m0"].peak_in_flight, ledger.models["m1"].peak_in_flight) == (4, 3)
    assert (ledger.requests, ledger.answered, ledger.in_flight) == (8, 8, 0)


def test_a_client_that_leaves_is_booked_as_abandoned() -> None:
    with provider(Profile(default=Behaviour(latency_s=30.0))) as server:
        body = msgspec.json.encode(chat("hi"))
        with socket.create_connection(("127.0.0.1", server.port)) as client:
            head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
            client.sendall(head.encode() + body)
            assert server.await_requests(1).in_flight == 1
        ledger = server.idle()
    assert (ledger.totals.abandoned, ledger.answered) == (1, 0)


def test_the_ledger_keeps_no_more_records_than_it_is_told() -> None:
    for keep, expected in ((2, ["3", "4"]), (0, [])):
        with provider(Profile(records=keep)) as server:
            for n in range(5):
                fetch(server.url + "/v1/chat/completions", chat(str(n)))
            ledger = server.idle()
        assert [record.prompt for record in ledger.records] == expected
        assert ledger.answered == 5


def test_reset_forgets_and_a_new_profile_holds_at_once() -> None:
    with provider() as server:
        url = server.url + "/v1/chat/completions"
        assert fetch(url, chat("hi"))[0] == 200
        assert fetch(server.url + "/_profile", {"default": {"fault": 500}})[0] == 200
        assert fetch(url, chat("hi"))[0] == 500
        assert fetch(server.url + "/_reset", {})[0] == 200
        assert server.ledger.requests == 0
        assert fetch(url, chat("hi"))[0] == 500
        assert fetch(server.url + "/_profile", {"defalt": {}})[0] == 400


def test_what_no_provider_would_accept_is_refused_in_the_words_of_the_wire() -> None:
    with provider(Profile(require_key=True, only_models=True, models=("m",))) as server:
        key = {"authorization": "Bearer k", "x-goog-api-key": "k", "x-api-key": "k"}
        url = server.url + "/v1/chat/completions"
        status, body, _ = fetch(url, chat("hi"))
        assert (status, json.loads(body)["error"]["code"]) == (401, "invalid_api_key")
        assert fetch(url, chat("hi", model="other"), key)[0] == 404
        assert fetch(url, {"model": "m"}, key)[0] == 400
        assert fetch(url, {"model": 3}, key)[0] == 400
        assert fetch(url, chat("hi"), key)[0] == 200
        status, body, _ = fetch(server.url + "/v1/messages", chat("hi", max_tokens=5), key)
        assert (status, json.loads(body)["error"]["type"]) == (400, "invalid_request_error")
        assert b"anthropic-version" in body
        assert fetch(server.url + "/nowhere")[0] == 404
        assert (server.ledger.requests, server.ledger.unreadable) == (1, 5)


# --- rules -------------------------------------------------------------------------------------


def statuses(profile: Profile, prompts: list[str]) -> list[int]:
    with provider(profile) as server:
        return [fetch(server.url + "/v1/chat/completions", chat(prompt))[0] for prompt in prompts]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"n": 3}, [200, 200, 500, 200, 200, 200]),
        ({"every": 2}, [200, 500, 200, 500, 200, 500]),
        ({"first": 2}, [500, 500, 200, 200, 200, 200]),
        ({"prompt": "b"}, [200, 500, 200, 200, 500, 200]),
        ({"prompt": "b", "first": 1}, [200, 500, 200, 200, 200, 200]),
        ({"first": 1, "counting": "prompt"}, [500, 500, 500, 200, 200, 200]),
        ({"model": "x*"}, [200] * 6),
        ({"wire": "open*"}, [500] * 6),
        ({"wire": "gemini"}, [200] * 6),
    ],
)
def test_a_rule_strikes_the_requests_that_it_names(rule: dict[str, Any], expected: list[int]) -> None:
    profile = Profile(rules=(Rule(behaviour=Behaviour(fault=500), **rule),))
    assert statuses(profile, ["a", "b", "c", "a", "b", "c"]) == expected


def test_the_first_rule_that_fits_wins() -> None:
    rules = (
        Rule(behaviour=Behaviour(fault=404), prompt="b"),
        Rule(behaviour=Behaviour(fault=500), first=1),
    )
    assert statuses(Profile(rules=rules), ["b", "a", "a"]) == [404, 500, 200]


def test_an_answer_says_what_its_template_says() -> None:
    text = '{"model": "{model}", "n": {n}, "of": "{marks}", "keep": "{other}"}'
    with provider(Profile(default=Behaviour(text=text))) as server:
        reply = json.loads(fetch(server.url + "/v1/chat/completions", chat("see mark:x"))[1])
    said = json.loads(reply["choices"][0]["message"]["content"])
    assert said == {"model": "m", "n": 1, "of": "mark:x", "keep": "{other}"}


@pytest.mark.parametrize(
    "text",
    [
        '{"default": {"fault": "hiccup"}}',
        '{"default": {"fault": 200}}',
        '{"default": {"chunks": 0}}',
        '{"rules": [{"every": 0, "behaviour": {}}]}',
        '{"rules": [{"every": 2}]}',
        '{"limiters": [{"kind": "bucket", "rates": 3}]}',
    ],
)
def test_a_profile_with_a_mistake_is_refused(text: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        parse_profile(text)


# --- as a process ------------------------------------------------------------------------------


def test_the_profile_in_the_documentation_can_be_read(tmp_path: Path) -> None:
    import umwelten.simulate.faultserver as package

    shown = (package.__doc__ or "").split("`simulate.profile`):")[1].split("While it runs")[0]
    path = tmp_path / "rehearsal.toml"
    path.write_text("\n".join(line.removeprefix("    ") for line in shown.splitlines()))
    profile = load_profile(path)
    assert (profile.models, profile.rules[0].every) == (("gpt-5.4", "gemini-flash"), 20)
    assert (profile.limiters[0].wire, profile.outages[0].fault) == ("openai", "reset_before")


def test_the_process_serves_counts_and_ends_with_its_input() -> None:
    with provider_process(Profile(default=Behaviour(text="{n}"))) as server:
        for _ in range(3):
            assert fetch(server.url + "/v1/chat/completions", chat("hi"))[0] == 200
        assert server.counts()["totals"]["answered"] == 3
        server.use(Profile(default=Behaviour(fault=500)))
        assert fetch(server.url + "/v1/chat/completions", chat("hi"))[0] == 500
        assert len(server.counts(records=True)["records"]) == 4
    assert server.process.returncode == 0


def test_the_process_ends_on_sigterm_with_requests_under_way(tmp_path: Path) -> None:
    path = tmp_path / "profile.toml"
    path.write_text('[default]\nfault = "hang"\n')
    command = [sys.executable, "-m", "umwelten.simulate.faultserver", "--profile", str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        port = json.loads(process.stdout.readline())["port"]
        with socket.create_connection(("127.0.0.1", port)) as client:
            body = msgspec.json.encode(chat("hi"))
            client.sendall(b"POST /api/chat HTTP/1.1\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body))
            os.kill(process.pid, signal.SIGTERM)
            assert process.wait(10) == 0


def test_a_profile_that_cannot_be_read_ends_the_process_with_2(tmp_path: Path) -> None:
    ran = run_python(["-m", "umwelten.simulate.faultserver", "--json", '{"defalt": 1}'], cwd=tmp_path)
    assert (ran.code, ran.out) == (2, "")
    assert "defalt" in ran.err


def test_the_server_runs_within_a_loop_and_only_on_loopback() -> None:
    async def run() -> tuple[str, int]:
        async with FaultServer(Profile()) as server:
            status, _, _ = await asyncio.to_thread(fetch, server.url + "/v1/models")
            return server.url, status

    url, status = asyncio.run(run())
    assert url.startswith("http://127.0.0.1:")
    assert status == 200


def test_lists_of_models_can_fail_too() -> None:
    with provider(Profile(listing=Behaviour(fault=401))) as server:
        for path in ("/v1/models", "/v1beta/models", "/api/tags", "/api/v1/models"):
            status, body, _ = fetch(server.url + path)
            assert status == 401
            assert json.loads(body)["error"]


# --- HTTP ----------------------------------------------------------------------------------------


def test_requests_on_one_connection_are_answered_in_order() -> None:
    body = msgspec.json.encode(chat("a", stream=False))
    second = msgspec.json.encode(chat("b", stream=False))
    head = b"POST /api/chat HTTP/1.1\r\nHost: x\r\n"
    halves = b"".join(b"%x\r\n%b\r\n" % (len(half), half) for half in (second[:10], second[10:]))
    sent = b"%bContent-Length: %d\r\n\r\n%b" % (head, len(body), body)
    sent += head + b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n" + halves + b"0\r\n\r\n"
    profile = Profile(
        default=Behaviour(text="[{prompt}]"),
        rules=(Rule(prompt="a", behaviour=Behaviour(text="[{prompt}]", latency_s=0.1)),),
    )
    with provider(profile) as server, socket.create_connection(("127.0.0.1", server.port)) as client:
        for at in range(0, len(sent), 30):
            client.sendall(sent[at : at + 30])
        heard = b""
        while piece := client.recv(65_536):
            heard += piece
    assert heard.count(b"HTTP/1.1 200 OK") == 2
    assert heard.index(b'"[a]"') < heard.index(b'"[b]"')


@pytest.mark.parametrize("sent", [b"hello\r\n\r\n", b"POST / HTTP/1.1\r\nContent-Length: many\r\n\r\n"])
def test_what_is_no_http_is_refused(sent: bytes) -> None:
    with provider() as server, socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(sent)
        assert client.recv(100).startswith(b"HTTP/1.1 400 ")
        assert client.recv(100) == b""


# --- what keeps tests in their place -----------------------------------------------------------


def test_no_test_reaches_another_machine(sealed: list[object]) -> None:
    for family, host in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        with socket.socket(family) as client, pytest.raises(RuntimeError, match="tried to connect"):
            client.connect((host, 80))
    assert len(sealed) == 2
    sealed.clear()


def test_a_child_sees_no_key_of_its_parent(tmp_path: Path) -> None:
    os.environ["OPENAI_API_KEY"] = "sk-real"
    script = "import os; print(os.environ.get('OPENAI_API_KEY'), os.environ.get('OLLAMA_HOST'))"
    assert run_python(["-c", script], cwd=tmp_path, env={"OLLAMA_HOST": "h"}).out == "None h\n"
