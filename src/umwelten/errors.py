"""Everything that umwelten raises on purpose.

    UmweltenError
    ├── UsageError            a flag, id or model name that cannot be used
    ├── ConfigError           a broken .env or umwelten.toml, a missing key
    │   └── Untrusted         what a project's files demand and the user has not trusted
    ├── InputError            a directory, pattern or file that cannot be read
    │   ├── MachineError      one that this machine could not read just now
    │   └── UnsupportedInput  one that can be read but not sent (in `inputs`)
    ├── LocalModelError       the embedded model cannot be found or started
    └── StoreError            the evaluation's folder or database
        ├── EvaluationExists  the id is taken and neither `resume` nor `overwrite` was given
        ├── EvaluationBusy    another process works on it
        └── EvaluationChanged `resume` with a prompt, system, parameter or schema that differs

A failed *call* is not in this tree: it is a `types.Failure`, a value that is stored.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Self

from umwelten.phrases import Spelling, Wording, by_name, spell

EXHAUSTED = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS, errno.EAGAIN))
"""Numbers of an `OSError` for want of room: with less at a time, the same will work."""

_OF_THE_FILE = frozenset(
    (
        errno.ENOENT,
        errno.ENOTDIR,
        errno.EISDIR,
        errno.EACCES,
        errno.EPERM,
        errno.ELOOP,
        errno.ENAMETOOLONG,
        errno.EINVAL,
        errno.ENXIO,
        errno.EFBIG,
        errno.EOVERFLOW,
        errno.EILSEQ,
    )
)
"""Those that say something about the file. With any other, the disk, the network or the machine failed."""


class UmweltenError(Exception):
    """Base of the tree.

    `message` says what is wrong and names the value; `hint` says what to do next. `argument` is the option
    at fault, by its name in `config.options`, where there is one. `exit_code` is the status with which the
    command line ends.

    Both texts may be a `Phrase`, which is kept in `wording` and `hint_wording` until `spell` is called.
    """

    exit_code = 2

    def __init__(self, message: Wording, hint: Wording | None = None, *, argument: str | None = None) -> None:
        super().__init__(message)
        self.wording, self.hint_wording, self.argument = message, hint, argument
        self._concealed: Callable[[str], str] = str
        self.spell(by_name)

    def spell(self, spelling: Spelling) -> Self:
        """Write the options in `message` and `hint` as a front end does; returns the error itself."""
        self.message: str = self._concealed(spell(self.wording, spelling))
        hint = self.hint_wording
        self.hint: str | None = None if hint is None else self._concealed(spell(hint, spelling))
        self.args = (self.message,)
        return self

    def __str__(self) -> str:
        return self.message if self.hint is None else f"{self.message}\n{self.hint}"


def conceal(error: UmweltenError, concealed: Callable[[str], str]) -> None:
    """Put an error's texts through this from now on, however they are spelt."""
    error._concealed = concealed
    error.spell(by_name)


class UsageError(UmweltenError):
    """A flag, id or model name that cannot be used."""


class ConfigError(UmweltenError):
    """A broken `.env` or `umwelten.toml`, or a key that is missing."""


class Untrusted(ConfigError):
    """A project's files would send, read, write or run what the user has not trusted them with."""


class InputError(UmweltenError):
    """A directory, pattern or file that cannot be read."""


class MachineError(InputError):
    """A file that could not be read for trouble of this machine; the same file may be read later.

    `exhausted`: there was no room for it, in the table of open files or in memory.
    """

    def __init__(self, message: Wording, hint: Wording | None = None, *, exhausted: bool = False) -> None:
        super().__init__(message, hint)
        self.exhausted = exhausted


def read_error(path: object, error: OSError) -> InputError:
    """Return the error for a file that can't be read: a `MachineError` unless the file is to blame."""
    message = f"cannot read {path}: {error.strerror or error}"
    if error.errno in _OF_THE_FILE:
        return InputError(message)
    return MachineError(message, exhausted=error.errno in EXHAUSTED)


class LocalModelError(UmweltenError):
    """The embedded model cannot be found, fetched or started."""


class StoreError(UmweltenError):
    """The evaluation's folder or database cannot be used."""


class EvaluationExists(StoreError):
    """The id is taken and neither resume nor overwrite was asked for."""


class EvaluationBusy(StoreError):
    """Another process works on this evaluation."""


class EvaluationChanged(StoreError):
    """Resuming with other settings would mix answers."""
