"""Evaluations in a .zip file, to be opened on another machine.

A file may come from anybody: names that lead elsewhere, links, files that are none of an evaluation's, and
contents that would fill the disk are refused before anything is written to its place.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import stat
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import msgspec

from umwelten.errors import EvaluationExists, StoreError, UsageError
from umwelten.store.copying import copy
from umwelten.store.database import EVALUATION, folder_errors, open_database, store_errors, transaction
from umwelten.store.derived import derived_of, owner
from umwelten.store.inputs import storable_path
from umwelten.store.kept_inputs import INPUTS, has_kept_inputs
from umwelten.store.ratings.tables import RATINGS
from umwelten.store.reader import Reader
from umwelten.store.relocation import rename
from umwelten.store.scores.tables import SCORES
from umwelten.store.text_file_names import is_text_name
from umwelten.types import FrozenStruct

MANIFEST = "umwelten.json"
_FORMAT = 1
_MOST_MANIFEST = 16 << 20
_CHUNK = 1 << 20
_RATIO, _UNSUSPICIOUS = 200, 1 << 30
"""A file that holds more than a gigabyte may be at most so many times smaller: texts are some ten times."""

_PACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
"""How files are packed: to unpack others takes as much memory as the file says."""

_DAMAGE = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
    struct.error,
    NotImplementedError,
    EOFError,
    RuntimeError,
)

_ID = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,127}")


class Manifest(FrozenStruct):
    """What a file holds: the ids of evaluations, what belongs to one after it, and how many files they have,
    `None` in what an earlier version wrote: a damaged list of files may be read as a shorter one.
    """

    format: int
    umwelten: str
    evaluations: tuple[str, ...]
    files: int | None = None


# --- out ---------------------------------------------------------------------------------------


def export(folders: Sequence[Path], file: Path, *, umwelten: str) -> list[str]:
    """Write evaluations, and what belongs to them, as of one moment each; returns the ids.

    The file appears whole or not at all. Raises StoreError.
    """
    temporary = file.with_name(f".{file.name}-{secrets.token_hex(4)}.part")
    try:
        with tempfile.TemporaryDirectory(prefix="umwelten-export-") as made:
            stage = Path(made)
            ids: list[str] = []
            for folder in folders:
                along = copy(folder, stage / folder.name)
                ids += [folder.name, *along]
            # A file's time may be none that a .zip file has: some systems have 1970 for all.
            with zipfile.ZipFile(
                temporary, "x", zipfile.ZIP_DEFLATED, compresslevel=6, strict_timestamps=False
            ) as archive:
                for id_ in ids:
                    _write(archive, stage / id_)
                files = len(archive.infolist())
                manifest = Manifest(format=_FORMAT, umwelten=umwelten, evaluations=tuple(ids), files=files)
                archive.writestr(MANIFEST, msgspec.json.encode(manifest))
        temporary.replace(file)
    except OSError as error:
        raise StoreError(f"cannot write {file}: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
    return ids


def _write(archive: zipfile.ZipFile, folder: Path) -> None:
    for place, directories, names in os.walk(folder):
        directories.sort()
        for name in sorted(names):
            path = Path(place, name)
            if path.is_symlink() or not _is_ours(path.relative_to(folder).as_posix()):
                continue
            with suppress(UnicodeEncodeError):  # a name that is no text is written anew from the database
                archive.write(path, f"{folder.name}/{path.relative_to(folder).as_posix()}")


def _is_ours(name: str) -> bool:
    """Return whether a file in an evaluation's folder belongs to what is exported."""
    if name in (EVALUATION.name, SCORES.name, RATINGS.name):
        return True
    parts = name.split("/")
    if any(part in ("", ".", "..") for part in parts) or "\\" in name or ":" in parts[0] or "\0" in name:
        return False
    if parts[0] == INPUTS:
        return len(parts) > 1
    return is_text_name(f"{name.removesuffix('.json')}.txt" if name.endswith(".json") else name)


# --- in ----------------------------------------------------------------------------------------


def take_in(file: Path, output_dir: Path, *, name: str | None = None) -> list[str]:
    """Take in the evaluations of a file; returns their ids. `name`: another one for the only one there.

    Raises StoreError for a file that is not one of ours or holds what it should not, `EvaluationExists` for
    an id that is there; then nothing has changed.
    """
    with folder_errors(output_dir), _opened(file) as archive:
        manifest = _manifest(archive, file)
        heads = [id_ for id_ in manifest.evaluations if not _belongs(id_, manifest.evaluations)]
        if name is not None and len(heads) != 1:
            raise UsageError(
                f"{file} holds {len(heads)} evaluations", "Leave out the other id: each keeps its own."
            )
        entries = _entries(archive, manifest, file)
        names = {
            id_: id_ if name is None else name + id_.removeprefix(heads[0]) for id_ in manifest.evaluations
        }
        for new in names.values():
            if os.path.lexists(output_dir / new):
                hint = "Import it under another id, or rename the one that is there."
                raise EvaluationExists(f"{new!r} exists already in {output_dir}", hint)
        output_dir.mkdir(parents=True, exist_ok=True)
        stage = Path(tempfile.mkdtemp(prefix=".import-", dir=output_dir))
        try:
            _extract(archive, entries, stage, file)
            return _settle(stage, output_dir, heads, name)
        finally:
            shutil.rmtree(stage, ignore_errors=True)


