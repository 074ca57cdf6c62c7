"""What all scorers of the library are made of: fields that become the table of a scorers file."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, ClassVar

import msgspec

from umwelten.errors import UsageError
from umwelten.inputs.references import names_references
from umwelten.scoring.catalog import CATALOG
from umwelten.scoring.definition import Definition, NamedPlace, read_scorer

Word = str | int | float | bool | Decimal | date
Expected = str | Path | Word | Sequence[Word]
"""What an answer should be, or where that is said."""

PLACE = NamedPlace(name="scorers")


class Scorer(msgspec.Struct, frozen=True, kw_only=True):
    """What answers are scored by. Its fields are the settings of `scorers.toml`, with the same defaults.

    `at_least` is the value from which an answer passes (yes/no scorers: 1; graded ones: none, then nothing
    passes or fails). `weight` is its share in the total; with `part_of_total=False` it has none. Mistakes
    are raised where the scorer is used, as `ConfigError`.
    """

    _type: ClassVar[str] = ""

    at_least: float | None = None
    weight: float = 1.0
    part_of_total: bool = True

    def _definition(self, name: str) -> Definition:
        """Return the scorer of that name. Errors: `ConfigError`, `UsageError`."""
        return read_scorer(name, self._table(name), PLACE)

    def _table(self, name: str) -> dict[str, Any]:
        """Return the settings that differ from the defaults, as in a file."""
        table: dict[str, Any] = {"type": self._type}
        for field in msgspec.structs.fields(self):
            value = getattr(self, field.name)
            default = None if field.default is msgspec.NODEFAULT else field.default
            if field.default_factory is not msgspec.NODEFAULT:
                default = field.default_factory()
            if type(value) is not type(default) or value != default:
                # `not_` is `not` in a file, which is no name in Python.
                table[field.name.removesuffix("_")] = _plain(value)
        return self._placed(name, table)

    def _placed(self, name: str, table: dict[str, Any]) -> dict[str, Any]:
        """Return the table with `expected` where a file has it: a place of references, or an answer."""
        where = table.get("expected")
        needs = CATALOG[self._type].needs
        if where is None or needs == "fields" or isinstance(getattr(self, "expected", None), Path):
            return table
        if isinstance(where, str) and names_references(where):
            return table
        if needs not in ("each", "list", "set"):
            return table | {"expected": f"={where}"}
        if "value" in table:
            raise UsageError(f"scorer {name!r} has two answers: {where!r} and {table['value']!r}")
        del table["expected"]
        return table | {"value": where}


class Referenced(Scorer, frozen=True, kw_only=False):
    """A scorer that compares with what the answer should be, `expected`.

    `expected` may be a text with placeholders (`"{{row.answer}}"`), a table (`"labels.csv"` or a `Path`), a
    file an input (`"@gold/{{file.stem}}.txt"`), another evaluation (`"ID:gold"`), or else the answer itself
    (`"Paris"`, `42`, `["yes", "yeah"]`). Without one, the `expected` of all scorers counts. `value` is the
    answer itself, whatever it looks like.
    """

    expected: Expected | None = None


def _plain(value: Any) -> Any:
    """Return a value as a file would give it."""
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, tuple | set | frozenset):
        return [_plain(item) for item in value]
    if isinstance(value, type) and hasattr(value, "model_json_schema"):
        return value.model_json_schema()
    return value
