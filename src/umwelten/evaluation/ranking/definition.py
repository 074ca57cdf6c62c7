"""What a ranking was made by, as it is stored."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from umwelten.errors import StoreError
from umwelten.records import Derived
from umwelten.types import FrozenStruct


class RankingDefinition(FrozenStruct):
    """The ids of the evaluations that are ranked, what judges were asked, and by what pairs were drawn."""

    of: Sequence[str] = ()
    question: str = ""
    seed: str = ""

    def stored(self) -> dict[str, Any]:
        """Return it as it is stored."""
        return msgspec.structs.asdict(self)


def ranking_definition(folder: Path, derived: Derived) -> RankingDefinition:
    """Return what the ranking in a folder was made by. Raises StoreError for what cannot be that.

    To take another seed in its place would draw other pairs, and pay for their verdicts.
    """
    try:
        return msgspec.convert(derived.definition, RankingDefinition)
    except msgspec.ValidationError as error:
        raise StoreError(f"the settings of ranking {folder.name!r} cannot be read: {error}") from error
