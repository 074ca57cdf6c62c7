"""The user's own folders. A process may have none: no HOME, and a user id that no list of users knows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from umwelten.errors import ConfigError, UsageError

_APP = "umwelten"


def config_folder() -> Path | None:
    """Return the folder of the user's configuration; `None` without a home, and for one below anywhere."""
    import platformdirs  # here, because `--help` needs no folders

    try:
        folder = platformdirs.user_config_path(_APP)
        # A relative one would be whatever lies in the working directory.
        return folder if folder.is_absolute() else None
    except (RuntimeError, OSError):
        return None


def cache_folder() -> Path | None:
    """Return the folder of the user's caches; `None` without a home: others can write to shared ones."""
    import platformdirs

    try:
        return platformdirs.user_cache_path(_APP)
    except (RuntimeError, OSError):
        return None


def state_folder() -> Path | None:
    """Return the folder of what is remembered between runs; `None` without a home, and for one below
    anywhere."""
    import platformdirs

    try:
        folder = platformdirs.user_state_path(_APP)
        return folder if folder.is_absolute() else None
    except (RuntimeError, OSError):
        return None


def home_folder(environ: Mapping[str, str]) -> Path:
    """Return the home directory. Raises `ConfigError` where there is none."""
    try:
        return Path(environ.get("HOME") or Path.home())
    except RuntimeError:
        raise no_home() from None


def no_home() -> ConfigError:
    """Return the error for what needs a home directory."""
    return ConfigError("the home directory of this user is not known", "Set HOME to an absolute path.")


def expand_home(path: Path) -> Path:
    """Return the path with `~` replaced. Raises `UsageError` where there is no home."""
    try:
        return path.expanduser()
    except RuntimeError:
        raise UsageError(
            f"{path}: the home directory of this user is not known", "Set HOME, or write the whole path."
        ) from None
