"""Files sent before the question: each step's request and reply, and the whole way against a real server."""

from __future__ import annotations

import asyncio
import json
import time
from types import SimpleNamespace
from typing import Any

import pytest
from google.ai import generativelanguage_v1beta as google
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st

from umwelten.attempts import upload_cache
from umwelten.attempts.transport import Transport
from umwelten.attempts.upload_cache import CachedUpload, UploadCache, UploadFailed
from umwelten.providers.capabilities import Capabilities
from umwelten.providers.gemini.generate_content import Gemini
from umwelten.providers.protocol import Endpoint, Head, HttpRequest, UploadedFile
from umwelten.simulate.faultserver import FaultServer, Profile, content_mark
from umwelten.types import Failure, FailureKind, Media, Reply, Text
from wirekit import KEY, failed, head, place, question

WIRE = Gemini()
UPLOADS = WIRE.uploads
HOME = place("gemini", "https://generativelanguage.googleapis.com")
CLIP = Media(mime="video/mp4", data=b"xxxxftypmp42" * 1000, name="holidays/clip.mp4")
K = FailureKind


def _file(**fields: Any) -> bytes:
    """A file as Google's own library writes it."""
    values = {"name": "files/abc", "uri": "https://x/v1beta/files/abc", "mime_type": "video/mp4", **fields}
    return json_format.MessageToJson(google.File.pb(google.File(**values))).encode()


# --- announcing ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("base", "url"),
    [
        ("https://h", "https://h/upload/v1beta/files"),
        ("https://h/v1beta/", "https://h/upload/v1beta/files"),
        ("https://h/proxy/v1", "https://h/proxy/upload/v1/files"),
    ],
)
def test_a_file_is_announced_with_its_name_type_and_size(base: str, url: str) -> None:
    http = UPLOADS.start(CLIP, place("gemini", base))
    assert (http.method, http.url) == ("POST", url)
    assert http.headers["x-goog-upload-protocol"] == "resumable"
    assert http.headers["x-goog-upload-command"] == "start"
    assert http.headers["x-goog-upload-header-content-length"] == str(len(CLIP.data))
    assert http.headers["x-goog-upload-header-content-type"] == "video/mp4"
    assert http.headers["x-goog-api-key"] == KEY
    body = json.loads(http.body or b"")
    read = json_format.ParseDict(body, google.CreateFileRequest.pb()(), ignore_unknown_fields=False)
    assert read.file.display_name == "holidays/clip.mp4"


def test_the_bytes_go_to_the_same_host_alone_and_without_the_key() -> None:
    url = "https://generativelanguage.googleapis.com/upload/v1beta/files?key=secret&upload_id=u1&a="
    to = UPLOADS.decode_start(head(x_goog_upload_url=url), b"", HOME)
    assert to == "https://generativelanguage.googleapis.com/upload/v1beta/files?upload_id=u1&a="
    assert isinstance(to, str)
    http = UPLOADS.send(to, CLIP)
    assert (http.method, http.url, http.body) == ("POST", to, CLIP.data)
    assert http.headers["x-goog-upload-command"] == "upload, finalize"
    assert http.headers["x-goog-upload-offset"] == "0"
    assert KEY not in json.dumps(http.headers)


@pytest.mark.parametrize(
    "url",
    [
        "https://elsewhere.example/upload?upload_id=1",
        "http://generativelanguage.googleapis.com/upload?upload_id=1",
        "https://generativelanguage.googleapis.com:444/upload",
        "https://generativelanguage.googleapis.com.evil.example/upload",
        "https://generativelanguage.googleapis.com@evil.example/upload",
        "//evil.example",
        "https://h:notaport/",
        "https://[",
    ],
)
def test_an_address_elsewhere_is_refused(url: str) -> None:
    failure = failed(UPLOADS.decode_start(head(x_goog_upload_url=url), b"", HOME))
    assert (failure.kind, failure.retry, failure.code) == (K.BAD_REQUEST, False, "elsewhere")
    assert "evil" not in failure.message


def test_a_reply_without_an_address_is_a_server_failure() -> None:
    failure = failed(UPLOADS.decode_start(head(), b"{}", HOME))
    assert (failure.kind, failure.retry) == (K.SERVER, True)


# --- the file ----------------------------------------------------------------------------------


