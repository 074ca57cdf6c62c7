"""An MCP server of 2025-11-25 on stdio that misbehaves as its first argument says; it starts fast.

Every further argument stays in the command line, where `mcpkit.running` finds it.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import Any

OBJECT = {"type": "object", "properties": {}}
READS = {"readOnlyHint": True}


def tool(
    name: str, schema: dict[str, Any] = OBJECT, description: str = "", **annotations: bool
) -> dict[str, Any]:
    return {
        "name": name,
        "description": description,
        "inputSchema": schema,
        "annotations": annotations or READS,
    }


TOOLS = [
    tool("echo", {"type": "object", "properties": {"text": {"type": "string"}}}),
    tool("env"),
    tool("die"),
    tool("never"),
    tool("cancelled"),
    tool("asks"),
    tool("fails"),
    tool("sleep"),
    tool("half"),
    tool("write", readOnlyHint=False),
    tool("drop", destructiveHint=True),
]
NODE = {"type": "object", "properties": {"next": {"$ref": "#/$defs/Node"}}}
PLACE = {"type": "object", "properties": {"city": {"$ref": "#/$defs/Name"}}}
LISTS = {
    "many": [tool(f"tool_{number}") for number in range(300)],
    "none": [],
    "refs": [
        tool(
            "loop",
            {"type": "object", "properties": {"node": {"$ref": "#/$defs/Node"}}, "$defs": {"Node": NODE}},
        ),
        tool(
            "plain",
            {
                "$schema": "http://json-schema.org/draft-07/schema#",
                "type": "object",
                "properties": {"at": {"$ref": "#/$defs/Place", "description": "where"}},
                "$defs": {"Place": PLACE, "Name": {"type": "string"}},
            },
        ),
    ],
    "long": [tool("long", description="ä" * 200_000)],
}
PAGE = 100
cancelled: list[Any] = []
answers: list[dict[str, Any]] = []


def send(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


def receive() -> dict[str, Any]:
    line = sys.stdin.readline()
    if not line:
        if MODE == "stubborn":
            time.sleep(1_000)
        sys.exit(0)
    return json.loads(line)


def say(text: str, **more: Any) -> dict[str, Any]:
    return {"content": [{"type": "text", "text": text}], **more}


def ask(method: str, params: dict[str, Any]) -> dict[str, Any]:
    """Ask the client something and return its reply."""
    send({"id": f"of the server, {method}", "method": method, "params": params})
    while "method" in (reply := receive()):
        pass
    return reply


def call(name: str, arguments: dict[str, Any]) -> dict[str, Any] | None:
    if name == "echo":
        return say(str(arguments.get("text")))
    if name == "env":
        return say(json.dumps(dict(os.environ)))
    if name == "die":
        print("out of memory", file=sys.stderr, flush=True)
        os._exit(9)
    if name == "never":
        return None
    if name == "cancelled":
        return say(json.dumps(cancelled))
    if name == "asks":
        message = {"role": "user", "content": {"type": "text", "text": "?"}}
        sampling = ask("sampling/createMessage", {"messages": [message], "maxTokens": 5})
        roots = ask("roots/list", {})
        schema = {"type": "object", "properties": {}}
        elicited = ask("elicitation/create", {"message": "?", "requestedSchema": schema})
        return say(
            json.dumps([reply.get("error", {}).get("message") for reply in (sampling, roots, elicited)])
        )
    if name == "half":
        return say("half an emoji: \ud83d")
    if name == "sleep":
        time.sleep(float(arguments["seconds"]))
        return say("slept")
    if name in ("write", "drop"):
        return {"content": [], "structuredContent": {"done": name}}
    return say("no such thing", isError=True)


def answer(method: str, params: dict[str, Any]) -> dict[str, Any] | None:
    if method == "initialize":
        info = {"name": "hostile", "version": MODE}
        capabilities = {"tools": {"listChanged": True}}
        return {"protocolVersion": "2025-11-25", "capabilities": capabilities, "serverInfo": info}
    if method == "tools/list":
        tools = LISTS.get(MODE, TOOLS)
        start = int(params.get("cursor") or 0)
        more = {"nextCursor": str(start + PAGE)} if start + PAGE < len(tools) else {}
        return {"tools": tools[start : start + PAGE], **more}
    return call(params["name"], params.get("arguments") or {})


def misbehave() -> None:
    """Do what is done before any message."""
    if MODE == "stubborn":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        # One that leaves the group, and one that stays in it.
        for leaves in (True, False):
            sleep = [sys.executable, "-c", "import time; time.sleep(1000)", *sys.argv[2:]]
            subprocess.Popen(
                sleep, start_new_session=leaves, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
            )
    if MODE == "hang":
        print("loading the index", file=sys.stderr, flush=True)
        print("Welcome to my server!", flush=True)
        time.sleep(1_000)
    if MODE == "exit":
        print("x" * 5_000 + "\nDB_URL is not set", file=sys.stderr, flush=True)
        sys.exit(3)
    if MODE == "chatty":
        print("Listening on stdio\n\n{", flush=True)


def main() -> None:
    misbehave()
    while True:
        message = receive()
        method, number = message.get("method", ""), message.get("id")
        if method == "notifications/cancelled":
            cancelled.append(message["params"]["requestId"])
        if method == "notifications/initialized" and MODE == "chatty":
            send({"method": "notifications/tools/list_changed"})
        if number is None:
            continue
        if method not in ("initialize", "tools/list", "tools/call"):
            send({"id": number, "error": {"code": -32601, "message": "Method not found"}})
        elif (result := answer(method, message.get("params") or {})) is not None:
            send({"id": number, "result": result})


if __name__ == "__main__":
    MODE = sys.argv[1]
    main()
