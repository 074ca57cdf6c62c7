"""`umwelten view` and `umwelten eval ratings` as commands."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
from urllib.parse import urlsplit

import pytest

from report.making import two_models
from umwelten.report.queries.call_pages import call_page
from umwelten.store.archive import export, take_in
from umwelten.store.copying import copy
from umwelten.store.ratings.ratings import rate, ratings
from umwelten.store.reader import Reader
from umwelten.store.removal import remove


@pytest.fixture
def rated(tmp_path):
    two_models(tmp_path / "demo")
    with Reader.open(tmp_path / "demo") as reader:
        first, second, *_ = call_page(reader).calls
        rate(reader, first.call, scale="1-5", value=4, comment="good")
        rate(reader, second.call, scale="pass/fail", value=1, comment="")
    return tmp_path / "demo"


def test_the_command_prints_the_address_serves_it_and_ends_with_ctrl_c(tmp_path):
    two_models(tmp_path / "demo")
    command = [sys.executable, "-m", "umwelten", "view", "demo", "--output-dir", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        parts = urlsplit(process.stdout.readline().strip())
        assert (parts.scheme, parts.hostname, parts.path) == ("http", "127.0.0.1", "/e/demo")
        connection = http.client.HTTPConnection("127.0.0.1", parts.port, timeout=10)
        connection.request("GET", f"{parts.path}?{parts.query}")
        assert connection.getresponse().status == 303
        connection.close()
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0
        assert "Traceback" not in process.stderr.read()


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--host", "0.0.0.0"], "--token-file"),
        (["--host", "0.0.0.0", "--origin", "https://a.example"], "--token-file"),
        (["--origin", "a.example"], "no origin"),
        (["nothing"], "no evaluation 'nothing'"),
        (["../demo"], "cannot be an id"),
    ],
)
def test_what_is_refused_names_what_to_do(tmp_path, cli, flags, said):
    two_models(tmp_path / "demo")
    ran = cli("view", *flags, "--output-dir", str(tmp_path))
    assert ran.code == 2 and said in ran.err


def test_a_token_that_others_could_have_written_or_is_short_is_refused(tmp_path, cli):
    two_models(tmp_path / "demo")
    path = tmp_path / "token"
    path.write_text("short")
    path.chmod(0o600)
    assert "holds no token" in cli("view", "--token-file", str(path), "--output-dir", str(tmp_path)).err
    path.write_text("x" * 64)
    path.chmod(0o666)
    assert "cannot be used" in cli("view", "--token-file", str(path), "--output-dir", str(tmp_path)).err


def test_ratings_are_exported_by_scale(rated, cli, tmp_path):
    out = tmp_path / "labels.csv"
    ran = cli("eval", "ratings", "demo", "-o", str(out), "--scale", "1-5", "--output-dir", str(tmp_path))
    assert ran.code == 0 and "1 rating on another scale left out" in ran.err
    assert out.read_text().splitlines()[1] == "a.txt,ollama:gemma3:12b,,1,4,good"
    ran = cli("eval", "ratings", "demo", "--output-dir", str(tmp_path))
    assert ran.out.splitlines() == [
        "file,model,prompt,repeat,label,reason",
        "a.txt,google:gemini-2.5-flash,,1,pass,",
    ]
    two_models(tmp_path / "other")
    ran = cli("eval", "ratings", "other", "--output-dir", str(tmp_path))
    assert ran.code == 2 and "umwelten view other" in ran.err


def test_ratings_go_with_their_evaluation(rated, tmp_path):
    copy(rated, tmp_path / "copy")
    with Reader.open(tmp_path / "copy") as reader:
        assert len(ratings(reader)) == 2
    export([rated], tmp_path / "demo.zip", umwelten="1")
    take_in(tmp_path / "demo.zip", tmp_path / "elsewhere")
    with Reader.open(tmp_path / "elsewhere" / "demo") as reader:
        assert len(ratings(reader)) == 2
    assert remove([rated])[0].left == ()
    assert not os.path.lexists(rated)
