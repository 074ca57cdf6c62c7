"""Gemini `generateContent`, v1beta."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from umwelten.simulate.faultserver.asks import IncomingRequest
from umwelten.simulate.faultserver.wires.base import (
    Frames,
    Json,
    Quota,
    ScriptedAnswer,
    Trouble,
    encode,
    number,
    seconds,
    sse,
)
from umwelten.simulate.faultserver.wires.gemini_calls import finish_of, parts_of

_FINISH = {"stop": "STOP", "length": "MAX_TOKENS", "blocked": "SAFETY"}
_TYPES = "type.googleapis.com/google.rpc."

# status: name, message
_ERRORS: dict[int, tuple[str, str]] = {
    400: ("INVALID_ARGUMENT", "Request contains an invalid argument."),
    401: ("UNAUTHENTICATED", "Request had invalid authentication credentials."),
    402: ("FAILED_PRECONDITION", "Billing is not enabled for this project."),
    403: ("PERMISSION_DENIED", "The caller does not have permission."),
    404: ("NOT_FOUND", "The model is not found for API version v1beta."),
    408: ("DEADLINE_EXCEEDED", "Deadline expired before the request was read."),
    413: ("INVALID_ARGUMENT", "Request payload size exceeds the limit."),
    422: ("INVALID_ARGUMENT", "Request contains an invalid argument."),
    429: ("RESOURCE_EXHAUSTED", "You exceeded your current quota."),
    500: ("INTERNAL", "An internal error has occurred."),
    503: ("UNAVAILABLE", "The model is overloaded. Please try again later."),
    504: ("DEADLINE_EXCEEDED", "Deadline expired before operation could complete."),
    529: ("UNAVAILABLE", "The model is overloaded. Please try again later."),
}


class GeminiWire:
    """The format of the v1beta API. A stream without `alt=sse` is one JSON array."""

    name = "gemini"

    def unary(self, answer: ScriptedAnswer) -> bytes:
        """See `Wire`."""
        candidate = self._candidate(_parts(answer), _finish(answer))
        return encode(self._reply(answer, [candidate], answer.output_tokens))

    def hollow(self, answer: ScriptedAnswer) -> bytes:
        """See `Wire`."""
        return encode(self._reply(answer, [], answer.output_tokens))

    def wrong_type(self, answer: ScriptedAnswer) -> bytes:
        """See `Wire`."""
        candidate = {"content": {"parts": {"text": 1}}, "finishReason": 2}
        return encode({"candidates": [candidate], "usageMetadata": {"promptTokenCount": "many"}})

    def stream_type(self, ask: IncomingRequest) -> str:
        """See `Wire`."""
        return "text/event-stream" if ask.sse else "application/json; charset=UTF-8"

    def frames(self, answer: ScriptedAnswer, pieces: Sequence[str]) -> Frames:
        """See `Wire`. The last piece carries the finish reason, which is the only end mark."""
        parts: list[Json] = [{"text": piece} for piece in pieces]
        if answer.turn is not None:
            parts = _parts(answer)
        count = max(1, len(parts))
        chunks = []
        for position in range(1, count + 1):
            finish = _finish(answer) if position == count else None
            tokens = (
                answer.reasoning_tokens + (answer.output_tokens - answer.reasoning_tokens) * position // count
            )
            chunks.append(
                encode(self._reply(answer, [self._candidate(parts[position - 1 : position], finish)], tokens))
            )
        frames = self._frame(answer.ask, chunks)
        return (frames[:-1], frames[-1:]) if answer.ask.sse else (frames[:-2], frames[-2:])

    def hollow_frames(self, answer: ScriptedAnswer) -> Frames:
        """See `Wire`."""
        return [], self._frame(answer.ask, [self.hollow(answer)])

    def wrong_frame(self, answer: ScriptedAnswer) -> bytes:
        """See `Wire`."""
        return sse(self.wrong_type(answer)) if answer.ask.sse else b"[" + self.wrong_type(answer) + b"]"

    def error(self, trouble: Trouble) -> bytes:
        """See `Wire`. The time to wait and the quota stand in the body alone."""
        status, message = _ERRORS.get(trouble.status, ("UNKNOWN", "Unknown error."))
        message = trouble.message or message
        details = self._details(trouble)
        if trouble.retry_after_s is not None:
            message += f" Please retry in {seconds(trouble.retry_after_s)}s."
        error: Json = {"code": trouble.status, "message": message, "status": status}
        return encode({"error": error | {"details": details} if details else error})

    def error_frame(self, trouble: Trouble, ask: IncomingRequest) -> bytes:
        """See `Wire`."""
        return sse(self.error(trouble)) if ask.sse else b",\r\n" + self.error(trouble) + b"]"

    def headers(self, n: int) -> str:
        """See `Wire`."""
        return "x-content-type-options: nosniff\r\n"

    def listing(
        self, models: Sequence[str], query: Mapping[str, str], page_size: int, no_tools: Sequence[str]
    ) -> bytes:
        """See `Wire`."""
        start = number(query.get("pageToken"), 0)
        end = start + min(number(query.get("pageSize"), page_size) or page_size, page_size)
        rows = [
            {
                "name": f"models/{name}",
                "displayName": name.title(),
                "inputTokenLimit": 1_048_576,
                "outputTokenLimit": 65_536,
                "supportedGenerationMethods": ["generateContent", "countTokens"],
            }
            for name in models[start:end]
        ]
        return encode({"models": rows} | ({"nextPageToken": str(end)} if end < len(models) else {}))

    def _candidate(self, parts: list[Json], finish: str | None) -> Json:
        content: Json = {"parts": parts, "role": "model"} if parts else {}
        candidate: Json = {"content": content, "index": 0}
        return candidate if finish is None else candidate | {"finishReason": finish}

    def _reply(self, answer: ScriptedAnswer, candidates: list[Json], output_tokens: int) -> Json:
        # Thinking is counted outside of the candidates, cached input inside of the prompt.
        usage = {
            "promptTokenCount": answer.input_tokens,
            "candidatesTokenCount": output_tokens - answer.reasoning_tokens,
            "totalTokenCount": answer.input_tokens + output_tokens,
        }
        if answer.reasoning_tokens:
            usage["thoughtsTokenCount"] = answer.reasoning_tokens
        if answer.cached_tokens:
            usage["cachedContentTokenCount"] = answer.cached_tokens
        reply: Json = {"candidates": candidates} if candidates else {}
        names = {"modelVersion": answer.ask.model, "responseId": f"resp-{answer.n}"}
        return reply | {"usageMetadata": usage} | names

    def _frame(self, ask: IncomingRequest, chunks: list[bytes]) -> list[bytes]:
        if ask.sse:
            return [sse(chunk) for chunk in chunks]
        return [b"[" + chunks[0], *(b",\r\n" + chunk for chunk in chunks[1:]), b"]"]

    def _details(self, trouble: Trouble) -> list[Json]:
        details: list[Json] = []
        if trouble.quota is not None:
            details.append({"@type": f"{_TYPES}QuotaFailure", "violations": [_violation(trouble.quota)]})
        if trouble.retry_after_s is not None:
            delay = f"{seconds(trouble.retry_after_s)}s"
            details.append({"@type": f"{_TYPES}RetryInfo", "retryDelay": delay})
        if trouble.code is not None:
            info = {"reason": trouble.code, "domain": "googleapis.com"}
            details.append({"@type": f"{_TYPES}ErrorInfo"} | info)
        return details


def _parts(answer: ScriptedAnswer) -> list[Json]:
    return [{"text": answer.text}] if answer.turn is None else parts_of(answer.turn, answer.text)


def _finish(answer: ScriptedAnswer) -> str:
    finish = _FINISH[answer.finish]
    return finish if answer.turn is None else finish_of(answer.turn, finish)


def _violation(quota: Quota) -> Json:
    period = "Day" if quota.per_s is not None and quota.per_s >= 86_400 else "Minute"
    requests = quota.resource == "requests"
    counted = f"GenerateRequestsPer{period}PerProjectPerModel"
    tokens = f"GenerateContentInputTokensPerModelPer{period}"
    metric = "requests" if requests else "input_token_count"
    return {
        "quotaMetric": f"generativelanguage.googleapis.com/generate_content_{metric}",
        "quotaId": counted if requests else tokens,
        "quotaValue": str(int(quota.limit)),
    }
