"""The 26 commands that are promised to work as written, against a provider on this machine."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
from PIL import Image

from provider import provider
from umwelten.simulate.faultserver.profile import Behaviour, Profile

LATENCY = Profile(default=Behaviour(latency_s=0.05))

# id, command, calls, most in flight
RUNS = [
    (
        "quantum-comparison",
        'eval run --prompt "Explain quantum computing in simple terms" '
        '--models "ollama:gemma3:12b,ollama:llama3.2:latest,google:gemini-2.0-flash" '
        '--id "quantum-comparison" --concurrent',
        3,
        5,
    ),
    (
        "google-comparison",
        'eval run --prompt "Compare the moons of Jupiter" '
        '--models "google:gemini-2.0-flash,google:gemini-2.5-pro" --id "google-comparison" --concurrent --max-concurrency 20',
        2,
        20,
    ),
    (
        "openrouter-comparison",
        'eval run --prompt "Explain relativity" --models "openai/gpt-4o,anthropic/claude-3.7-sonnet" '
        '--id "openrouter-comparison" --concurrent --max-concurrency 5',
        2,
        5,
    ),
    (
        "ollama-comparison",
        'eval run --prompt "Write a haiku" --models "ollama:gemma3:12b,ollama:qwen2.5:7b" '
        '--id "ollama-comparison" --concurrent --max-concurrency 3',
        2,
        3,
    ),
    (
        "fibonacci-comparison",
        'eval run --prompt "Write a function for Fibonacci numbers" '
        '--models "ollama:gemma3:12b, google:gemini-2.0-flash, openai/gpt-4o, openrouter:mistralai/mistral-large, ollama:codestral:latest" '
        '--id "fibonacci-comparison" --concurrent --max-concurrency 5',
        5,
        5,
    ),
    (
        "mixed-provider-eval",
        'eval run --prompt "Name three rivers" --models "google:gemini-2.0-flash,ollama:gemma3:12b,openai/gpt-4o-mini" '
        '--id "mixed-provider-eval" --concurrent --max-concurrency 5',
        3,
        5,
    ),
    (
        "rate-limit-test",
        'eval run --prompt "Test prompt" --models "openai/gpt-4o,anthropic/claude-3.7-sonnet" '
        '--id "rate-limit-test" --concurrent --max-concurrency 2',
        2,
        2,
    ),
    (
        "network-test",
        'eval run --prompt "Test prompt" --models "google:gemini-2.0-flash,openai/gpt-4o" '
        '--id "network-test" --concurrent --max-concurrency 3 --verbose',
        2,
        3,
    ),
    (
        "load-balanced",
        'eval run --prompt "Balance this" --models "google:gemini-2.0-flash,ollama:gemma3:12b,openai/gpt-4o" '
        '--id "load-balanced" --concurrent --max-concurrency 6',
        3,
        6,
    ),
]

# id, command, words that the message holds
REFUSED = [
    (
        "conservative-test",
        'eval run --prompt "Test" --models "model1,model2,model3" --id "conservative-test" --concurrent --max-concurrency 2',
        ["model1", "provider:model"],
    ),
    (
        "optimized-test",
        'eval run --prompt "Test" --models "model1,model2,model3" --id "optimized-test" --concurrent --max-concurrency 5',
        ["model1", "provider:model"],
    ),
    (
        "bare-20",
        'eval run --models "google:gemini-2.0-flash,google:gemini-2.5-pro" --concurrent --max-concurrency 20',
        ["--prompt"],
    ),
    ("bare-5", 'eval run --models "openai/gpt-4o" --concurrent --max-concurrency 5', ["--prompt"]),
    ("bare-3", 'eval run --models "ollama:gemma3:12b" --concurrent --max-concurrency 3', ["--prompt"]),
    (
        "debug-test",
        'eval run --prompt "your-prompt" --models "your-models" --id "debug-test" --concurrent --max-concurrency 3 '
        "--verbose --debug",
        ["your-models", "provider:model"],
    ),
]

# id, command, calls, most in flight
BATCHES = [
    (
        "image-analysis",
        'eval batch --prompt "Describe this image" --models "google:gemini-2.0-flash,ollama:qwen2.5vl:latest" '
        '--id "image-analysis" --directory input/images --file-pattern "*.jpg" --concurrent',
        6,
        5,
    ),
    (
        "batch-test",
        'eval batch --prompt "Analyse this file" --models "google:gemini-2.0-flash,ollama:gemma3:12b" --id "batch-test" '
        '--directory input/files --file-pattern "*.txt" --concurrent --max-concurrency 10',
        8,
        10,
    ),
    (
        "large-image-dataset",
        'eval batch --prompt "Classify" --models "google:gemini-2.0-flash,google:gemini-2.5-pro" --id "large-image-dataset" '
        '--directory input/dataset --file-pattern "*.jpg" --concurrent --max-concurrency 10 --max-files 1000',
        12,
        10,
    ),
    (
        "progress-test",
        'eval batch --prompt "Summarise" --models "google:gemini-2.0-flash" --id "progress-test" '
        '--directory input/files --file-pattern "*.txt" --concurrent --verbose',
        4,
        5,
    ),
    (
        "sequential-test",
        'eval batch --prompt "Summarise" --models "google:gemini-2.0-flash" --id "sequential-test" '
        '--directory input/files --file-pattern "*.txt"',
        4,
        1,
    ),
    (
        "concurrent-test",
        'eval batch --prompt "Summarise" --models "google:gemini-2.0-flash" --id "concurrent-test" '
        '--directory input/files --file-pattern "*.txt" --concurrent --max-concurrency 5',
        4,
        5,
    ),
    (
        "resource-test",
        'eval batch --prompt "Summarise" --models "google:gemini-2.0-flash" --id "resource-test" '
        '--directory input/files --file-pattern "*.txt" --concurrent --max-concurrency 10',
        4,
        10,
    ),
    (
        "resume-test",
        'eval batch --prompt "Summarise" --models "google:gemini-2.0-flash" --id "resume-test" '
        '--directory input/files --file-pattern "*.txt" --concurrent --max-concurrency 5 --resume',
        4,
        5,
    ),
    (
        "memory-test",
        'eval batch --prompt "Describe" --models "google:gemini-2.0-flash" --id "memory-test" '
        '--directory input/images --file-pattern "*.jpg" --concurrent --max-concurrency 1',
        3,
        1,
    ),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The directories that the commands name."""
    for name, count in (("images", 3), ("dataset", 6)):
        (tmp_path / "input" / name).mkdir(parents=True)
        for n in range(count):
            Image.new("RGB", (16, 16), (n * 40, 80, 160)).save(tmp_path / "input" / name / f"scan{n}.jpg")
    (tmp_path / "input" / "files").mkdir()
    for n in range(4):
        (tmp_path / "input" / "files" / f"note{n}.txt").write_text(f"This is note number {n}.\n")
    return tmp_path


