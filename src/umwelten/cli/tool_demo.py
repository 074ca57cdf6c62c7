"""`umwelten tools demo`: one question, with its steps as they happen."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import TextIO

import click

from umwelten.cli.flag_names import as_flag
from umwelten.cli.runner import leave, watch
from umwelten.config.endpoints import vendors
from umwelten.config.settings import load
from umwelten.evaluation.build_spec import build_spec
from umwelten.evaluation.evaluation import Evaluation
from umwelten.events import CallFailed, CallSucceeded, Event, StepEnded, ToolEnded, ToolStarted
from umwelten.phrases import Wording, spell
from umwelten.text.formatting import count
from umwelten.text.sanitize import one_line, safe
from umwelten.tool_calls import ToolCallState

_SHOWN = 200
"""Characters of arguments and results that are shown."""


def demonstrate(model: str, prompt: str, tools: str, servers: tuple[str, ...], max_steps: str | None) -> None:
    """Ask, show, and end the process with the exit status."""
    with tempfile.TemporaryDirectory(prefix="umwelten-demo-") as folder:
        settings = load(Path.cwd(), os.environ).with_flags(
            {
                "models": (model,),
                "prompt": prompt,
                "tools": (tools,),
                "mcp": servers,
                "max_steps": max_steps,
                "output_dir": folder,
                "id": "demo",
                "max_concurrency": "1",
                "engine": "local",
            },
            as_flag,
        )
        with settings.concealing():
            known, notes = vendors(settings), list[Wording](settings.notes)
            spec = build_spec("run", settings, known, notes)
            for note in notes:
                click.echo(f"note: {safe(settings.conceal(spell(note, as_flag)))}", err=True)
            status = watch(Evaluation.prepare(spec, settings, known, as_flag), StepPrinter(sys.stdout))
    leave(status)


class StepPrinter:
    """An observer that prints the steps of calls, and the answer."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def __call__(self, event: Event) -> None:
        match event:
            case StepEnded():
                self._print(f"step {event.step}: calls {count(len(event.tools), 'tool')}")
            case ToolStarted():
                self._print(f"  {event.tool}({one_line(event.arguments, _SHOWN)})")
            case ToolEnded():
                failed = event.state != ToolCallState.DONE
                what = f"{event.state}: " if failed else ""
                took = "" if event.took_s is None else f"  ({event.took_s:.2f} s)"
                self._print(f"  {event.tool} = {what}{one_line(event.text, _SHOWN)}{took}")
            case CallSucceeded():
                usage = event.reply.usage
                if usage.input_tokens is not None and usage.output_tokens is not None:
                    self._print(f"{usage.input_tokens:,} tokens in, {usage.output_tokens:,} out")
                self._print(f"\n{safe(event.reply.text)}")
            case CallFailed():
                click.echo(f"Error: {safe(event.failure.message)}", err=True)
            case _:
                pass

    def _print(self, text: str) -> None:
        print(text, file=self._out, flush=True)
