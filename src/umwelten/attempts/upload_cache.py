"""Files that are too large for a request: sent to the provider first, shared by the calls that need them."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from umwelten.attempts.transport import Transport
from umwelten.identity import content_hash
from umwelten.providers.capabilities import Capabilities
from umwelten.providers.protocol import Endpoint, Uploaded, Uploads, Wire
from umwelten.threads import run_in_thread
from umwelten.types import Failure, FailureKind, Media, Part

KEPT = 16
"""Files that stay at the provider although no call needs them just now: another model or repeat may."""

FILE_GONE = "file_gone"
"""The code of a failure that says that an uploaded file is no longer there."""

LONGEST_S = 900.0
"""A provider that takes longer to look through a file has failed."""

CLOSING_S = 5.0
"""What an end of a run may wait for files to be taken away."""

_MARGIN_S = 600.0
_POLL_S = (0.5, 5.0)
_Key = tuple[str, str, bytes]


class UploadFailed(Exception):
    """A file did not get to the provider; `failure` is the call's outcome."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


@dataclass(slots=True, eq=False)
class CachedUpload:
    """A file at the provider, or on its way there. `users`: calls under way that need it.

    `there`: the file as the provider last named it, ready or not; so it can be taken away again.
    """

    uploads: Uploads
    endpoint: Endpoint
    users: int = 0
    there: Uploaded | None = None
    task: asyncio.Task[Uploaded | Failure] | None = None


class UploadCache:
    """The uploaded files of one run; `close` takes them away again."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._kept: dict[_Key, CachedUpload] = {}
        self._leaving: set[asyncio.Task[None]] = set()

    async def placed(
        self,
        parts: tuple[Part, ...],
        wire: Wire,
        endpoint: Endpoint,
        capabilities: Capabilities,
        used: list[CachedUpload],
    ) -> tuple[Part, ...]:
        """The parts with whatever is too large for a request replaced by its address. Raises `UploadFailed`.

        `used` gets the files that have to be released afterwards.
        """
        large = _too_large(parts, capabilities)
        if wire.uploads is None or not large:
            return parts
        return tuple(
            [
                await self._placed(part, wire.uploads, endpoint, used)
                if isinstance(part, Media) and at in large
                else part
                for at, part in enumerate(parts)
            ]
        )

    def release(self, used: list[CachedUpload]) -> None:
        """A call has ended: its files may go when others need the room. Nobody waits for that."""
        for kept in used:
            kept.users -= 1
        self._forget(KEPT)

    def lose(self, used: list[CachedUpload]) -> None:
        """The provider has none of these any more: the next call sends them anew."""
        self._kept = {key: kept for key, kept in self._kept.items() if kept not in used}

    async def close(self) -> None:
        """Take away what was uploaded, as far as that is done soon; the provider does it later by itself."""
        self._forget(0)
        if self._leaving:
            await asyncio.wait(self._leaving, timeout=CLOSING_S)
        for task in self._leaving:
            task.cancel()

    async def _placed(
        self, media: Media, uploads: Uploads, endpoint: Endpoint, used: list[CachedUpload]
    ) -> Media:
        digest = await run_in_thread(content_hash, media.data)
        # Another account at the same address does not see the file.
        key = endpoint.vendor.name, endpoint.base_url, digest
        kept = self._kept.pop(key, None)
        if kept is None or _is_over(kept):
            kept = CachedUpload(uploads, endpoint)
            kept.task = asyncio.create_task(self._upload(media, kept))
        self._kept[key] = kept  # the latest last
        kept.users += 1
        used.append(kept)
        assert kept.task is not None
        # One call that is cancelled must not take the file from the others.
        uploaded = await asyncio.shield(kept.task)
        if isinstance(uploaded, Failure):
            raise UploadFailed(uploaded)
        return Media(mime=uploaded.mime or media.mime, data=b"", name=media.name, uri=uploaded.uri)

    async def _upload(self, media: Media, kept: CachedUpload) -> Uploaded | Failure:
        uploads, endpoint = kept.uploads, kept.endpoint
        answer = await self._transport.fetch(uploads.start(media, endpoint))
        url = answer if isinstance(answer, Failure) else uploads.started(*answer, endpoint)
        if isinstance(url, Failure):
            return url
        answer = await self._transport.fetch(uploads.send(url, media), patient=True)
        del media
        uploaded = answer if isinstance(answer, Failure) else uploads.sent(*answer, endpoint)
        began, pause = time.monotonic(), _POLL_S[0]
        while isinstance(uploaded, Uploaded):
            kept.there = uploaded
            if uploaded.ready:
                return uploaded
            if time.monotonic() - began > LONGEST_S:
                return Failure(
                    kind=FailureKind.TIMEOUT,
                    message=f"the file was not ready {LONGEST_S:g} s after it was sent",
                    code="upload",
                )
            await asyncio.sleep(pause)
            pause = min(2 * pause, _POLL_S[1])
            answer = await self._transport.fetch(uploads.look(uploaded, endpoint))
            uploaded = answer if isinstance(answer, Failure) else uploads.sent(*answer, endpoint)
        return uploaded

    def _forget(self, most: int) -> None:
        """Begin to take away the longest unused beyond so many."""
        idle = [key for key, kept in self._kept.items() if not kept.users]
        for key in idle[: max(0, len(idle) - most)]:
            kept = self._kept.pop(key)
            if kept.task is not None:
                kept.task.cancel()
            if kept.there is not None:
                leaving = asyncio.create_task(self._take_away(kept, kept.there))
                self._leaving.add(leaving)
                leaving.add_done_callback(self._leaving.discard)

    async def _take_away(self, kept: CachedUpload, there: Uploaded) -> None:
        await self._transport.fetch(kept.uploads.forget(there, kept.endpoint))


def _is_over(kept: CachedUpload) -> bool:
    """Whether the file has to be sent anew: it never arrived, or is about to expire."""
    if kept.task is None or not kept.task.done():
        return False
    uploaded = None if kept.task.cancelled() or kept.task.exception() else kept.task.result()
    if not isinstance(uploaded, Uploaded):
        return True
    return uploaded.expires_unix is not None and uploaded.expires_unix < time.time() + _MARGIN_S


def _too_large(parts: tuple[Part, ...], capabilities: Capabilities) -> frozenset[int]:
    """The places of the largest media, as many as have to go so that the rest fits into a request."""
    sizes = {at: len(part.data) for at, part in enumerate(parts) if isinstance(part, Media)}
    total, large = sum(sizes.values()), set()
    for at in sorted(sizes, key=sizes.__getitem__, reverse=True):
        if not capabilities.upload or total <= capabilities.inline_bytes:
            break
        large.add(at)
        total -= sizes[at]
    return frozenset(large)
