"""How each wire format writes its answers, streams and errors. Written from the vendors' documents,
and apart from `umwelten.providers`, so that one can be tested against the other."""

from __future__ import annotations

from umwelten.simulate.faultserver.wires.anthropic import AnthropicWire
from umwelten.simulate.faultserver.wires.base import ScriptedAnswer, ServerWire, Trouble
from umwelten.simulate.faultserver.wires.gemini import GeminiWire
from umwelten.simulate.faultserver.wires.ollama import OllamaWire
from umwelten.simulate.faultserver.wires.openai import OpenAIWire, OpenRouterWire
from umwelten.simulate.faultserver.wires.responses import ResponsesWire

OPENAI: ServerWire = OpenAIWire()
OPENROUTER: ServerWire = OpenRouterWire()
GEMINI: ServerWire = GeminiWire()
ANTHROPIC: ServerWire = AnthropicWire()
OLLAMA: ServerWire = OllamaWire()
RESPONSES: ServerWire = ResponsesWire()

__all__ = [
    "ANTHROPIC",
    "GEMINI",
    "OLLAMA",
    "OPENAI",
    "OPENROUTER",
    "RESPONSES",
    "ScriptedAnswer",
    "ServerWire",
    "Trouble",
]
