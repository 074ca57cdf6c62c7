"""Names: which wire formats there are, and which model a user means."""

from __future__ import annotations

from collections.abc import Mapping

from umwelten.providers.anthropic.messages import AnthropicMessages
from umwelten.providers.gemini.generate_content import Gemini
from umwelten.providers.ollama.chat import Ollama
from umwelten.providers.openai.chat import OpenAIChat
from umwelten.providers.protocol import Wire

WIRES: Mapping[str, Wire] = {
    "openai": OpenAIChat(),
    "gemini": Gemini(),
    "anthropic": AnthropicMessages(),
    "ollama": Ollama(),
}