def test_a_file_that_is_being_read_is_looked_at_again_until_it_is_ready() -> None:
    raw = json.loads(_file(state=google.File.State.PROCESSING, expiration_time={"seconds": 1_795_600_000}))
    first = UPLOADS.decode_file(head(), json.dumps({"file": raw}).encode(), HOME)
    assert first == UploadedFile(
        name="files/abc",
        uri="https://x/v1beta/files/abc",
        mime="video/mp4",
        ready=False,
        expires_unix=1_795_600_000.0,
    )
    assert isinstance(first, UploadedFile)
    look = UPLOADS.poll(first, HOME)
    assert look.method == "GET"
    assert look.url == "https://generativelanguage.googleapis.com/v1beta/files/abc"
    assert look.headers["x-goog-api-key"] == KEY
    last = UPLOADS.decode_file(head(), _file(state=google.File.State.ACTIVE), HOME)
    assert isinstance(last, UploadedFile) and last.ready
    gone = UPLOADS.delete(first, HOME)
    assert (gone.method, gone.url) == ("DELETE", look.url)


def test_a_file_that_the_provider_cannot_read_fails_for_good() -> None:
    raw = _file(state=google.File.State.FAILED, error={"code": 3, "message": "codec unknown"})
    failure = failed(UPLOADS.decode_file(head(), raw, HOME))
    assert (failure.kind, failure.retry, failure.code) == (K.BAD_REQUEST, False, "upload_failed")
    assert "codec unknown" in failure.message


@pytest.mark.parametrize(
    "name",
    [
        "models/x",
        "tunedModels/mine",
        "files/../models/x",
        "files/a/b",
        "files/",
        "files/..",
        "files/%2e%2e",
        "x",
        "files/..\\x",
        "/files/a",
        "files//a",
        "https://x/files/a",
        "files/a\x00",
    ],
)
def test_what_is_no_file_is_neither_asked_for_nor_deleted(name: str) -> None:
    body = json.dumps({"name": name, "uri": "https://x/v1beta/files/abc", "state": "PROCESSING"}).encode()
    assert "does not name the file" in failed(UPLOADS.decode_file(head(), body, HOME)).message


@pytest.mark.parametrize(
    ("status", "kind"), [(429, K.RATE_LIMIT), (503, K.SERVER), (401, K.UNAVAILABLE), (400, K.BAD_REQUEST)]
)
def test_refusals_of_any_step_are_placed_as_those_of_questions(status: int, kind: FailureKind) -> None:
    body = json.dumps({"error": {"code": status, "message": "no", "status": "X"}}).encode()
    assert failed(UPLOADS.decode_start(head(status), body, HOME)).kind is kind
    assert failed(UPLOADS.decode_file(head(status), body, HOME)).kind is kind


@pytest.mark.parametrize(
    "message",
    [
        "You do not have permission to access the File abc or it may not exist.",
        "The File abc is not in an ACTIVE state and usage is not allowed.",
    ],
)
@pytest.mark.parametrize(("status", "name"), [(403, "PERMISSION_DENIED"), (404, "NOT_FOUND")])
def test_a_file_that_is_gone_costs_the_call_and_not_the_lane(message: str, status: int, name: str) -> None:
    body = {"error": {"code": status, "message": message, "status": name}}
    failure = failed(WIRE.decode(head(status), json.dumps(body).encode(), HOME))
    assert (failure.kind, failure.retry, failure.lane_down) == (K.SERVER, True, False)
    assert failure.code == "file_gone"


@given(st.one_of(st.binary(max_size=200), st.builds(lambda n: _file()[:n], st.integers(0, 200))))
def test_no_bytes_make_the_decoders_raise(body: bytes) -> None:
    assert isinstance(UPLOADS.decode_file(head(), body, HOME), UploadedFile | Failure)
    assert isinstance(UPLOADS.decode_start(head(), body, HOME), str | Failure)


@given(st.text(max_size=80))
def test_no_address_makes_the_decoder_raise(url: str) -> None:
    assert isinstance(UPLOADS.decode_start(head(x_goog_upload_url=url), b"", HOME), str | Failure)


# --- the whole way -----------------------------------------------------------------------------


async def _exchange(transport: Transport, http: HttpRequest) -> tuple[Head, bytes]:
    got = await transport.fetch(http, HOME)
    assert not isinstance(got, Failure), got
    return got


