"""What a server's tool returned, as the text that a model is told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    import mcp_types


def result_text(result: mcp_types.CallToolResult) -> str:
    """Return the text parts of a result, one below the other; its structured content where there is none.

    What is no text is a line such as `[image/png, 1.2 kB, not shown]`.
    """
    parts = [_part(block) for block in result.content]
    if not parts and result.structured_content is not None:
        return msgspec.json.encode(result.structured_content).decode()
    return "\n".join(parts)


def _part(block: Any) -> str:
    match block.type:
        case "text":
            return str(block.text)
        case "image" | "audio":
            return f"[{block.mime_type}, {_size(_decoded(block.data))}, not shown]"
        case "resource_link":
            size = [] if block.size is None else [_size(block.size)]
            return f"[{', '.join([_name(block), *size, 'not shown'])}]"
        case "resource":
            return _resource(block.resource)
        case other:
            return f"[{other}, not shown]"


def _resource(resource: Any) -> str:
    text = getattr(resource, "text", None)
    size = _decoded(resource.blob) if text is None else len(text.encode(errors="replace"))
    return f"[{_name(resource)}, {_size(size)}, not shown]"


def _name(resource: Any) -> str:
    return f"{resource.uri}, {resource.mime_type}" if resource.mime_type else str(resource.uri)


def _decoded(base64: str) -> int:
    """Return how many bytes that is."""
    return len(base64) * 3 // 4 - base64[-2:].count("=")


def _size(n: int) -> str:
    if n < 1_000:
        return f"{n} bytes"
    return f"{n / 1e3:.1f} kB" if n < 1_000_000 else f"{n / 1e6:.1f} MB"
