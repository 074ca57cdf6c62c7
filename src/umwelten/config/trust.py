"""What a project's files demand, and whether the user has trusted it.

A demand is anything by which a file of the project would send, read, write or run what is not its own. It is
known by a hash of what it comes to and of the files that say so, so that a change is another demand.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path

import msgspec

from umwelten.config.option_types import SWITCH
from umwelten.config.project_files import Place
from umwelten.config.trust_store import Grants, read_grants
from umwelten.errors import ConfigError, Untrusted
from umwelten.text.sanitize import one_line
from umwelten.types import FrozenStruct

VARIABLE = "UMWELTEN_TRUST"
"""Set in the environment, it trusts whatever the project's files demand."""

_WIDEST = 1_000


class Demand(FrozenStruct):
    """What a project's files demand at these places, the first of which is named.

    `text` is for the user to read; `facts` are what, besides places, makes it this demand. `code` is the
    Python source that would be run.
    """

    kind: str
    places: tuple[Place, ...]
    text: str
    facts: tuple[str, ...]
    code: bytes | None = None

    def __str__(self) -> str:
        return f"{self.places[0]}: this project's file {self.text}"

    @property
    def path(self) -> str:
        """The file that it is kept under."""
        return str(self.places[0].file.path)

    @property
    def digest(self) -> str:
        """The hash by which it is known again."""
        import hashlib  # slow to load, and hardly any project demands anything

        places = [
            (str(place.file.path), str(place.file.real), place.file.owner, place.uses, _written(place))
            for place in self.places
        ]
        code = None if self.code is None else hashlib.sha256(self.code).hexdigest()
        return hashlib.sha256(msgspec.json.encode((self.kind, places, self.facts, code))).hexdigest()


def _written(place: Place) -> str | None:
    return None if place.written is None else place.written.reveal()


class Trust(FrozenStruct):
    """What the user trusts: `everything`, or what is kept in the configuration `folder` (`None`: no home)."""

    everything: bool = False
    folder: Path | None = None

    def lacking(self, demands: Iterable[Demand]) -> list[Demand]:
        """Return the demands that are not trusted, each once."""
        by_digest = {demand.digest: demand for demand in demands}
        if not by_digest or self.everything:
            return []
        granted: Grants = {}
        if self.folder is not None:
            with suppress(ConfigError):  # what cannot be read trusts nothing; commands that change it say so
                granted = read_grants(self.folder)
        return [demand for digest, demand in by_digest.items() if digest not in granted.get(demand.path, {})]

    def require(self, demands: Iterable[Demand]) -> None:
        """Raise `Untrusted` that names all demands that are not trusted."""
        lacking = self.lacking(demands)
        if lacking:
            hint = "Look at it, then: umwelten trust"
            if self.folder is None:
                hint = f"Without a home directory nothing is kept: look at it, then set {VARIABLE}=1."
            # A file's name or an address must not look like another line.
            lines = dict.fromkeys(one_line(str(demand), _WIDEST) for demand in lacking)
            raise Untrusted("\n".join(lines), hint)


def trusts_everything(environ: Mapping[str, str]) -> bool:
    """Return whether the environment says to trust whatever is demanded. Raises `ConfigError`."""
    text = environ.get(VARIABLE, "").strip()
    try:
        return bool(text) and bool(SWITCH.read(text))
    except ValueError:
        raise ConfigError(f"{VARIABLE}={text} is not allowed", "Write 1 or 0.") from None
