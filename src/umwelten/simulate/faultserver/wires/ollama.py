"""Ollama `/api/chat`, and the few other addresses that its clients use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from umwelten.simulate.faultserver.asks import IncomingRequest
from umwelten.simulate.faultserver.tools.values import PlannedTurn, arguments_object
from umwelten.simulate.faultserver.wires.base import Frames, Json, ScriptedAnswer, Trouble, encode

_FINISH = {"stop": "stop", "length": "length", "blocked": "stop"}
_MODIFIED = "2026-01-01T00:00:00Z"
_SIZE = 1_000_000_000

_ERRORS: dict[int, str] = {
    400: "invalid request",
    401: "unauthorized",
    402: "payment required",
    403: "forbidden",
    404: "model not found",
    408: "request timeout",
    413: "request body too large",
    422: "unprocessable request",
    429: "too many requests",
    500: "llama runner process has terminated",
    502: "bad gateway",
    503: "server busy, please try again. maximum pending requests exceeded",
    529: "overloaded",
}


class OllamaWire:
    """The native format, lines of JSON when it streams."""

    name = "ollama"

    def unary(self, answer: ScriptedAnswer) -> bytes:
        """See `Wire`."""
        line = _line(answer, answer.text)
        if answer.turn is not None:
            line["message"] |= _thinking(answer.turn) | {"tool_calls": _calls(answer.turn)}
        return encode(line | _end(answer))

    def hollow(self, answer: ScriptedAnswer) -> bytes:
        """See `Wire`."""
        return encode({"model": answer.ask.model} | _end(answer))

    def wrong_type(self, answer: ScriptedAnswer) -> bytes:
        """See `Wire`."""
        message = {"role": 1, "content": ["text"]}
        return encode({"model": 3, "message": message, "done": "yes", "eval_count": "many"})

    def stream_type(self, ask: IncomingRequest) -> str:
        """See `Wire`."""
        return "application/x-ndjson"

    def frames(self, answer: ScriptedAnswer, pieces: Sequence[str]) -> Frames:
        """See `Wire`."""
        told: list[Json] = [_line(answer, piece) for piece in pieces]
        if answer.turn is not None:
            told = told * bool(answer.text) + [_line(answer, "") for _ in answer.turn.calls]
            for line, call in zip(told[-len(answer.turn.calls) :], _calls(answer.turn), strict=True):
                line["message"]["tool_calls"] = [call]
            told[0]["message"] |= _thinking(answer.turn)
        lines = [encode(line | {"done": False}) + b"\n" for line in told]
        return lines, [encode(_line(answer, "") | _end(answer)) + b"\n"]

    def hollow_frames(self, answer: ScriptedAnswer) -> Frames:
        """See `Wire`."""
        return [], [self.hollow(answer) + b"\n"]

    def wrong_frame(self, answer: ScriptedAnswer) -> bytes:
        """See `Wire`."""
        return self.wrong_type(answer) + b"\n"

    def error(self, trouble: Trouble) -> bytes:
        """See `Wire`."""
        return encode({"error": trouble.message or _ERRORS.get(trouble.status, "internal server error")})

    def error_frame(self, trouble: Trouble, ask: IncomingRequest) -> bytes:
        """See `Wire`."""
        return self.error(trouble) + b"\n"

    def headers(self, n: int) -> str:
        """See `Wire`."""
        return ""

    def listing(
        self, models: Sequence[str], query: Mapping[str, str], page_size: int, no_tools: Sequence[str]
    ) -> bytes:
        """See `Wire`. The rows serve `/api/tags` and `/api/ps` alike."""
        details = {"format": "gguf", "family": "test", "parameter_size": "1B", "quantization_level": "Q4_K_M"}
        rows = [
            {"name": name, "model": name, "modified_at": _MODIFIED, "expires_at": _MODIFIED}
            | {"size": _SIZE, "size_vram": 0, "digest": "0" * 64, "details": details}
            for name in models
        ]
        return encode({"models": rows})


def show(*, tools: bool) -> bytes:
    """The reply of `/api/show`. `tools`: whether the model takes any."""
    info = {"general.architecture": "test", "test.context_length": 32_768}
    capabilities = ["completion", "vision", "tools"] if tools else ["completion", "vision"]
    return encode({"capabilities": capabilities, "model_info": info, "details": {"family": "test"}})


def pull() -> bytes:
    """The lines of `/api/pull`."""
    layer = {"status": "pulling 000000000000", "digest": "sha256:" + "0" * 64, "total": 1000}
    steps: list[Json] = [
        {"status": "pulling manifest"},
        layer | {"completed": 500},
        layer | {"completed": 1000},
        {"status": "success"},
    ]
    return b"".join(encode(step) + b"\n" for step in steps)


def _thinking(turn: PlannedTurn) -> Json:
    return {"thinking": turn.thought} if turn.thought else {}


def _calls(turn: PlannedTurn) -> list[Json]:
    return [
        ({} if call.id is None else {"id": call.id})
        | {"function": {"index": place, "name": call.name, "arguments": arguments_object(call.arguments)}}
        for place, call in enumerate(turn.calls)
    ]


def _line(answer: ScriptedAnswer, text: str) -> Json:
    created_at = datetime.fromtimestamp(answer.now_unix, UTC).isoformat().replace("+00:00", "Z")
    return {
        "model": answer.ask.model,
        "created_at": created_at,
        "message": {"role": "assistant", "content": text},
    }


def _end(answer: ScriptedAnswer) -> Json:
    spent = int(answer.latency_s * 1e9)
    return {
        "done": True,
        "done_reason": _FINISH[answer.finish],
        "total_duration": spent,
        "load_duration": 0,
        "prompt_eval_count": answer.input_tokens,
        "prompt_eval_duration": spent // 10,
        "eval_count": answer.output_tokens,
        "eval_duration": spent - spent // 10,
    }