@contextmanager
def _opened(file: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(file) as archive:
            for info in archive.infolist():
                if info.compress_type not in _PACKED:
                    raise StoreError(
                        f"{file}: {info.filename!r} is packed in a way that is not ours", "Export it again."
                    )
            yield archive
    except _DAMAGE as error:
        raise StoreError(f"{file} cannot be read: {error}", "Export it again.") from error


def _manifest(archive: zipfile.ZipFile, file: Path) -> Manifest:
    try:
        with archive.open(MANIFEST) as entry:
            manifest = msgspec.json.decode(entry.read(_MOST_MANIFEST), type=Manifest)
    except (KeyError, msgspec.MsgspecError, UnicodeDecodeError):
        raise StoreError(f"{file} was not written by umwelten eval export") from None
    if manifest.format != _FORMAT:
        raise StoreError(
            f"{file} was written by umwelten {manifest.umwelten}, in a form that is not known here",
            "Install that version, or a newer one.",
        )
    if not all(_ID.fullmatch(id_) for id_ in manifest.evaluations):
        raise StoreError(f"{file} names what cannot be the id of an evaluation", "Nothing was taken in.")
    if not manifest.evaluations or len(set(map(str.casefold, manifest.evaluations))) < len(
        manifest.evaluations
    ):
        raise StoreError(f"{file} names no evaluation, or one of them twice")
    return manifest


def _belongs(id_: str, ids: Sequence[str]) -> bool:
    return any(id_.startswith(f"{other}.") for other in ids)


def _entries(archive: zipfile.ZipFile, manifest: Manifest, file: Path) -> Mapping[str, zipfile.ZipInfo]:
    """The files by their names in the folder. Raises StoreError before any of them is read."""
    found: dict[str, zipfile.ZipInfo] = {}
    ids = set(manifest.evaluations)
    whole, packed = 0, file.stat().st_size  # not what its parts say: they may lie on top of each other
    for info in archive.infolist():
        if info.filename == MANIFEST:
            continue
        id_, slash, rest = info.filename.partition("/")
        kind = stat.S_IFMT(info.external_attr >> 16)
        is_plain = kind in (0, stat.S_IFREG) and not info.is_dir()
        if id_ not in ids or not slash or not is_plain or not _is_ours(rest) or info.filename in found:
            raise StoreError(
                f"{file} holds {info.filename!r}, which is no file of an evaluation", "Nothing was taken in."
            )
        found[info.filename] = info
        whole += info.file_size
    if whole > _UNSUSPICIOUS and whole > _RATIO * max(packed, 1):
        raise StoreError(
            f"{file} would become {whole >> 20:,} MB, more than {_RATIO} times its size",
            "Nothing was taken in.",
        )
    for id_ in ids:
        if f"{id_}/{EVALUATION.name}" not in found:
            raise StoreError(f"{file} has no database of {id_!r}", "Export it again.")
    if manifest.files not in (None, len(found)):
        raise StoreError(
            f"{file} is damaged: {len(found):,} files can be read, of {manifest.files:,}", "Export it again."
        )
    return found


def _extract(
    archive: zipfile.ZipFile, entries: Mapping[str, zipfile.ZipInfo], stage: Path, file: Path
) -> None:
    for name, info in entries.items():
        path = stage / name
        path.parent.mkdir(parents=True, exist_ok=True)
        left = info.file_size
        with archive.open(info) as source, path.open("xb") as target:
            while chunk := source.read(_CHUNK):
                left -= len(chunk)
                if left < 0:
                    raise StoreError(f"{file}: {name!r} is longer than it says", "Nothing was taken in.")
                target.write(chunk)


def _settle(stage: Path, output_dir: Path, heads: Sequence[str], name: str | None) -> list[str]:
    """Check what was extracted, and move it to its place: an evaluation last, what belongs to it before."""
    if name is not None and name != heads[0]:
        Reader.open(stage / heads[0]).close()
        rename(stage / heads[0], stage / name)
        heads = [name]
    folders = [each for head in heads for each in (*derived_of(stage / head), stage / head)]
    folders += [each for each in sorted(stage.iterdir()) if each not in folders]
    for folder in folders:
        Reader.open(folder).close()
        whose = owner(folder)
        if whose is not None and whose not in folders:
            raise StoreError(
                f"{folder.name!r} holds what judges said of {whose.name!r}, which is not in the file",
                "Nothing was taken in: it would belong to the evaluation here that is called so.",
            )
        _lead_to_kept_inputs(folder, output_dir / folder.name)
    for folder in folders:
        folder.rename(output_dir / folder.name)
    return [folder.name for folder in folders]


def _lead_to_kept_inputs(folder: Path, place: Path) -> None:
    """Let the paths of inputs that are kept beside the answers lead to where they are from now on."""
    at = f"instr(path, '/{INPUTS}/')"
    if not has_kept_inputs(folder):
        return
    with store_errors(folder), closing(open_database(folder)) as connection, transaction(connection):
        connection.execute(
            f"UPDATE inputs SET path = ? || substr(path, {at}) WHERE {at} > 0 AND path NOT LIKE '%/../%'",
            (storable_path(str(place.absolute())),),
        )
