"""Who is measured: how each is found, and the command that makes it do a piece of work."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

HERE = Path(__file__).parent
PEERS = Path(os.environ.get("BENCH_PEERS", HERE.parent.parent / ".bench"))
PROMPT = "Say something."


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What every contestant is given: `calls` short texts to ask about, `in_flight` at a time at most.

    `folder` is empty and its own. `images`: the inputs are pictures of so many bytes instead of texts.
    `hidden_limit`: the provider may refuse, so whoever adapts to that is told to. `auto`: umwelten is to
    find the level by itself, up to `in_flight`.
    """

    url: str
    folder: Path
    calls: int
    in_flight: int
    stream: bool = False
    images: int = 0
    hidden_limit: bool = False
    auto: bool = False
    options: tuple[str, ...] = ("--progress", "plain")
    """Flags of umwelten alone."""

    @property
    def names(self) -> list[str]:
        """The names of the inputs."""
        ending = "jpg" if self.images else "txt"
        return [f"{n:06}.{ending}" for n in range(self.calls)]

    def texts(self) -> Path:
        """A file with one question a line, for those that read no folders."""
        path = self.folder / "texts"
        lines = self.names if self.images else [f"{PROMPT} {_text(n)}" for n in range(self.calls)]
        path.write_text("\n".join(lines) + "\n")
        return path

    def inputs(self) -> Path:
        """A folder with one file a call."""
        path = self.folder / "in"
        path.mkdir()
        for n, name in enumerate(self.names):
            data = b"\xff\xd8\xff\xe0" + os.urandom(self.images) if self.images else _text(n).encode()
            (path / name).write_bytes(data)
        return path


@dataclass(frozen=True, slots=True, kw_only=True)
class Contestant:
    """`missing` says why it cannot be measured here, `command` writes what it needs and starts it."""

    name: str
    missing: Callable[[], str | None]
    command: Callable[[Work], tuple[list[str], dict[str, str]]]