def _report(cli, id_: str) -> dict:
    code, out, err = cli("eval", "report", "--id", id_, "--format", "json")
    assert code == 0, err
    return json.loads(out)


@pytest.mark.parametrize(
    ("id_", "command", "calls", "most"),
    RUNS + BATCHES,
    ids=lambda v: v if isinstance(v, str) and " " not in v else "",
)
def test_a_command_runs_as_written(cli, folder, id_, command, calls, most):
    with provider(LATENCY) as server:
        code, _out, err = cli(*shlex.split(command), env=server.env())
        assert code == 0, err
        assert server.ledger.requests == calls
        assert server.ledger.peak_in_flight <= most
    report = _report(cli, id_)
    assert report["summary"]["succeeded"] == report["summary"]["calls"] == calls
    assert report["summary"]["peak_in_flight"] <= most
    assert len({(r["model"], r["file"], r["repeat"]) for r in report["results"]}) == calls
    assert all(r["status"] == "succeeded" and r["response"] for r in report["results"])
    texts = list((folder / "output" / id_).rglob("*.txt"))
    assert len(texts) == calls


@pytest.mark.parametrize(
    ("id_", "command", "words"), REFUSED, ids=lambda v: v if isinstance(v, str) and " " not in v else ""
)
def test_a_command_with_placeholders_is_refused_with_advice(cli, folder, id_, command, words):
    with provider(LATENCY) as server:
        code, out, err = cli(*shlex.split(command), env=server.env())
        assert server.ledger.requests == 0
    assert code == 2
    assert out == ""
    for word in words:
        assert word in err
    assert not (folder / "output").exists()


def test_resume_skips_what_is_done(cli, folder):
    command = next(c for name, c, _, _ in BATCHES if name == "resume-test")
    with provider(LATENCY) as server:
        assert cli(*shlex.split(command), env=server.env())[0] == 0
        first = server.ledger.requests
        code, _, err = cli(*shlex.split(command), env=server.env())
        assert code == 0, err
        assert server.ledger.requests == first == 4


def test_text_extraction_then_text_analysis(cli, folder):
    extract = (
        'eval batch --prompt "Extract the text" --models "google:gemini-2.0-flash" --id "text-extraction" '
        '--directory input/images --file-pattern "*.jpg" --concurrent --max-concurrency 10'
    )
    analyse = (
        'eval batch --prompt "Analyse this text" --models "google:gemini-2.0-flash,ollama:gemma3:12b" --id "text-analysis" '
        '--directory output/text-extraction --file-pattern "*.txt" --concurrent --max-concurrency 5'
    )
    with provider(LATENCY) as server:
        code, _, err = cli(*shlex.split(extract), env=server.env())
        assert code == 0, err
        assert sorted(p.name for p in (folder / "output/text-extraction").glob("*.txt")) == [
            "scan0.jpg.txt",
            "scan1.jpg.txt",
            "scan2.jpg.txt",
        ]
        code, _, err = cli(*shlex.split(analyse), env=server.env())
        assert code == 0, err
        assert server.ledger.requests == 3 + 6
        assert server.ledger.peak_in_flight <= 10
    answers = sorted(p.name for p in (folder / "output/text-analysis").glob("*.txt"))
    assert len(answers) == 6
    assert "scan0.jpg.txt.google_gemini-2.0-flash.txt" in answers
