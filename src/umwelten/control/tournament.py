"""The first of many in an order that changes all the time, found and kept up to date in logarithmic time.

Theory of operation. The contestants are the leaves of a binary tree. Each node knows the least key below it,
and the least of what its leaves need (bytes, cost, tokens), so that a search leaves out whole branches in
which nothing fits. A gate is a node with one child: shut, it hides what is below it. After a change only the
nodes on the way to the root are looked at, and no further than something changes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

Key = tuple[float, ...]

NOBODY: Key = (math.inf,)
"""The key of a node below which nobody takes part: it is greater than any other."""


Needs = tuple[int, int, int]
"""What a call must find free to start: bytes, nano-USD and tokens of its input."""

NOTHING_FITS: Needs = (1 << 62, 1 << 62, 1 << 62)
"""The needs of nobody."""


class Node:
    """See the module's text. Changes are told no further than to the next gate, while that is `pending`."""

    __slots__ = ("key", "left", "needs", "parent", "pending", "right", "shut")

    def __init__(self, left: Node | None = None, right: Node | None = None) -> None:
        self.key, self.needs = NOBODY, NOTHING_FITS
        self.left, self.right, self.shut, self.pending = left, right, False, False
        self.parent: Node | None = None
        for child in (left, right):
            if child is not None:
                child.parent = self

    def enter(self, key: Key, needs: Needs) -> None:
        """Take part with this key and these needs."""
        self.key, self.needs = key, needs
        if self.parent is not None:
            self.parent.update()

    def leave(self) -> None:
        """Take no part."""
        if self.key is not NOBODY:
            self.enter(NOBODY, NOTHING_FITS)

    def set_shut(self, shut: bool) -> None:
        """Hide or show what is below this gate."""
        if shut is not self.shut or self.pending:
            self.shut, self.pending = shut, False
            self.update()

    def update(self) -> None:
        """Take over what the children know, and tell those above if that is something new."""
        node: Node | None = self
        while node is not None and not node.pending:
            a, b = node.left, node.right
            assert a is not None
            key, needs = a.key, a.needs
            if node.shut:
                key, needs = NOBODY, NOTHING_FITS
            elif b is not None and (other := b.key) is not NOBODY:
                if other < key:
                    key = other
                if needs != b.needs:
                    size, charge, tokens = needs
                    size_b, charge_b, tokens_b = b.needs
                    needs = (
                        size if size < size_b else size_b,
                        charge if charge < charge_b else charge_b,
                        tokens if tokens < tokens_b else tokens_b,
                    )
            if key is node.key and needs == node.needs:
                return
            node.key, node.needs = key, needs
            node = node.parent

    def with_fewest_tokens(self) -> Node:
        """Return the leaf below that needs the fewest tokens."""
        node, tokens = self, self.needs[2]
        while (left := node.left) is not None:
            right = node.right
            node = left if right is None or left.needs[2] == tokens else right
        return node


def gate(below: Node) -> Node:
    """Return a node that can hide what is below it."""
    return Node(below)


def join(nodes: Sequence[Node]) -> Node:
    """Return the root of a balanced tree over these."""
    level = list(nodes) or [Node()]
    while len(level) > 1:
        level = [Node(*level[i : i + 2]) if i + 1 < len(level) else level[i] for i in range(0, len(level), 2)]
    return level[0]
