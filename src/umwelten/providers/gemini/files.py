"""Google's file API: files that are too large to go along with a question are sent before it.

Announce, send, and ask until it is ready. Source: Gemini API reference, "Files"; 2 GB a file, 20 GB a
project, gone after 48 hours. The address for the bytes is a secret by itself, so the key stays behind.
"""

from __future__ import annotations

from datetime import datetime
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

import msgspec

from umwelten.providers.base_url import unversioned, versioned
from umwelten.providers.common.bodies import load
from umwelten.providers.common.errors import broken, from_http, request_id
from umwelten.providers.gemini.errors import classify
from umwelten.providers.gemini.requests import headers
from umwelten.providers.protocol import Endpoint, Head, HttpRequest, Uploaded
from umwelten.types import Failure, FailureKind, Media

_NAME_LENGTH = 512
_READY, _FAILED = "ACTIVE", "FAILED"


class _Error(msgspec.Struct):
    message: str | None = None


class _GeminiFile(msgspec.Struct, rename="camel"):
    name: str | None = None
    uri: str | None = None
    mime_type: str | None = None
    state: str | None = None
    expiration_time: str | None = None
    error: _Error | None = None


class _UploadReply(msgspec.Struct):
    file: _GeminiFile | None = None


class GeminiUploads:
    """See `protocol.Uploads`."""

    def start(self, media: Media, endpoint: Endpoint) -> HttpRequest:
        """The request that announces a file: its name, type and size."""
        root, version = unversioned(endpoint.base_url)
        announced = {
            "x-goog-upload-protocol": "resumable",
            "x-goog-upload-command": "start",
            "x-goog-upload-header-content-length": str(len(media.data)),
            "x-goog-upload-header-content-type": media.mime,
        }
        return HttpRequest(
            method="POST",
            url=f"{root}/upload/{version or 'v1beta'}/files",
            headers=headers(endpoint) | announced,
            body=msgspec.json.encode({"file": {"displayName": media.name[-_NAME_LENGTH:]}}),
        )

    def started(self, head: Head, body: bytes, endpoint: Endpoint) -> str | Failure:
        """Where the bytes go, without the key that some servers repeat in it."""
        if head.status != 200:
            return from_http(head, body, endpoint, classify=classify)
        url = head.headers.get("x-goog-upload-url", "")
        if not url:
            return broken(head, "the reply does not say where to send the file")
        if not _is_same_place(url, endpoint.base_url):
            return _unusable(
                head, "the address for the file is at another host; it is not sent there", "elsewhere"
            )
        return _without_key(url)

    def send(self, url: str, media: Media) -> HttpRequest:
        """The request with the bytes, all in one."""
        command = {"x-goog-upload-offset": "0", "x-goog-upload-command": "upload, finalize"}
        return HttpRequest(
            method="POST", url=url, headers={**command, "content-type": media.mime}, body=media.data
        )

    def sent(self, head: Head, body: bytes, endpoint: Endpoint) -> Uploaded | Failure:
        """The file as it is now: in `{"file": …}` after it was sent, as the whole body later."""
        if head.status != 200:
            return from_http(head, body, endpoint, classify=classify)
        wrapped = load(body, _UploadReply)
        file = (wrapped and wrapped.file) or load(body, _GeminiFile) or _GeminiFile()
        if file.state == _FAILED:
            why = (file.error and file.error.message) or "it gives no reason"
            return _unusable(head, f"the provider could not read the file: {why}", "upload_failed")
        if not file.name or not file.uri:
            return broken(head, "the reply does not name the file")
        return Uploaded(
            name=file.name,
            uri=file.uri,
            mime=file.mime_type or "",
            # Proxies that leave out the state have nothing to wait for.
            ready=file.state in (_READY, None),
            expires_unix=_unix(file.expiration_time),
        )

    def look(self, uploaded: Uploaded, endpoint: Endpoint) -> HttpRequest:
        """The request that asks for the file's state."""
        return HttpRequest(method="GET", url=_place(uploaded, endpoint), headers=headers(endpoint))

    def forget(self, uploaded: Uploaded, endpoint: Endpoint) -> HttpRequest:
        """The request that deletes the file."""
        return HttpRequest(method="DELETE", url=_place(uploaded, endpoint), headers=headers(endpoint))


def _place(uploaded: Uploaded, endpoint: Endpoint) -> str:
    return f"{versioned(endpoint.base_url, 'v1beta')}/{quote(uploaded.name, safe='/')}"


def _is_same_place(url: str, base_url: str) -> bool:
    """Whether scheme, host and port are the endpoint's."""
    try:
        theirs, ours = urlsplit(url), urlsplit(base_url)
        return (theirs.scheme, theirs.hostname, theirs.port) == (ours.scheme, ours.hostname, ours.port)
    except ValueError:
        return False


def _without_key(url: str) -> str:
    parts = urlsplit(url)
    query = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if name != "key"]
    return urlunsplit(parts._replace(query=urlencode(query), fragment=""))


def _unusable(head: Head, message: str, code: str) -> Failure:
    return Failure(
        kind=FailureKind.BAD_REQUEST,
        message=message,
        status=head.status,
        code=code,
        retry=False,
        request_id=request_id(head, None),
    )


def _unix(text: str | None) -> float | None:
    try:
        return datetime.fromisoformat(text).timestamp() if text else None
    except (ValueError, OverflowError):
        return None
