"""Google's file API: files that are too large for a request are uploaded before it.

Announce, send, and poll until it is ready. Source: Gemini API reference, "Files"; 2 GB per file, 20 GB per
project, deleted after 48 hours. The address for the bytes is a secret itself, so the key is not sent there.
"""

from __future__ import annotations

from datetime import datetime
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

import msgspec

from umwelten.providers.base_url import is_path_below, split_version, with_version
from umwelten.providers.common.bodies import load
from umwelten.providers.common.errors import final_failure, from_http, unusable_reply
from umwelten.providers.common.loose_fields import Loose, LooseText
from umwelten.providers.gemini.errors import classify
from umwelten.providers.gemini.requests import headers
from umwelten.providers.protocol import Endpoint, Head, HttpRequest, UploadedFile
from umwelten.types import Failure, Media

_NAME_LENGTH = 512
_READY, _FAILED = "ACTIVE", "FAILED"


class _Error(msgspec.Struct):
    message: LooseText = None


class _GeminiFile(msgspec.Struct, rename="camel"):
    name: str | None = None
    uri: str | None = None
    mime_type: LooseText = None
    state: str | None = None
    expiration_time: LooseText = None
    error: Loose[_Error | None] = None


class _UploadReply(msgspec.Struct):
    file: _GeminiFile | None = None


class GeminiUploads:
    """Uploads to Google; see `protocol.Uploads`."""

    def start(self, media: Media, endpoint: Endpoint) -> HttpRequest:
        """Return the request that announces a file: its name, type and size."""
        root, version = split_version(endpoint.base_url)
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

    def decode_start(self, head: Head, body: bytes, endpoint: Endpoint) -> str | Failure:
        """Return the address for the bytes, without the key that some servers repeat in it."""
        if head.status != 200:
            return from_http(head, body, endpoint, classify=classify)
        url = head.headers.get("x-goog-upload-url", "")
        if not url:
            return unusable_reply(head, "the reply contains no upload address")
        if not _is_same_origin(url, endpoint.base_url):
            return final_failure(
                head, "the upload address is on another host, so the file was not sent", "elsewhere"
            )
        return _strip_key(url)

    def send(self, url: str, media: Media) -> HttpRequest:
        """Return the request with all of the bytes."""
        command = {"x-goog-upload-offset": "0", "x-goog-upload-command": "upload, finalize"}
        return HttpRequest(
            method="POST", url=url, headers={**command, "content-type": media.mime}, body=media.data
        )

    def decode_file(self, head: Head, body: bytes, endpoint: Endpoint) -> UploadedFile | Failure:
        """Return the file: under `file` in the reply to `send`, the whole body in the reply to `poll`."""
        if head.status != 200:
            return from_http(head, body, endpoint, classify=classify)
        reply = load(body, _UploadReply)
        file = (reply and reply.file) or load(body, _GeminiFile) or _GeminiFile()
        if file.state == _FAILED:
            why = (file.error and file.error.message) or "no reason given"
            return final_failure(head, f"the provider could not read the file: {why}", "upload_failed")
        if not file.name or not file.uri or not _is_file(file.name):
            return unusable_reply(head, "the reply does not name the file")
        return UploadedFile(
            name=file.name,
            uri=file.uri,
            mime=file.mime_type or "",
            # Proxies that omit the state have nothing to wait for.
            ready=file.state in (_READY, None),
            expires_unix=_unix_time(file.expiration_time),
        )

    def poll(self, uploaded: UploadedFile, endpoint: Endpoint) -> HttpRequest:
        """Return the request for the file's state."""
        return HttpRequest(method="GET", url=_file_url(uploaded, endpoint), headers=headers(endpoint))

    def delete(self, uploaded: UploadedFile, endpoint: Endpoint) -> HttpRequest:
        """Return the request that deletes the file."""
        return HttpRequest(method="DELETE", url=_file_url(uploaded, endpoint), headers=headers(endpoint))


def _file_url(uploaded: UploadedFile, endpoint: Endpoint) -> str:
    return f"{with_version(endpoint.base_url, 'v1beta')}/{quote(uploaded.name, safe='/')}"


def _is_file(name: str) -> bool:
    """Return whether it names a file, not something else that would be read and deleted with our key."""
    folder, slash, rest = name.partition("/")
    return folder == "files" and bool(slash) and "/" not in rest and is_path_below(name)


def _is_same_origin(url: str, base_url: str) -> bool:
    """Return whether scheme, host and port are the endpoint's."""
    try:
        theirs, ours = urlsplit(url), urlsplit(base_url)
        return (theirs.scheme, theirs.hostname, theirs.port) == (ours.scheme, ours.hostname, ours.port)
    except ValueError:
        return False


def _strip_key(url: str) -> str:
    parts = urlsplit(url)
    query = [(name, value) for name, value in parse_qsl(parts.query, keep_blank_values=True) if name != "key"]
    return urlunsplit(parts._replace(query=urlencode(query), fragment=""))


def _unix_time(text: str | None) -> float | None:
    try:
        return datetime.fromisoformat(text).timestamp() if text else None
    except (ValueError, OverflowError):
        return None
