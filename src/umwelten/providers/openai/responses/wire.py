"""OpenAI's Responses API, of OpenAI and of the servers that speak it beside chat completions.

Nothing is kept at the provider: every request holds the whole conversation, and says `store: false`.
"""

from __future__ import annotations

import msgspec

from umwelten.providers.capabilities import OPENAI_RESPONSES
from umwelten.providers.common.bodies import load, read
from umwelten.providers.common.errors import unusable_reply
from umwelten.providers.common.schemas import add_instruction
from umwelten.providers.common.streams import EventStream, is_event_stream
from umwelten.providers.common.system_message import place_system
from umwelten.providers.common.tool_refusals import judge_refusal
from umwelten.providers.openai.chat import OpenAIChat, headers
from umwelten.providers.openai.responses import errors
from umwelten.providers.openai.responses.events import ResponsesEvents
from umwelten.providers.openai.responses.items import input_items
from umwelten.providers.openai.responses.replies import ResponsesAnswer
from umwelten.providers.openai.responses.requests import body_fields
from umwelten.providers.openai.schemas import needs_instruction, response_fields
from umwelten.providers.protocol import Endpoint, Head, HttpRequest, ModelPage
from umwelten.types import Failure, Outcome, Request

_CHAT = OpenAIChat()
"""Models are listed at the same address."""


class OpenAIResponses:
    """The wire `responses`. All methods are pure; see `protocol.Wire`."""

    capabilities = OPENAI_RESPONSES
    uploads = None

    def encode(
        self, request: Request, endpoint: Endpoint, dropped: frozenset[str] = frozenset()
    ) -> HttpRequest:
        """Return the HTTP request. Errors: `InputError` for a file that this API does not take."""
        schema = response_fields(request, endpoint, dropped)
        if needs_instruction(request, schema, endpoint):
            request = add_instruction(request)
        request = place_system(request, dropped)
        body = body_fields(request, schema, endpoint, dropped)
        body["model"] = request.model.model
        body["input"] = input_items(request.messages)
        if request.system:
            body["instructions"] = request.system
        if request.stream:
            body["stream"] = True
        return HttpRequest(
            method="POST",
            url=f"{endpoint.base_url.rstrip('/')}/responses",
            headers=headers(endpoint, request.stream) | {"Content-Type": "application/json"},
            body=msgspec.json.encode(body),
        )

    def decode(self, head: Head, body: bytes, endpoint: Endpoint, *, tools: bool = False) -> Outcome:
        """Return the outcome of a unary reply."""
        if head.status >= 300:
            failure = errors.failure(head, read(body), endpoint)
            return judge_refusal(failure) if tools else failure
        if is_event_stream(body):
            stream = self.stream(head, endpoint, tools=tools)
            stream.feed(body)
            return stream.finish()
        value = load(body, object)
        if not isinstance(value, dict):
            what = "is not a response" if body.strip() else "is empty"
            return unusable_reply(head, f"the reply {what}")
        return ResponsesAnswer(head, endpoint, tools=tools).outcome(value)

    def stream(self, head: Head, endpoint: Endpoint, *, tools: bool = False) -> EventStream:
        """Return a decoder for a streamed reply; `response.completed` and its like are the end mark."""
        return EventStream(
            ResponsesEvents(head, endpoint, tools=tools),
            lambda body: self.decode(head, body, endpoint, tools=tools),
        )

    def list_models(self, endpoint: Endpoint, page: str | None = None) -> HttpRequest:
        """Return the request that lists the provider's models: one page has all."""
        return _CHAT.list_models(endpoint, page)

    def decode_models(self, head: Head, body: bytes, endpoint: Endpoint) -> ModelPage | Failure:
        """Return the provider's models."""
        return _CHAT.decode_models(head, body, endpoint)
