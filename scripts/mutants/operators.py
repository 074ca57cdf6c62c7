"""Kinds of faults that cosmic-ray does not make: a call left out, an error not raised, nothing returned."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import parso
from cosmic_ray.operators.operator import Example, Operator


class _Statement(Operator):
    """Puts another statement in the place of one."""

    instead: str

    def fits(self, node: Any) -> bool:
        """Whether this node is such a statement."""
        raise NotImplementedError

    def mutation_positions(self, node: Any) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
        """The one position, if the node fits."""
        if self.fits(node):
            yield node.start_pos, node.end_pos

    def mutate(self, node: Any, index: int) -> Any:
        """The other statement, with the white space before the first."""
        statement = parso.parse(self.instead).children[0]
        statement.get_first_leaf().prefix = node.get_first_leaf().prefix
        return statement


class DropCall(_Statement):
    """`f(x)` or `await f(x)` as a statement becomes `pass`."""

    instead = "pass"

    def fits(self, node: Any) -> bool:
        """A statement of its own that ends in brackets."""
        return bool(
            node.parent is not None
            and node.parent.type in ("simple_stmt", "suite", "file_input")
            and node.type in ("atom_expr", "power")
            and node.children[-1].type == "trailer"
            and node.children[-1].children[0].value == "("
        )

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        """What it does."""
        return (Example("f(1)\n", "pass\n"),)


class DropRaise(_Statement):
    """`raise …` becomes `pass`."""

    instead = "pass"

    def fits(self, node: Any) -> bool:
        """With or without an error."""
        return bool(
            node.type == "raise_stmt" or (node.type == "keyword" and node.value == "raise" and _alone(node))
        )

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        """What it does."""
        return (Example("raise E\n", "pass\n"),)


class ReturnNone(_Statement):
    """`return x` becomes `return None`."""

    instead = "return None"

    def fits(self, node: Any) -> bool:
        """Where something is returned that is not None already."""
        return bool(node.type == "return_stmt" and node.children[1].get_code().strip() != "None")

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        """What it does."""
        return (Example("def f():\n    return 1\n", "def f():\n    return None\n"),)


def _alone(node: Any) -> bool:
    return node.parent is not None and node.parent.type == "simple_stmt"


OPERATORS = (DropCall, DropRaise, ReturnNone)
