"""Everything that umwelten raises on purpose.

    UmweltenError
    ├── UsageError            a flag, id or model name that cannot be used
    ├── ConfigError           a broken .env or umwelten.toml, a missing key
    ├── InputError            a directory, pattern or file that cannot be read
    │   └── UnsupportedInput  one that can be read but not sent (in `inputs`)
    ├── LocalModelError       the embedded model cannot be found or started
    └── StoreError            the evaluation's folder or database
        ├── EvaluationExists  the id is taken and neither `resume` nor `overwrite` was given
        ├── EvaluationBusy    another process works on it
        └── EvaluationChanged `resume` with a prompt, system, parameter or schema that differs

A failed *call* is not in this tree: it is a `types.Failure`, a value that is stored.
"""

from __future__ import annotations

from typing import Self

from umwelten.phrases import Spelling, Wording, by_name, spell


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
        self.spell(by_name)

    def spell(self, spelling: Spelling) -> Self:
        """Write the options in `message` and `hint` as a front end does; returns the error itself."""
        self.message: str = spell(self.wording, spelling)
        self.hint: str | None = None if self.hint_wording is None else spell(self.hint_wording, spelling)
        self.args = (self.message,)
        return self

    def __str__(self) -> str:
        return self.message if self.hint is None else f"{self.message}\n{self.hint}"


class UsageError(UmweltenError):
    """A flag, id or model name that cannot be used."""


class ConfigError(UmweltenError):
    """A broken `.env` or `umwelten.toml`, or a key that is missing."""


class InputError(UmweltenError):
    """A directory, pattern or file that cannot be read."""


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
