"""Files that are too large for a request: uploaded once, shared by the calls that use them."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from umwelten.attempts.transport import Transport
from umwelten.identity import content_hash
from umwelten.providers.capabilities import Capabilities
from umwelten.providers.protocol import Endpoint, UploadedFile, Uploads, Wire
from umwelten.threads import run_in_thread
from umwelten.types import Failure, FailureKind, Media, Part, Secret

UNUSED_FILES = 16
"""Files that stay at the provider although no call uses them at the moment: another model or repeat may."""

FILE_GONE = "file_gone"
"""The code of a failure that says that an uploaded file is no longer at the provider."""

PROCESSING_S = 900.0
"""A provider that takes longer to process a file has failed."""

CLOSING_S = 5.0
"""So long the end of a run waits for files to be deleted."""

_MARGIN_S = 600.0
"""A file that expires sooner is uploaded again: its call may have to wait and be retried first."""

_POLL_S = (0.5, 5.0)
"""The first and the longest pause between two looks at a file that is being processed."""

_Key = tuple[str, str, Secret | None, bytes]


class UploadFailed(Exception):
    """A file did not get to the provider; `failure` is the call's outcome."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


@dataclass(slots=True, eq=False)
class CachedUpload:
    """A file at the provider, or on its way there. `users`: attempts under way that use it.

    `remote`: the file as the provider last described it, ready or not; by that it can be deleted.
    """

    uploads: Uploads
    endpoint: Endpoint
    users: int = 0
    remote: UploadedFile | None = None
    task: asyncio.Task[UploadedFile | Failure] | None = None


class UploadCache:
    """The uploaded files of one run; `close` deletes them."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._uploads: dict[_Key, CachedUpload] = {}
        self._deletions: set[asyncio.Task[None]] = set()

    async def place(
        self,
        parts: tuple[Part, ...],
        wire: Wire,
        endpoint: Endpoint,
        capabilities: Capabilities,
        used: list[CachedUpload],
    ) -> tuple[Part, ...]:
        """Upload what is too large for a request; return the parts with it replaced by its address.

        `used` gets the files that have to be released afterwards. Raises `UploadFailed`.
        """
        oversized = _oversized(parts, capabilities)
        if wire.uploads is None or not oversized:
            return parts
        return tuple(
            [
                await self._upload_once(part, wire.uploads, endpoint, used)
                if isinstance(part, Media) and index in oversized
                else part
                for index, part in enumerate(parts)
            ]
        )

    def release(self, used: list[CachedUpload]) -> None:
        """Note that an attempt has ended: its files may be deleted when others need the room."""
        for upload in used:
            upload.users -= 1
        self._evict(UNUSED_FILES)

    def discard(self, used: list[CachedUpload]) -> None:
        """Forget files that the provider no longer has: the next attempt uploads them again."""
        self._uploads = {key: upload for key, upload in self._uploads.items() if upload not in used}

    async def close(self) -> None:
        """Delete what was uploaded, as far as that is quickly done; the provider does it later by itself."""
        self._evict(0)
        if self._deletions:
            await asyncio.wait(self._deletions, timeout=CLOSING_S)
        for task in self._deletions:
            task.cancel()

    async def _upload_once(
        self, media: Media, uploads: Uploads, endpoint: Endpoint, used: list[CachedUpload]
    ) -> Media:
        digest = await run_in_thread(content_hash, media.data)
        # Another account at the same address does not see the file.
        key = endpoint.vendor.name, endpoint.base_url, endpoint.api_key, digest
        upload = self._uploads.pop(key, None)
        if upload is None or _is_over(upload):
            upload = CachedUpload(uploads, endpoint)
            upload.task = asyncio.create_task(self._upload(media, upload))
        self._uploads[key] = upload  # the latest last
        upload.users += 1
        used.append(upload)
        assert upload.task is not None
        # One attempt that is cancelled must not take the file from the others.
        uploaded = await asyncio.shield(upload.task)
        if isinstance(uploaded, Failure):
            raise UploadFailed(uploaded)
        return Media(mime=uploaded.mime or media.mime, data=b"", name=media.name, uri=uploaded.uri)

    async def _upload(self, media: Media, upload: CachedUpload) -> UploadedFile | Failure:
        uploads, endpoint = upload.uploads, upload.endpoint
        answer = await self._transport.fetch(uploads.start(media, endpoint), endpoint)
        url = answer if isinstance(answer, Failure) else uploads.decode_start(*answer, endpoint)
        if isinstance(url, Failure):
            return url
        answer = await self._transport.fetch(uploads.send(url, media), endpoint, patient=True)
        del media
        uploaded = answer if isinstance(answer, Failure) else uploads.decode_file(*answer, endpoint)
        started_at, pause = time.monotonic(), _POLL_S[0]
        while isinstance(uploaded, UploadedFile):
            upload.remote = uploaded
            if uploaded.ready:
                return uploaded
            if time.monotonic() - started_at > PROCESSING_S:
                return Failure(
                    kind=FailureKind.TIMEOUT,
                    message=f"the file was not ready {PROCESSING_S:g} s after it was sent",
                    code="upload",
                )
            await asyncio.sleep(pause)
            pause = min(2 * pause, _POLL_S[1])
            answer = await self._transport.fetch(uploads.poll(uploaded, endpoint), endpoint)
            uploaded = answer if isinstance(answer, Failure) else uploads.decode_file(*answer, endpoint)
        return uploaded

    def _evict(self, most: int) -> None:
        """Begin to delete the files that were unused for longest, beyond so many."""
        unused = [key for key, upload in self._uploads.items() if not upload.users]
        for key in unused[: max(0, len(unused) - most)]:
            upload = self._uploads.pop(key)
            if upload.task is not None:
                upload.task.cancel()
            if upload.remote is not None:
                deletion = asyncio.create_task(self._delete(upload, upload.remote))
                self._deletions.add(deletion)
                deletion.add_done_callback(self._deletions.discard)

    async def _delete(self, upload: CachedUpload, remote: UploadedFile) -> None:
        await self._transport.fetch(upload.uploads.delete(remote, upload.endpoint), upload.endpoint)


def _is_over(upload: CachedUpload) -> bool:
    """Return whether the file has to be uploaded again: it never arrived, or is about to expire."""
    task = upload.task
    if task is None or not task.done():
        return False
    uploaded = None if task.cancelled() or task.exception() else task.result()
    if not isinstance(uploaded, UploadedFile):
        return True
    return uploaded.expires_unix is not None and uploaded.expires_unix < time.time() + _MARGIN_S


def _oversized(parts: tuple[Part, ...], capabilities: Capabilities) -> frozenset[int]:
    """Return the indexes of the largest media, as many as have to go so that the rest fits into a request."""
    sizes = {index: len(part.data) for index, part in enumerate(parts) if isinstance(part, Media)}
    total, oversized = sum(sizes.values()), set()
    for index in sorted(sizes, key=sizes.__getitem__, reverse=True):
        if not capabilities.upload or total <= capabilities.inline_bytes:
            break
        oversized.add(index)
        total -= sizes[index]
    return frozenset(oversized)
