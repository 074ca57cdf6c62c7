"""OpenAI chat completions, and OpenRouter's departures from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from umwelten.simulate.faultserver.asks import IncomingRequest
from umwelten.simulate.faultserver.tools.spec import fits_any
from umwelten.simulate.faultserver.wires.base import Frames, Json, ScriptedAnswer, Trouble, encode, sse
from umwelten.simulate.faultserver.wires.openai_calls import (
    deltas_of,
    finish_of,
    message_fields,
    thought_fields,
)

_FINISH = {"stop": "stop", "length": "length", "blocked": "content_filter"}

# status: type, code, message
_ERRORS: dict[int, tuple[str, str | None, str]] = {
    400: ("invalid_request_error", None, "The request could not be understood."),
    401: ("invalid_request_error", "invalid_api_key", "Incorrect API key provided."),
    402: ("insufficient_quota", "credit_balance_exhausted", "Your credit balance is exhausted."),
    403: ("invalid_request_error", "unsupported_country_region_territory", "Access is not allowed."),
    404: (
        "invalid_request_error",
        "model_not_found",
        "The model does not exist or you have no access to it.",
    ),
    408: ("server_error", "timeout", "The request timed out."),
    413: ("invalid_request_error", "request_too_large", "The request is too large."),
    422: ("invalid_request_error", "unprocessable", "The request could not be processed."),
    429: ("requests", "rate_limit_exceeded", "Rate limit reached for requests."),
    500: ("server_error", "server_error", "The server had an error while processing your request."),
    503: ("server_error", "server_is_overloaded", "The engine is currently overloaded."),
    529: ("server_error", "overloaded", "The engine is currently overloaded."),
}
_TYPE_OF_CODE = {
    "insufficient_quota": "insufficient_quota",
    "context_length_exceeded": "invalid_request_error",
    "tokens": "tokens",
}


# Of OpenRouter's models; the first one is missing where a model takes no tools.
_PARAMETERS = ("tools", "max_tokens", "temperature", "top_p", "seed", "stop", "response_format")


def _finish(answer: ScriptedAnswer) -> str:
    finish = _FINISH[answer.finish]
    return finish if answer.turn is None else finish_of(answer.turn, finish)


class OpenAIWire:
    """The format as OpenAI speaks it."""

    name = "openai"
    _details = False

    def unary(self, answer: ScriptedAnswer) -> bytes:
        """See `Wire`."""
        message: Json = {"role": "assistant", "content": answer.text, "refusal": None}
        if answer.turn is not None:
            message |= message_fields(answer.turn, answer.text, details=self._details)
        choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": _finish(answer)}
        return encode(self._reply(answer, "chat.completion", [choice], usage=True))

    def hollow(self, answer: ScriptedAnswer) -> bytes:
        """See `Wire`."""
        return encode(self._reply(answer, "chat.completion", [], usage=True))

    def wrong_type(self, answer: ScriptedAnswer) -> bytes:
        """See `Wire`."""
        message = {"role": 7, "content": {"text": answer.text}}
        choice = {"index": "0", "message": message, "finish_reason": 1}
        return encode({"id": answer.n, "model": [], "choices": [choice], "usage": {"prompt_tokens": "many"}})

    def stream_type(self, ask: IncomingRequest) -> str:
        """See `Wire`."""
        return "text/event-stream; charset=utf-8"

    def frames(self, answer: ScriptedAnswer, pieces: Sequence[str]) -> Frames:
        """See `Wire`."""
        told: list[Json] = [{"content": piece} for piece in pieces]
        if answer.turn is not None:
            thought = thought_fields(answer.turn, details=self._details)
            told = [thought] * bool(thought) + told * bool(answer.text) + deltas_of(answer.turn)
        deltas = [self._chunk(answer, delta) for delta in told]
        deltas[0] = self._chunk(answer, {"role": "assistant", "content": ""}) + deltas[0]
        ends = [self._chunk(answer, {}, _finish(answer))]
        return deltas, ends + self._ends(answer)

    def hollow_frames(self, answer: ScriptedAnswer) -> Frames:
        """See `Wire`."""
        return [], self._ends(answer)

    def wrong_frame(self, answer: ScriptedAnswer) -> bytes:
        """See `Wire`."""
        choice = {"index": "0", "delta": {"content": {"text": 1}}, "finish_reason": 1}
        return sse(encode({"id": 1, "choices": [choice], "usage": []}))

    def error(self, trouble: Trouble) -> bytes:
        """See `Wire`."""
        return encode({"error": self.error_fields(trouble)})

    def error_fields(self, trouble: Trouble) -> Json:
        """The error itself."""
        kind, code, message = _ERRORS.get(trouble.status, ("server_error", None, "The server had an error."))
        if trouble.code:
            kind = _TYPE_OF_CODE.get(trouble.code, kind)
            code = "rate_limit_exceeded" if trouble.code == "tokens" else trouble.code
        return {"message": trouble.message or message, "type": kind, "param": trouble.param, "code": code}

    def error_frame(self, trouble: Trouble, ask: IncomingRequest) -> bytes:
        """See `Wire`."""
        return sse(self.error(trouble))

    def headers(self, n: int) -> str:
        """See `Wire`."""
        return f"x-request-id: req_{n:08x}\r\n"

    def listing(
        self, models: Sequence[str], query: Mapping[str, str], page_size: int, no_tools: Sequence[str]
    ) -> bytes:
        """See `Wire`. This wire has no pages."""
        rows = [
            {"id": name, "object": "model", "created": 1_700_000_000, "owned_by": "test"} for name in models
        ]
        return encode({"object": "list", "data": rows})

    def _reply(self, answer: ScriptedAnswer, kind: str, choices: list[Json], *, usage: bool) -> Json:
        reply: Json = {
            "id": f"chatcmpl-{answer.n}",
            "object": kind,
            "created": int(answer.now_unix),
            "model": answer.ask.model,
            "choices": choices,
        }
        if usage:
            reply["usage"] = self._usage(answer)
        return reply

    def _usage(self, answer: ScriptedAnswer) -> Json:
        return {
            "prompt_tokens": answer.input_tokens,
            "completion_tokens": answer.output_tokens,
            "total_tokens": answer.input_tokens + answer.output_tokens,
            "prompt_tokens_details": {"cached_tokens": answer.cached_tokens},
            "completion_tokens_details": {"reasoning_tokens": answer.reasoning_tokens},
        }

    def _chunk(self, answer: ScriptedAnswer, delta: Json, finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return sse(encode(self._reply(answer, "chat.completion.chunk", [choice], usage=False)))

    def _wants_usage(self, ask: IncomingRequest) -> bool:
        return ask.include_usage

    def _ends(self, answer: ScriptedAnswer) -> list[bytes]:
        done = sse(b"[DONE]")
        if not self._wants_usage(answer.ask):
            return [done]
        return [sse(encode(self._reply(answer, "chat.completion.chunk", [], usage=True))), done]


class OpenRouterWire(OpenAIWire):
    """OpenRouter: usage without asking, with its cost; comments in streams; errors with numbers."""

    name = "openrouter"
    _details = True

    def frames(self, answer: ScriptedAnswer, pieces: Sequence[str]) -> Frames:
        """See `Wire`."""
        deltas, ends = super().frames(answer, pieces)
        deltas[0] = b": OPENROUTER PROCESSING\n\n" + deltas[0]
        return deltas, ends

    def error(self, trouble: Trouble) -> bytes:
        """See `Wire`."""
        words = _ERRORS.get(trouble.status)
        inner: Json = {
            "code": trouble.status,
            "message": trouble.message or (words[2] if words else "Provider returned error"),
        }
        metadata: Json = {}
        if trouble.code:
            metadata["limit_source" if trouble.code.startswith("openrouter_") else "error_type"] = (
                trouble.code
            )
        if trouble.headers:
            metadata["headers"] = dict(trouble.headers)
        if metadata:
            inner["metadata"] = metadata
        return encode({"error": inner})

    def error_frame(self, trouble: Trouble, ask: IncomingRequest) -> bytes:
        """See `Wire`."""
        words = _ERRORS.get(trouble.status)
        message = trouble.message or (words[2] if words else "Provider disconnected")
        choice = {"index": 0, "delta": {"content": ""}, "finish_reason": "error"}
        error = {"code": trouble.status, "message": message}
        return sse(encode({"id": "gen-0", "model": ask.model, "choices": [choice], "error": error}))

    def listing(
        self, models: Sequence[str], query: Mapping[str, str], page_size: int, no_tools: Sequence[str]
    ) -> bytes:
        """See `Wire`. Prices are strings, in USD per token."""
        prices = {"prompt": "0.000001", "completion": "0.000002", "request": "0", "image": "0"}
        rows = [
            {"id": name, "name": name.title(), "context_length": 131_072, "pricing": prices}
            | {"supported_parameters": _PARAMETERS[fits_any(name, no_tools) :]}
            for name in models
        ]
        return encode({"data": rows})

    def _reply(self, answer: ScriptedAnswer, kind: str, choices: list[Json], *, usage: bool) -> Json:
        reply = super()._reply(answer, kind, choices, usage=usage)
        return reply | {"id": f"gen-{answer.n}", "provider": "Test"}

    def _usage(self, answer: ScriptedAnswer) -> Json:
        usage = super()._usage(answer)
        return usage if answer.cost_usd is None else usage | {"cost": answer.cost_usd}

    def _wants_usage(self, ask: IncomingRequest) -> bool:
        return True


def props(*, tools: bool) -> bytes:
    """The reply of llama.cpp's `/props`. `tools`: whether its chat template has a place for any."""
    return encode({"model_path": "test.gguf", "chat_template_caps": {"supports_tools": tools}})
