"""`umwelten tools`: list, show, test, demo."""

from __future__ import annotations

import click

from umwelten.cli.command_group import CommandGroup
from umwelten.cli.completion import completers
from umwelten.cli.options import shared_option
from umwelten.cli.single_option import option


@click.group("tools", cls=CommandGroup)
def group() -> None:
    """List the tools that models may call, show what models are told of them, and try them.

    Tools run as you, with your files and your network: nothing confines them.
    """


@group.command("list")
@click.argument("entries", nargs=-1, metavar="[TOOL]...", shell_complete=completers.one_tool)
@option("--json", "as_json", is_flag=True, help="Print a JSON list.")
def list_(entries: tuple[str, ...], as_json: bool) -> None:
    """The built-in tools, those in lists of umwelten.toml, and those of each MCP server, which is started.

    With names, only these: a built-in tool, FILE.py, FILE.py:NAME, mcp:SERVER or @LIST. The first column is
    what to write after --tools. Status 2 if a file or a server cannot be used.

    \b
    umwelten tools list
    umwelten tools list rates.py mcp:git
    """
    from umwelten.cli.tool_views import list_tools

    list_tools(entries, as_json=as_json)


@group.command("show")
@click.argument("entry", metavar="TOOL", shell_complete=completers.one_tool)
@option("--json", "as_json", is_flag=True, help="Print a JSON list.")
def show(entry: str, as_json: bool) -> None:
    """What models are told of a tool: its schema as each wire format has it, and about how many tokens.

    Every request of a call with this tool carries it.

    \b
    umwelten tools show calculator
    umwelten tools show rates.py:rate
    umwelten tools show mcp:git.git_log
    """
    from umwelten.cli.tool_views import show_tools

    show_tools(entry, as_json=as_json)


@group.command("test")
@click.argument("entry", metavar="TOOL", shell_complete=completers.one_tool)
@option(
    "--input", "arguments", metavar="JSON", default="{}", help="The arguments, as a model would write them."
)
@shared_option("tool_timeout_s")
@option("--json", "as_json", is_flag=True, help="Print what came of it as JSON.")
def test(entry: str, arguments: str, tool_timeout_s: str | None, as_json: bool) -> None:
    """Call a tool once, as a model would, and print what the model would be told.

    Status 1 if that is an error; the traceback is printed on stderr.

    \b
    umwelten tools test calculator --input '{"expression": "2.50 * 5000"}'
    umwelten tools test rates.py:rate --input '{"currency": "USD"}'
    """
    from umwelten.cli.tool_views import test_tool

    test_tool(entry, arguments, tool_timeout_s, as_json=as_json)


@group.command("demo")
@option(
    "-m",
    "--model",
    "model",
    metavar="MODEL",
    required=True,
    help="provider:model.",
    shell_complete=completers.models,
)
@option(
    "-p",
    "--prompt",
    "prompt",
    default="What is 15 % of 2,480, and which weekday is it today?",
    show_default=True,
    help="The question.",
)
@option(
    "--tools",
    "entries",
    metavar="LIST",
    default="calculator,now",
    show_default=True,
    help="What --tools of eval run takes.",
    shell_complete=completers.tools,
)
@shared_option("mcp")
@shared_option("max_steps")
def demo(model: str, prompt: str, entries: str, mcp: tuple[str, ...], max_steps: str | None) -> None:
    """Ask one model one question, and show what it calls and what it is told, as it happens.

    Nothing is kept. Status 1 if there is no answer.

    \b
    umwelten tools demo -m google:gemini-3.5-flash
    umwelten tools demo -m ollama:qwen3:8b -p "How many words has README.md?" --tools words.py
    """
    from umwelten.cli.tool_demo import demonstrate

    demonstrate(model, prompt, entries, mcp, max_steps)
