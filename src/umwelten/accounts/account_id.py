"""What an account is known by between runs and between processes: a salted hash of its key and address.

The salt is drawn once, for this user, and kept in the state folder. So an id says nothing of the key, not
even to whoever guesses it, and the ids of one user mean nothing to another.
"""

from __future__ import annotations

import hashlib
import secrets
from pathlib import Path

from umwelten.errors import ConfigError
from umwelten.private_files import locked, read_private, write_private
from umwelten.types import FrozenStruct, Secret

SALT_NAME = "account-salt"
_SALT_BYTES = 32
_ID_BYTES = 16
_PURPOSE = b"umwelten-account"


class AccountIds(FrozenStruct):
    """The ids of accounts, by one user's salt."""

    salt: bytes

    def __repr__(self) -> str:
        return "AccountIds(***)"

    def id(self, base_url: str, api_key: Secret | None) -> str:
        """Return the id of the account that the key has at the address: 32 hexadecimal digits."""
        secret = b"" if api_key is None else api_key.reveal().encode("utf-8", "surrogatepass")
        address = base_url.rstrip("/").encode("utf-8", "surrogatepass")
        # The length keeps the two apart.
        text = len(address).to_bytes(8, "big") + address + secret
        return hashlib.blake2b(text, key=self.salt, digest_size=_ID_BYTES, person=_PURPOSE).hexdigest()


def account_ids(folder: Path) -> AccountIds:
    """Return the ids by the salt in the folder; the first time, one is drawn and kept there.

    Processes that come at once agree on one. Raises ConfigError if it can neither be read nor kept.
    """
    path = folder / SALT_NAME
    try:
        salt = _read(path)
        if salt is None:
            with locked(folder):
                salt = _read(path)
                if salt is None:
                    salt = secrets.token_bytes(_SALT_BYTES)
                    write_private(path, salt)
    except OSError as error:
        why = error.strerror or "it is in use, or others could have written it"
        raise ConfigError(f"cannot keep what accounts are known by in {path}: {why}") from None
    return AccountIds(salt=salt)


def _read(path: Path) -> bytes | None:
    """Return the salt, `None` if there is none or it is damaged: then nothing of it is worth keeping."""
    try:
        salt = read_private(path, _SALT_BYTES + 1)
    except FileNotFoundError:
        return None
    return salt if len(salt) == _SALT_BYTES else None
