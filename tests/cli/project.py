"""A project folder to complete in, and an `umwelten` that tells what it was called with."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from store.making import files, never, spec
from umwelten.store.store import Store
from umwelten.types import ModelRef

TOML = """
[groups]
fast = ["ollama:gemma3:12b", "local:smollm2"]
[providers.mycluster]
wire = "openai"
base_url = "https://llm.example.com/v1"
[profiles.nightly]
prompt = "hi"
[variants.cool]
temperature = 0
[tools]
office = ["calculator", "rates.py"]
[mcp.clock]
command = ["mcp-server-time"]
"""


def make_project(root: Path) -> Path:
    """A folder with an umwelten.toml, texts, a question and two evaluations, one with a model of its own."""
    root.mkdir(parents=True)
    (root / "umwelten.toml").write_text(TOML)
    (root / "texts").mkdir()
    (root / "question.txt").write_text("Why?")
    (root / "two words.txt").write_text("both")
    (root / "rates.py").write_text("raise SystemExit('completion ran a file of tools')")
    add_evaluation(root / "output" / "reviews-1", ["mine:some-model"], ["page-1.jpg", "page 2.jpg"])
    add_evaluation(root / "output" / "tides", ["local:smollm2"], [])
    (root / "output" / "no-evaluation").mkdir()
    (root / "output" / ".memory").mkdir()
    (root / "output" / ".memory" / "people.db").touch()
    return root


def add_evaluation(folder: Path, models: list[str], inputs: list[str]) -> None:
    """An evaluation that was planned and not run yet; without models it has one of no interest here."""
    refs = [ModelRef(*name.split(":", 1)) for name in models or ["other:model"]]
    with Store.create(folder, spec(*refs)) as store:
        if inputs:
            store.set_inputs(files(*inputs), read_hash=never)
        else:
            store.set_no_inputs()


def telling_command(folder: Path) -> Path:
    """An executable `umwelten` that completes as the real one does, and else prints `<each><argument>`."""
    folder.mkdir(parents=True)
    path = folder / "umwelten"
    path.write_text(
        "#!/bin/sh\n"
        f'if [ -n "$_UMWELTEN_COMPLETE" ]; then exec {sys.executable} -m umwelten; fi\n'
        "printf '<%s>' \"$@\"; echo '<end>'\n"
    )
    path.chmod(0o755)
    return path


def environment(root: Path) -> dict[str, str]:
    """A user without settings of their own."""
    return {
        "PATH": f"{root / 'bin'}:{os.environ['PATH']}",
        "HOME": str(root / "home"),
        "XDG_CONFIG_HOME": str(root / "home" / ".config"),
        "UMWELTEN_CACHE_DIR": str(root / "cache"),
        "LANG": "C.UTF-8",
        "TERM": "xterm",
        **{name: os.environ[name] for name in ("PYTHONPATH",) if name in os.environ},
    }
