"""Files that are sent before the question, as Google's file API takes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from umwelten.simulate.faultserver.asks import IncomingRequest
from umwelten.simulate.faultserver.connection import Received
from umwelten.simulate.faultserver.message_parts import BadAsk, content_mark
from umwelten.simulate.faultserver.wires.base import encode
from umwelten.types import FrozenStruct

UPLOADS = "/upload/v1beta/files"
FILES = "/v1beta/files/"
_STORED = "https://generativelanguage.googleapis.com"


class _Kept(msgspec.Struct):
    mime: str
    name: str
    size: int
    looks: int


class UploadReply(FrozenStruct):
    """A reply to one of the requests: its body and the headers that belong to it."""

    body: bytes
    headers: Mapping[str, str] = {}


class UploadedFiles:
    """The files that were uploaded, by the mark of their bytes (`asks.content_mark`).

    A file is being worked on until it was looked at `looks` times; then it is in `state`.
    """

    def __init__(self, looks: int, state: str) -> None:
        self._looks, self._state = looks, state
        self._announced: dict[str, tuple[str, str]] = {}
        self.files: dict[str, _Kept] = {}

    def upload(self, request: Received, url: str) -> UploadReply:
        """The first step, which names an address, or the second, which brings the bytes there."""
        command = request.header(b"x-goog-upload-command")
        if command == "start":
            return self._start(request, url)
        announced = self._announced.pop(request.arguments.get("upload_id", ""), None)
        if command != "upload, finalize" or announced is None:
            raise BadAsk("Upload has already been terminated or was never started.")
        mark = content_mark(request.body)
        self.files[mark] = _Kept(*announced, size=len(request.body), looks=self._looks)
        return UploadReply(
            body=encode({"file": self._shown(mark)}), headers={"x-goog-upload-status": "final"}
        )

    def file(self, request: Received) -> UploadReply:
        """A look at a file, or its end."""
        mark = request.path.removeprefix(FILES)
        if mark not in self.files:
            raise BadAsk(_absent(mark), 403)
        if request.method == "DELETE":
            del self.files[mark]
            return UploadReply(body=b"{}")
        self.files[mark].looks -= 1
        return UploadReply(body=encode(self._shown(mark)))

    def check(self, ask: IncomingRequest) -> None:
        """Refuse a question about a file that is not here, or not ready."""
        for file in ask.files:
            if file.name is None or not file.name.startswith(_STORED + FILES):
                continue
            if file.mark not in self.files:
                raise BadAsk(_absent(file.mark), 403)
            if self.files[file.mark].looks > 0 or self._state != "ACTIVE":
                raise BadAsk(f"The File {file.mark} is not in an ACTIVE state and usage is not allowed.")

    def _start(self, request: Received, url: str) -> UploadReply:
        body: dict[str, Any] = msgspec.json.decode(request.body or b"{}")
        number = str(len(self._announced) + len(self.files) + 1)
        mime = request.header(b"x-goog-upload-header-content-type") or ""
        self._announced[number] = mime, str(body.get("file", {}).get("displayName", ""))
        where = f"{url}{UPLOADS}?upload_id={number}&upload_protocol=resumable"
        return UploadReply(body=b"{}", headers={"x-goog-upload-url": where, "x-goog-upload-status": "active"})

    def _shown(self, mark: str) -> dict[str, Any]:
        kept = self.files[mark]
        shown: dict[str, Any] = {
            "name": f"files/{mark}",
            "displayName": kept.name,
            "mimeType": kept.mime,
            "sizeBytes": str(kept.size),
            "uri": f"{_STORED}{FILES}{mark}",
            "expirationTime": "2099-01-01T00:00:00.123456Z",
            "state": "PROCESSING" if kept.looks > 0 else self._state,
        }
        failed = shown["state"] == "FAILED"
        return shown | ({"error": {"code": 3, "message": "The file could not be read."}} if failed else {})


def _absent(mark: str) -> str:
    return f"You do not have permission to access the File {mark} or it may not exist."