async def _upload(transport: Transport, home: Endpoint, looks: int) -> UploadedFile | Failure:
    """As the exchange does it, without the pauses."""
    to = UPLOADS.decode_start(*await _exchange(transport, UPLOADS.start(CLIP, home)), home)
    assert isinstance(to, str), to
    found = UPLOADS.decode_file(*await _exchange(transport, UPLOADS.send(to, CLIP)), home)
    while looks and isinstance(found, UploadedFile) and not found.ready:
        looks -= 1
        found = UPLOADS.decode_file(*await _exchange(transport, UPLOADS.poll(found, home)), home)
    return found


def test_a_question_about_an_uploaded_file_is_answered_and_about_a_deleted_one_is_not() -> None:
    async def run() -> None:
        profile = Profile(upload_looks=2)
        async with FaultServer(profile) as server, Transport(timeout_s=10) as transport:
            home = place("gemini", server.url)
            early = await _upload(transport, home, looks=1)
            assert isinstance(early, UploadedFile) and not early.ready
            kept = await _upload(transport, home, looks=5)
            assert isinstance(kept, UploadedFile) and kept.ready
            assert kept.expires_unix is not None and kept.mime == "video/mp4"
            media = Media(mime=kept.mime, data=b"", name=CLIP.name, uri=kept.uri)
            asked = WIRE.encode(question(media, Text(text="What is this?")), home)
            outcome, _ = await transport.ask(asked, WIRE, home)
            assert isinstance(outcome, Reply), outcome
            assert [file.mark for file in server.ledger.records[0].files] == [content_mark(CLIP.data)]
            await _exchange(transport, UPLOADS.delete(kept, home))
            again, _ = await transport.ask(asked, WIRE, home)
            assert isinstance(again, Failure) and again.code == "file_gone"

    asyncio.run(run())


def test_an_upload_that_the_server_cannot_read_fails() -> None:
    async def run() -> None:
        async with (
            FaultServer(Profile(upload_state="FAILED")) as server,
            Transport(timeout_s=10) as transport,
        ):
            failure = failed(await _upload(transport, place("gemini", server.url), looks=3))
            assert failure.code == "upload_failed"

    asyncio.run(run())


# --- the cache ---------------------------------------------------------------------------------

CAPABLE = Capabilities(inline_bytes=20_000, upload=True)
LARGE = Media(mime="video/mp4", data=b"x" * 15_000, name="a.mp4")
LARGER = Media(mime="video/mp4", data=b"y" * 18_000, name="b.mp4")
SMALL = Media(mime="image/png", data=b"z" * 3_000, name="c.png")


@pytest.mark.parametrize(
    ("parts", "uploaded"),
    [
        ((SMALL, Text(text="?"), LARGER, SMALL), {"b.mp4"}),
        ((LARGE, SMALL, LARGER), {"b.mp4"}),
        ((LARGE, SMALL, SMALL), {"a.mp4"}),
        ((LARGER, SMALL), {"b.mp4"}),
        ((LARGE, SMALL), set()),
        ((Text(text="t" * 50_000), SMALL), set()),
    ],
)
def test_the_largest_are_uploaded_until_the_rest_fits(parts: tuple[Any, ...], uploaded: set[str]) -> None:
    """What is left is sent with the question: to the byte, the limit is 20,000."""

    async def run() -> None:
        async with FaultServer(Profile(upload_looks=0)) as server, Transport(timeout_s=10) as transport:
            used: list[CachedUpload] = []
            cache = UploadCache(transport)
            placed = await cache.place(parts, WIRE, place("gemini", server.url), CAPABLE, used)
            assert {part.name for part in placed if isinstance(part, Media) and part.uri} == uploaded
            for before, after in zip(parts, placed, strict=True):
                assert after is before or (isinstance(after, Media) and not after.data and after.uri)
            assert len(used) == len(uploaded)
            assert len(server.uploads.files) == len(uploaded)
            cache.release(used)
            await cache.close()
            assert not server.uploads.files

    asyncio.run(run())


def test_a_file_of_one_account_is_not_another_ones() -> None:
    async def run() -> None:
        async with FaultServer(Profile(upload_looks=0)) as server, Transport(timeout_s=10) as transport:
            cache, used = UploadCache(transport), list[CachedUpload]()
            for key in ("key-of-a-0123456789", "key-of-b-0123456789", "key-of-a-0123456789"):
                await cache.place((LARGER, SMALL), WIRE, place("gemini", server.url, key=key), CAPABLE, used)
            assert used[0] is used[2] is not used[1]
            cache.release(used)
            await cache.close()

    asyncio.run(run())