def environment(work: Work) -> dict[str, str]:
    """What children see: no key or proxy of the user's, and nobody calls home."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "PYTHONPATH") if name in os.environ}
    return kept | {
        "HOME": str(work.folder),
        "OPENAI_BASE_URL": work.url,
        "OPENAI_API_KEY": "bench",
        "NO_COLOR": "1",
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "INSPECT_DISABLE_MODEL_INFO_UPDATE": "1",
        "PROMPTFOO_DISABLE_TELEMETRY": "1",
        "PROMPTFOO_DISABLE_UPDATE": "1",
        "PROMPTFOO_DISABLE_REMOTE_GENERATION": "1",
        "PROMPTFOO_SELF_HOSTED": "1",
        "PROMPTFOO_CONFIG_DIR": str(work.folder / "promptfoo"),
    }


def _umwelten(work: Work) -> tuple[list[str], dict[str, str]]:
    pattern = "*.jpg" if work.images else "*.txt"
    most = "auto" if work.auto else str(work.in_flight)
    command = [sys.executable, "-m", "umwelten", "eval", "batch", "-p", PROMPT, "-m", "openai:small"]
    command += ["-i", "bench", "--directory", str(work.inputs()), "--file-pattern", pattern]
    command += ["--max-concurrency", most, "--stream" if work.stream else "--no-stream", *work.options]
    if work.auto:
        command += ["--provider-concurrency", f"openai={work.in_flight}"]
    return command, environment(work)


def _umwelten_tools(work: Work) -> tuple[list[str], dict[str, str]]:
    # As many tools at once as calls, as in inspect_ai, which has no limit for them.
    tools = ("--tools", str(HERE / "look.py"), "--tool-concurrency", str(work.calls))
    return _umwelten(replace(work, options=(*work.options, *tools)))


def _script(python: Path, script: str) -> Callable[[Work], tuple[list[str], dict[str, str]]]:
    def command(work: Work) -> tuple[list[str], dict[str, str]]:
        how = "stream" if work.stream else "unary"
        images = str(work.inputs()) if work.images else ""
        line = [
            str(python),
            str(HERE / script),
            work.url,
            str(work.texts()),
            str(work.in_flight),
            how,
            images,
        ]
        return line, environment(work)

    return command


def _inspect(work: Work) -> tuple[list[str], dict[str, str]]:
    return _inspect_runs("inspect_task.py", work, "--max-samples", str(work.calls))


def _inspect_tools(*options: str) -> Callable[[Work], tuple[list[str], dict[str, str]]]:
    return lambda work: _inspect_runs("inspect_tools.py", work, *options)


def _inspect_runs(task: str, work: Work, *options: str) -> tuple[list[str], dict[str, str]]:
    most = str(work.in_flight)
    limit = ["--adaptive-connections", most] if work.hidden_limit else ["--max-connections", most]
    shutil.copy(HERE / task, work.folder)  # it takes relative paths alone
    command = [str(PEERS / "inspect/bin/inspect"), "eval", task, *limit, *options]
    command += ["--model", "openai/small", "-M", "responses_api=false"]
    command += [
        "--display",
        "none",
        "--no-score",
        "--no-fail-on-error",
        "--log-dir",
        str(work.folder / "logs"),
    ]
    return command, environment(work) | {"BENCH_TEXTS": str(work.texts())}


def _promptfoo(work: Work) -> tuple[list[str], dict[str, str]]:
    config = {
        "prompts": ["{{text}}"],
        "providers": [
            {"id": "openai:chat:small", "config": {"apiBaseUrl": work.url, "apiKey": "bench"}},
        ],
        "tests": [{"vars": {"text": text}} for text in work.texts().read_text().splitlines()],
    }
    path = work.folder / "promptfooconfig.json"
    path.write_text(json.dumps(config))
    command = [str(PEERS / "promptfoo/node_modules/.bin/promptfoo"), "eval", "-c", str(path)]
    command += ["-j", str(work.in_flight), "--no-cache", "--no-table", "--no-progress-bar", "--no-share"]
    return command, environment(work)


def _needs(path: str) -> Callable[[], str | None]:
    return lambda: None if (PEERS / path).exists() else f"{PEERS / path} is not there (make bench-peers)"


def _python_has(module: str) -> Callable[[], str | None]:
    return lambda: None if importlib.util.find_spec(module) else f"{module} is not installed"


PYTHON = Path(sys.executable)
UMWELTEN = Contestant(name="umwelten", missing=lambda: None, command=_umwelten)
FLOOR = Contestant(name="bare aiohttp", missing=lambda: None, command=_script(PYTHON, "bare.py"))
OPENAI = Contestant(
    name="openai SDK", missing=_python_has("openai"), command=_script(PYTHON, "openai_gather.py")
)
LITELLM = Contestant(
    name="litellm",
    missing=_needs("litellm/bin/litellm"),
    command=_script(PEERS / "litellm/bin/python", "litellm_gather.py"),
)
INSPECT = Contestant(name="inspect_ai", missing=_needs("inspect/bin/inspect"), command=_inspect)
PROMPTFOO = Contestant(
    name="promptfoo", missing=_needs("promptfoo/node_modules/.bin/promptfoo"), command=_promptfoo
)
ALL = (UMWELTEN, FLOOR, OPENAI, LITELLM, INSPECT, PROMPTFOO)

TOOLS = (
    Contestant(name="umwelten", missing=UMWELTEN.missing, command=_umwelten_tools),
    Contestant(name="inspect_ai", missing=INSPECT.missing, command=_inspect_tools()),
    # A sample keeps its place while its tools run, and by default there are as many places as connections.
    *(
        Contestant(
            name=f"inspect_ai, {places} samples at a time",
            missing=INSPECT.missing,
            command=_inspect_tools("--max-samples", str(places)),
        )
        for places in (60, 200)
    ),
)
"""The same with tools: models call `look`, which takes a second."""


def _text(n: int) -> str:
    return f"Text number {n} tells of a river, a mill and the {n % 97} people who live beside them."
