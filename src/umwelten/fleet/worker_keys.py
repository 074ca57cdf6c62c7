"""Keys at workers: each is named by its variable, and its value is in no message but `Keys`.

A worker takes it from what the coordinator sends, if the user lets it, else from its own environment, else
from the file `.env` in the home directory of its user. Project files where it runs count for nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from umwelten.attempts.target import Target
from umwelten.child_processes import without_keys
from umwelten.config.endpoints import known_secrets
from umwelten.config.files import is_file, read_dotenv
from umwelten.config.problems import Problems
from umwelten.config.settings import Settings, first_set
from umwelten.errors import ConfigError
from umwelten.providers.protocol import Endpoint
from umwelten.types import FrozenStruct, Secret
from umwelten.user_folders import home_folder


class SecretPlace(FrozenStruct):
    """The variables that may hold a secret; the first that is set counts."""

    names: tuple[str, ...]


def key_place(endpoint: Endpoint) -> SecretPlace | None:
    """Return where the key of an endpoint comes from, `None` where it has none."""
    if endpoint.api_key is None:
        return None
    names = endpoint.vendor.key_env
    if not names:
        raise ConfigError(f"the key of {endpoint.vendor.name} comes from no variable")
    return SecretPlace(names=names)


def address_place(endpoint: Endpoint, settings: Settings) -> SecretPlace | None:
    """Return where an address comes from into which a `.env` puts what is nowhere shown."""
    name = first_set(endpoint.vendor.base_url_env, settings)
    if name is None:
        return None
    place = settings.variables[name].place
    return SecretPlace(names=(name,)) if place is not None and place.uses else None


def hidden_variables(
    targets: Mapping[int, Target], settings: Settings, environ: Mapping[str, str]
) -> frozenset[str]:
    """Return the variables that a cluster of a run does not get: all that may be a key, used or not."""
    places = [place for one in endpoints_of(targets) if (place := key_place(one)) is not None]
    kept = without_keys(environ, known_secrets(settings))
    return frozenset(name for place in places for name in place.names) | (environ.keys() - kept.keys())


def keys_to_ship(targets: Mapping[int, Target], settings: Settings) -> dict[str, str]:
    """Return the secrets of targets by their variables, for `Keys` and for nothing else."""
    found: dict[str, str] = {}
    for endpoint in endpoints_of(targets):
        if (key := key_place(endpoint)) is not None and endpoint.api_key is not None:
            found[key.names[0]] = endpoint.api_key.reveal()
        if (address := address_place(endpoint, settings)) is not None:
            found[address.names[0]] = endpoint.base_url
    return found


def endpoints_of(targets: Mapping[int, Target]) -> list[Endpoint]:
    """Return the endpoints of targets, each once."""
    found = {id(one): one for target in targets.values() for one in (target.endpoint, *target.others)}
    return list(found.values())


class KeyRing:
    """The secrets that a worker has."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._own = {**_of_user(environ), **environ}
        self._sent: dict[str, str] = {}

    def add(self, keys: Mapping[str, str]) -> None:
        """Take keys that the coordinator sent."""
        self._sent.update(keys)

    def find(self, place: SecretPlace) -> tuple[str, Secret] | None:
        """Return the variable and the secret, `None` where none is set. Raises `ConfigError`."""
        for known in (self._sent, self._own):
            for name in place.names:
                if value := known.get(name, "").strip():
                    if not value.isascii() or not value.isprintable() or " " in value:
                        raise ConfigError(
                            f"the key in {name} holds a blank, a line break or a letter that no key has"
                        )
                    return name, Secret(value)
        return None

    def __repr__(self) -> str:
        return "KeyRing(***)"


def _of_user(environ: Mapping[str, str]) -> dict[str, str]:
    try:
        home = home_folder(environ)
    except ConfigError:
        return {}
    path = Path(home) / ".env"
    if not is_file(path):
        return {}
    try:
        lines = read_dotenv(path, environ, Path(home), Problems())
    except ConfigError:
        return {}  # what is missing then is said
    return {name: line.secret.reveal() for name, line in lines.items()}
