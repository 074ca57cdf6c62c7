"""Which wire formats there are, and which files a model takes through one."""

from __future__ import annotations

from collections.abc import Mapping

from umwelten.providers.anthropic.messages import AnthropicMessages
from umwelten.providers.base_url import is_at_home
from umwelten.providers.capabilities import Capabilities
from umwelten.providers.gemini.generate_content import Gemini
from umwelten.providers.ollama.chat import Ollama
from umwelten.providers.openai.chat import OpenAIChat
from umwelten.providers.protocol import Endpoint, Wire
from umwelten.types import ModelRef

WIRES: Mapping[str, Wire] = {
    "openai": OpenAIChat(),
    "gemini": Gemini(),
    "anthropic": AnthropicMessages(),
    "ollama": Ollama(),
}


def capabilities_of(endpoint: Endpoint, model: ModelRef) -> Capabilities:
    """What this model takes at this place: by the user's word, the vendor's row and the wire format."""
    vendor = endpoint.vendor
    of_vendor = vendor.capabilities
    if of_vendor is None or (vendor.imitated and not is_at_home(endpoint)):
        of_vendor = WIRES[vendor.wire].capabilities
    return vendor.overrides.on(of_vendor.of(model.model))
