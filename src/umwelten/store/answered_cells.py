"""The answers that a plan would find, for a preview that changes nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection

from umwelten.store.inputs import Contents, ReadHash, prompts_by_variant
from umwelten.store.moved_answers import Movable
from umwelten.store.rows import clean
from umwelten.store.tables import SUCCEEDED, call_id_sql
from umwelten.types import FoundInput, ModelRef

# The input may have been left out of the latest plan, and so may the variant.
_KNOWN = "SELECT id, stamp = ? FROM inputs WHERE name = ?"
# Of one input and one variant: the answers that are still good, by what was sent.
_GOOD = f"""
    SELECT c.content, count(*) FROM calls c CROSS JOIN inputs i ON i.id = c.input_id
    WHERE c.id BETWEEN {call_id_sql(":input", ":variant", "0")}
    AND {call_id_sql(":input", ":variant", ":repeats")} AND c.status = {SUCCEEDED}"""
_SAME_STAMP = f"{_GOOD} AND c.input_version = i.version GROUP BY c.content"
_SAME_CONTENT = f"{_GOOD} AND c.content = :content GROUP BY c.content"

# All answers about rows, which may move to others; each is taken once.
_POOL = (
    "CREATE TEMP TABLE pool (model_id INTEGER, content BLOB, n INTEGER, PRIMARY KEY (model_id, content))"
    " WITHOUT ROWID",
    f"""INSERT INTO pool SELECT c.model_id, c.content, count(*)
    FROM calls c JOIN inputs i ON i.id = c.input_id
    WHERE c.status = {SUCCEEDED} AND i.part <> '' GROUP BY c.model_id, c.content""",
)
_LEFT = "SELECT n FROM pool WHERE model_id = ? AND content = ? AND n > 0"
_TAKE = "UPDATE pool SET n = n - ? WHERE model_id = ? AND content = ?"


class AnsweredCells:
    """The good answers that a plan would find, of whatever inputs, models and prompts there were before.

    Of answers that would move, as many are counted as there are, whatever repeat they are of.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        prompts: Collection[str],
        repeats: int,
        read_hash: ReadHash,
        movable: Movable,
        *,
        again: bool = False,
    ) -> None:
        """`prompts` are the names of the several prompts, or one empty name. `again` as in `write_inputs`."""
        self._again = again
        self._connection, self._repeats, self._read_hash = connection, repeats, read_hash
        self._prompts = prompts_by_variant(connection)
        self._movable = {variant for variant, prompt in self._prompts.items() if movable(prompt)}
        self._has_pool = False
        self._variants: dict[str, list[int]] = {}
        rows = connection.execute(
            "SELECT m.id, m.name, coalesce(p.name, '') FROM models m"
            " LEFT JOIN prompts p ON p.id = m.prompt_id"
        )
        for variant, model, prompt in rows:
            if prompt in prompts:
                self._variants.setdefault(model, []).append(variant)

    def count(self, scanned: FoundInput, model: ModelRef) -> int:
        """Return how many of the calls about this input to this model need not be made."""
        known = self._connection.execute(_KNOWN, (scanned.stamp, clean(scanned.name))).fetchone()
        contents = Contents(self._read_hash, scanned.path, scanned.part, self._prompts, scanned.name)
        variants = self._variants.get(str(model), ())
        return sum(self._count_variant(known, variant, contents, bool(scanned.part)) for variant in variants)

    def _count_variant(
        self, known: tuple[int, bool] | None, variant: int, contents: Contents, is_part: bool
    ) -> int:
        own = self._count_own(*known, variant, contents) if known is not None else {}
        count = sum(own.values())
        if not is_part or variant not in self._movable:
            return count
        self._fill_pool()
        for content, number in own.items():
            self._connection.execute(_TAKE, (number, variant, content))
        return count + (self._take(variant, contents, self._repeats - count) if count < self._repeats else 0)

    def _count_own(self, number: int, same: bool, variant: int, contents: Contents) -> dict[bytes, int]:
        cell: dict[str, object] = {"input": number, "variant": variant, "repeats": self._repeats}
        same = same and not self._again
        if not same:
            cell["content"] = contents.of(variant)
        return dict(self._connection.execute(_SAME_STAMP if same else _SAME_CONTENT, cell).fetchall())

    def _take(self, variant: int, contents: Contents, most: int) -> int:
        """Take up to so many answers to the same out of the pool; return how many."""
        wanted = (variant, contents.of(variant))
        left = self._connection.execute(_LEFT, wanted).fetchone()
        taken = 0 if left is None else min(most, int(left[0]))
        self._connection.execute(_TAKE, (taken, *wanted))
        return taken

    def _fill_pool(self) -> None:
        if not self._has_pool:
            self._has_pool = True
            for statement in _POOL:
                self._connection.execute(statement)