def test_the_last_sixteen_files_stay_though_no_call_uses_them() -> None:
    """Those that were used last: another model or repeat may want them. One in use stays in any case."""

    async def run() -> None:
        async with FaultServer(Profile(upload_looks=0)) as server, Transport(timeout_s=10) as transport:
            cache, home = UploadCache(transport), place("gemini", server.url)
            clips = [Media(mime="video/mp4", data=b"%03d" % n * 7000, name=f"{n}.mp4") for n in range(18)]
            held: list[CachedUpload] = []
            await cache.place(clips[:1], WIRE, home, CAPABLE, held)
            for clip in clips[1:]:
                used: list[CachedUpload] = []
                await cache.place((clip,), WIRE, home, CAPABLE, used)
                cache.release(used)
            kept = {content_mark(clip.data) for clip in [clips[0], *clips[2:]]}
            while set(server.uploads.files) != kept:
                assert len(server.uploads.files) > 17
                await asyncio.sleep(0.01)

    asyncio.run(run())


@pytest.mark.parametrize("more", [0, 1])
def test_a_limit_is_kept_to_the_byte(more: int) -> None:
    rest = Media(mime="image/png", data=b"z" * (5_000 + more), name="rest.png")

    async def run() -> None:
        async with FaultServer(Profile(upload_looks=0)) as server, Transport(timeout_s=10) as transport:
            used: list[CachedUpload] = []
            await UploadCache(transport).place(
                (LARGE, rest), WIRE, place("gemini", server.url), CAPABLE, used
            )
            assert len(used) == more

    asyncio.run(run())


@pytest.mark.parametrize(("expires_in_s", "times"), [(None, 1), (660.0, 1), (540.0, 2), (-60.0, 2)])
def test_a_file_that_expires_within_ten_minutes_is_uploaded_again(
    expires_in_s: float | None, times: int
) -> None:
    """Its call may have to wait and be retried before the file is read."""

    class Expiring(type(UPLOADS)):  # type: ignore[misc]
        def decode_file(self, head: Head, body: bytes, endpoint: Endpoint) -> UploadedFile | Failure:
            found = super().decode_file(head, body, endpoint)
            at = None if expires_in_s is None else time.time() + expires_in_s
            return UploadedFile(found.name, found.uri, found.mime, found.ready, at)

    wire: Any = SimpleNamespace(uploads=Expiring())

    async def run() -> None:
        async with FaultServer(Profile(upload_looks=0)) as server, Transport(timeout_s=10) as transport:
            used: list[CachedUpload] = []
            cache, home = UploadCache(transport), place("gemini", server.url)
            for _ in range(2):
                await cache.place((LARGER, SMALL), wire, home, CAPABLE, used)
            assert len({id(upload) for upload in used}) == times

    asyncio.run(run())


def test_an_upload_that_cannot_begin_is_the_calls_failure() -> None:
    async def run() -> Failure:
        async with FaultServer(Profile(upload_looks=0)) as server:
            gone = server.url
        async with Transport(timeout_s=10) as transport:
            with pytest.raises(UploadFailed) as caught:
                await UploadCache(transport).place((LARGER, SMALL), WIRE, place("gemini", gone), CAPABLE, [])
        return caught.value.failure

    failure = asyncio.run(run())
    assert (failure.kind, failure.retry) == (K.CONNECTION, True)


def test_the_end_of_a_run_leaves_neither_uploads_nor_deletions_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Of an attempt that was cancelled the upload goes on, until nobody else can want it."""
    monkeypatch.setattr(upload_cache, "CLOSING_S", 0)

    async def run() -> None:
        async with FaultServer(Profile(upload_looks=1000)) as server, Transport(timeout_s=10) as transport:
            cache, used, home = UploadCache(transport), [], place("gemini", server.url)
            placing = asyncio.create_task(cache.place((LARGER, SMALL), WIRE, home, CAPABLE, used))
            while not server.uploads.files or used[0].remote is None:
                await asyncio.sleep(0.002)
            placing.cancel()
            await asyncio.wait((placing,))
            (upload,) = used
            assert upload.task is not None
            assert not upload.task.done()
            cache.release(used)
            await cache.close()
            await asyncio.sleep(0)
            assert upload.task.cancelled()
            await asyncio.sleep(0)
            left = [task for task in asyncio.all_tasks() if "UploadCache" in repr(task.get_coro())]
            assert not left

    asyncio.run(run())
