"""The wire formats, and the files that a model accepts through one."""

from __future__ import annotations

from collections.abc import Mapping

from umwelten.providers.anthropic.messages import AnthropicMessages
from umwelten.providers.base_url import has_vendor_address
from umwelten.providers.capabilities import Capabilities
from umwelten.providers.gemini.generate_content import Gemini
from umwelten.providers.gemini.requests import resource
from umwelten.providers.ollama.chat import Ollama
from umwelten.providers.openai.apis import needs_responses
from umwelten.providers.openai.chat import OpenAIChat
from umwelten.providers.openai.responses.wire import OpenAIResponses
from umwelten.providers.protocol import Endpoint, Vendor, Wire
from umwelten.providers.vendors import WIRE_NAMES
from umwelten.types import ModelRef, RequestSettings

WIRES: Mapping[str, Wire] = dict(
    zip(WIRE_NAMES, (OpenAIChat(), OpenAIResponses(), Gemini(), AnthropicMessages(), Ollama()), strict=True)
)
_CHAT, _RESPONSES = "openai", "responses"


def wires_of(endpoint: Endpoint, model: ModelRef, settings: RequestSettings) -> tuple[Wire, Wire | None]:
    """Return the wire format to ask a model in, and the one to turn to if its provider says so.

    `settings` are those that the model's calls share.
    """
    vendor = endpoint.vendor
    if vendor.wire != _CHAT:
        return WIRES[vendor.wire], None
    if needs_responses(model.model, endpoint, settings):
        return WIRES[_RESPONSES], None
    return WIRES[_CHAT], WIRES[_RESPONSES] if vendor.api == "auto" else None


def check_model_name(model: ModelRef, vendor: Vendor) -> None:
    """Raise `UsageError` for a name that cannot be part of an address, where the wire format makes it one."""
    if vendor.wire == "gemini":
        resource(model.model, vendor)


def capabilities_of(endpoint: Endpoint, model: ModelRef) -> Capabilities:
    """Return the files that this model accepts at this address.

    The user's settings come first, then the vendor's row, then the wire format.
    """
    vendor = endpoint.vendor
    of_vendor = vendor.capabilities
    if of_vendor is None or (vendor.imitated and not has_vendor_address(endpoint)):
        wire = _RESPONSES if vendor.wire == _CHAT and vendor.api == _RESPONSES else vendor.wire
        of_vendor = WIRES[wire].capabilities
    return vendor.overrides.on(of_vendor.of(model.model))
