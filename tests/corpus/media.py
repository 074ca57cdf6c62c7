"""Audio, video, archives and programs: the least of each that shows its type."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import sqlite3
import tempfile
import wave
from collections.abc import Iterator
from pathlib import Path

from corpus.office import zipped

MP4 = b"\x00\x00\x00\x20ftypisom\x00\x00\x02\x00isomiso2avc1mp41" + b"\x00\x00\x01\x00mdat" + bytes(248)
_FRAME = b"\xff\xfb\x90\x64" + bytes(413)  # 128 kbit/s, 44.1 kHz
_AAC = b"\xff\xf1\x50\x80\x04\x1f\xfc" + bytes(25)  # a frame of 32 bytes


def all() -> Iterator[tuple[str, str, str, bytes]]:
    """Name, kind, type and bytes."""
    yield "tone.wav", "wav", "audio/wav", _wav()
    yield "tone.mp3", "mp3", "audio/mpeg", _FRAME * 10
    yield "tagged.mp3", "mp3", "audio/mpeg", b"ID3\x04\x00\x00\x00\x00\x00\x0a" + bytes(10) + _FRAME * 3
    yield "tone.aac", "aac", "audio/aac", _AAC * 10
    yield "tone.ogg", "ogg", "audio/ogg", b"OggS\x00\x02" + bytes(100)
    yield "tone.flac", "flac", "audio/flac", b"fLaC\x00\x00\x00\x22" + bytes(100)
    yield "tone.aiff", "aiff", "audio/aiff", b"FORM\x00\x00\x00\x40AIFFCOMM" + bytes(60)
    yield "tone.m4a", "m4a", "audio/mp4", b"\x00\x00\x00\x18ftypM4A \x00\x00\x00\x00M4A isom" + bytes(100)
    yield "film.mp4", "mp4", "video/mp4", MP4
    yield "film.mov", "mov", "video/quicktime", b"\x00\x00\x00\x14ftypqt  \x00\x00\x00\x00qt  " + bytes(100)
    yield "film.webm", "webm", "video/webm", b"\x1a\x45\xdf\xa3\x93\x42\x82\x84webm" + bytes(100)
    yield "film.mkv", "mkv", "video/x-matroska", b"\x1a\x45\xdf\xa3\xa3\x42\x82\x88matroska" + bytes(100)
    yield "film.avi", "avi", "video/x-msvideo", b"RIFF\x40\x00\x00\x00AVI LIST" + bytes(60)
    yield "film.mpg", "mpeg", "video/mpeg", b"\x00\x00\x01\xba" + bytes(100)


def others() -> Iterator[tuple[str, bytes, str, str]]:
    """Name, bytes, type and why it can't be sent."""
    yield "notes.zip", zipped({"a.txt": "in a zip"}), "application/zip", "archive"
    yield "notes.txt.gz", gzip.compress(b"text" * 99, mtime=0), "application/gzip", "archive"
    yield "notes.txt.bz2", bz2.compress(b"text" * 99), "application/x-bzip2", "archive"
    yield "notes.txt.xz", lzma.compress(b"text" * 99), "application/x-xz", "archive"
    yield "data.db", _database(), "application/vnd.sqlite3", "archive"
    yield "program", b"\x7fELF\x02\x01\x01\x00" + bytes(100), "application/x-elf", "program"
    yield "program.exe", b"MZ\x90\x00\x03\x00\x00\x00" + bytes(100), _EXE, "program"
    yield "noise.bin", _noise(4096), "application/octet-stream", "unknown"
    yield "stray.bin", b"text with a NUL \x00 in it, twice \x00", "application/octet-stream", "unknown"


_EXE = "application/vnd.microsoft.portable-executable"


def _wav() -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(b"\x00\x10" * 400)
    return buffer.getvalue()


def _database() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "x.db")
        connection = sqlite3.connect(path)
        connection.execute("CREATE TABLE t (a)")
        connection.close()
        return path.read_bytes()


def _noise(size: int) -> bytes:
    state, out = 7, bytearray()
    for _ in range(size):
        state = (state * 1103515245 + 12345) & 0x7FFFFFFF
        out.append(state >> 16 & 0xFF)
    return bytes(out)
