"""Addresses of providers that were pasted with too much, or lead to something else than the API."""

from __future__ import annotations

import pytest

from provider import provider
from reliability.listeners import listener

RUN = ("eval", "run", "-p", "hi", "-m", "openai:a", "-i", "f", "--no-stream")
NOT_THERE = b'HTTP/1.1 404 Not Found\r\nContent-Length: 22\r\n\r\n{"detail":"Not Found"}'


def words(text: str) -> str:
    return " ".join(text.split())


def test_the_path_of_a_call_that_was_pasted_along_is_left_out_with_a_note(cli):
    with provider() as server:
        env = server.env()
        pasted = env["OPENAI_BASE_URL"] + "/chat/completions"
        code, _, err = cli(*RUN, env={**env, "OPENAI_BASE_URL": pasted})
    assert code == 0
    assert f"the address in OPENAI_BASE_URL is read as {env['OPENAI_BASE_URL']}" in words(err)


@pytest.mark.parametrize("pasted", ["/v1?key=hunter2hunter2", "/v1beta/models/m:generateContent"])
def test_what_cannot_be_meant_ends_it_before_anything_starts(cli, tmp_path, pasted):
    env = {"OPENAI_BASE_URL": "https://llm.example" + pasted, "OPENAI_API_KEY": "k-123456789"}
    code, _, err = cli(*RUN, env=env)
    assert code == 2
    assert "OPENAI_BASE_URL" in err and "hunter2" not in err
    assert not (tmp_path / "output").exists()


def test_a_server_without_the_api_at_its_path_stops_the_lane_and_names_the_variable(cli):
    with listener(NOT_THERE) as server:
        env = {"OPENAI_BASE_URL": f"http://127.0.0.1:{server.port}", "OPENAI_API_KEY": "k-123456789"}
        code, _, err = cli(*RUN, "--repeat", "9", env=env)
    assert (code, server.connections) == (3, 1)
    assert f"check the address in OPENAI_BASE_URL (127.0.0.1:{server.port})" in words(err)
    assert "most end in /v1" in words(err) and "models list" not in err


def test_a_page_in_place_of_an_answer_is_no_trouble_of_the_provider(cli):
    page = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 19\r\n\r\n<title>Home</title>"
    with listener(page) as server:
        env = {"OPENAI_BASE_URL": f"http://127.0.0.1:{server.port}", "OPENAI_API_KEY": "k-123456789"}
        code, _, err = cli(*RUN, "--retries", "0", env=env)
    assert code == 1
    assert f"check the address in OPENAI_BASE_URL (127.0.0.1:{server.port})" in words(err)


def test_a_socks_proxy_ends_it_before_anything_starts(cli, tmp_path):
    env = {"OPENAI_BASE_URL": "https://llm.example/v1", "OPENAI_API_KEY": "k-123456789"}
    code, _, err = cli(*RUN, env={**env, "ALL_PROXY": "socks5h://me:hunter2@127.0.0.1:1080"})
    assert code == 2
    assert "SOCKS proxies are not supported" in err and "ALL_PROXY" in err and "hunter2" not in err
    assert not (tmp_path / "output").exists()


def test_a_proxy_that_is_down_stops_the_lane_and_is_named(cli):
    env = {"OPENAI_BASE_URL": "https://llm.example/v1", "OPENAI_API_KEY": "k-123456789"}
    code, _, err = cli(*RUN, "--repeat", "9", env={**env, "https_proxy": "http://me:hunter2@127.0.0.1:1"})
    assert code == 3
    assert "the proxy 127.0.0.1:1 (https_proxy) refused the connection" in words(err)
    assert "check the proxy that the message names" in words(err)
    assert "check the address" not in err and "hunter2" not in err


def test_lists_of_models_go_the_same_way(cli):
    env = {"OPENAI_API_KEY": "k-123456789", "HTTPS_PROXY": "socks5://127.0.0.1:1080"}
    code, _, err = cli("models", "list", "--provider", "openai", env=env)
    assert code == 2 and "HTTPS_PROXY is a SOCKS proxy" in err
    code, _, err = cli("models", "list", env=env)
    assert code == 0 and "openai: HTTPS_PROXY is a SOCKS proxy" in words(err)
