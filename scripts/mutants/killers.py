"""Which tests are tried on a fault, in which order.

With coverage (`Measured`): the tests that ran the statement; those whose file is named after the module
first, then those of its package, then the others, the quick before the slow. What runs at import,
a constant or the default of a field, belongs to no test: there it is the tests that ran a line with its name.
Without (`Mapped`): whole files from `test_files.json`, which `--write-map` makes from coverage.
"""

from __future__ import annotations

import ast
import difflib
import functools
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import coverage

from .sites import GROUPS, PACKAGE, Mutant, modules

MAP = Path(__file__).with_name("test_files.json")
# Seconds of tests that a fault of a module is worth where nothing says which of them see it. With
# coverage, as they were measured, tests take two to three times as long as without.
FILES_S = 30.0
# What a file is taken to last of which nothing is known.
UNKNOWN_S = 1.0
# Constants made of constants are followed so far.
MOST_NAMES = 5
_PHASE = re.compile(r" \((?:setup|call|teardown)\)$")


@dataclass(frozen=True)
class Killers:
    """Tests to try, in order: ids, or files; and what each takes in seconds, as far as known."""

    tests: Sequence[str]
    seconds: Mapping[str, float]


def own_folder(module: str) -> str:
    """Where the tests of a module lie: `tests/control` for `control/gate.py`; `tests` for `identity.py`."""
    return f"tests/{module.partition('/')[0]}" if "/" in module else "tests"


class Measured:
    """What `collecting.collect` found, on the copy of the sources that it was made with."""

    def __init__(self, found: Path, root: Path) -> None:
        self.root = root
        self._tree = (found / "tree").resolve()
        self.seconds: dict[str, float] = json.loads((found / "tests.json").read_text())
        self._data = coverage.CoverageData(str(found / "coverage"))
        self._data.read()
        # Tests that were written or changed since: nobody knows what they run.
        self._later = [path for path in _test_files(root) if not _is_same(root / path, self._tree / path)]

    def of(self, mutant: Mutant) -> Killers:
        """The tests that ran the fault's statement, and its package's files that are newer than that."""
        lines, names = _statement(self.root / PACKAGE / mutant.module, mutant.line)
        tests = set().union(*(self._naming(name, mutant.module) for name in names))
        if not names or not tests:
            tests = self._at(mutant.module, lines) or set().union(*self.by_line(mutant.module).values())
        module = mutant.module

        def rank(test: str) -> tuple[float, float]:
            return -_worth(test.partition("::")[0], module), self.seconds.get(test, UNKNOWN_S)

        later = {path for path in self._later if _worth(path, module) > 1}
        kept = (test for test in tests if test.partition("::")[0] not in later)
        return Killers(sorted([*later, *kept], key=rank), self.seconds)

    @functools.cache  # noqa: B019  there is one for the whole run
    def by_line(self, module: str) -> Mapping[int, set[str]]:
        """Line of the source as it was measured → the tests that ran it and passed."""
        found = self._data.contexts_by_lineno(str(self._tree / PACKAGE / module))
        return {
            line: {name for context in contexts if (name := _PHASE.sub("", context)) in self.seconds}
            for line, contexts in found.items()
        }

    def _at(self, module: str, lines: Iterable[int]) -> set[str]:
        measured = self.by_line(module)
        then = self._then(module)
        return set().union(*(measured.get(then.get(line, 0), set()) for line in lines))

    @functools.cache  # noqa: B019
    def _then(self, module: str) -> Mapping[int, int]:
        """Line of the source now → the same line when it was measured."""
        old = _lines(self._tree / PACKAGE / module)
        new = _lines(self.root / PACKAGE / module)
        if old == new:
            return {line: line for line in range(1, len(new) + 1)}
        blocks = difflib.SequenceMatcher(None, old, new, autojunk=False).get_matching_blocks()
        return {b + i + 1: a + i + 1 for a, b, length in blocks for i in range(length)}

    def _naming(self, name: str, module: str) -> set[str]:
        """The tests that ran a statement with this name: anywhere for a public one, else in its own module.

        Where another constant or field is made of it, those that ran a statement with that one's name.
        """
        base = self.root / PACKAGE
        everywhere = [path.relative_to(base).as_posix() for path in base.rglob("*.py")]
        found: set[str] = set()
        seen: set[tuple[str, str]] = set()
        left = [(name, module)]
        while left:
            name, module = left.pop()
            seen.add((name, module))
            word = re.compile(rf"\b{re.escape(name)}\b")
            for path in [module] if name.startswith("_") else everywhere:
                for number, line in enumerate(_lines(base / path), 1):
                    if word.search(line):
                        lines, others = _statement(base / path, number)
                        found |= set() if others else self._at(path, lines)
                        made = [(other, path) for other in others if other != name]
                        left += [one for one in made if one not in seen] if len(seen) < MOST_NAMES else []
        return found

    def write_map(self) -> None:
        """For each module of the groups, files of tests that together run most of it in little time."""
        chosen = {module: self._files(module) for group in GROUPS for module in modules(self.root, group)}
        MAP.write_text(json.dumps({k: v for k, v in chosen.items() if v}, indent=1, sort_keys=True) + "\n")

    def _files(self, module: str) -> list[str]:
        lines: dict[str, set[int]] = {}
        for line, tests in self.by_line(module).items():
            for path in {test.partition("::")[0] for test in tests}:
                lines.setdefault(path, set()).add(line)
        cost: dict[str, float] = dict.fromkeys(lines, 0.3)
        for test, seconds in self.seconds.items():
            path = test.partition("::")[0]
            if path in cost:
                cost[path] += seconds
        chosen: list[str] = []
        seen: set[int] = set()
        left = FILES_S
        while candidates := [path for path in lines if cost[path] <= left and lines[path] - seen]:
            gain = {path: _worth(path, module) * len(lines[path] - seen) / cost[path] for path in candidates}
            best = max(candidates, key=lambda path: (gain[path], path))
            chosen.append(best)
            seen |= lines.pop(best)
            left -= cost[best]
        # Files named after the module or its package assert what it does; the others merely run it.
        own = sorted((path for path in lines if _worth(path, module) > 1), key=cost.__getitem__)
        for path in own:
            if cost[path] <= left:
                chosen.append(path)
                left -= cost[path]
        return chosen


def _worth(path: str, module: str) -> float:
    """Tests that are named after the module know best what it must do, those of its package well."""
    if Path(path).parent != Path(own_folder(module)):
        return 1.0
    return 10.0 if Path(module).stem in Path(path).stem else 3.0


class Mapped:
    """The file named after the module, and those of the map; for a module not in it, its package's."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._map: Mapping[str, list[str]] = json.loads(MAP.read_text())

    def of(self, mutant: Mutant) -> Killers:
        """Files that exist; a test that ran and failed is the killer, whichever it is."""
        named = self._map.get(mutant.module) or [
            path for path in _test_files(self.root) if path.startswith(own_folder(mutant.module) + "/")
        ]
        own = f"{own_folder(mutant.module)}/test_{Path(mutant.module).stem}.py"
        paths = dict.fromkeys([own, *named])
        return Killers([path for path in paths if (self.root / path).exists()], {})


@functools.cache
def _statement(path: Path, line: int) -> tuple[frozenset[int], tuple[str, ...]]:
    """The lines of the statement at a line (a block's head), and the names of one that runs at import.

    What stands in the head of a function, such as a default, is seen by what runs in it.
    """
    inner: ast.stmt | None = None
    in_function = False
    node: ast.AST = _tree(path)
    while below := next((child for child in _blocks(node) if _first(child) <= line <= _last(child)), None):
        in_function = in_function or isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef)
        inner = node = below
    if inner is None:
        return frozenset((line,)), ()
    if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef):
        return frozenset(range(inner.body[0].lineno, _last(inner) + 1)), ()
    body = getattr(inner, "body", None)
    lines = frozenset(
        range(_first(inner), max(_first(body[0]) - 1 if body else _last(inner), inner.lineno) + 1)
    )
    if in_function:
        return lines, ()
    targets = getattr(inner, "targets", None) or [getattr(inner, "target", inner)]
    return lines, tuple(name for target in targets for name in _names(target))


@functools.cache
def _tree(path: Path) -> ast.AST:
    return ast.parse(path.read_text(encoding="utf-8"))


def _blocks(node: ast.AST) -> list[ast.stmt]:
    """The statements directly below a node, also those in branches, handlers and cases."""
    found: list[ast.stmt] = []
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.stmt):
            found.append(child)
        elif isinstance(child, ast.ExceptHandler | ast.match_case):
            found += child.body
    return found


def _first(node: ast.stmt) -> int:
    decorators: list[ast.expr] = getattr(node, "decorator_list", [])
    return min([node.lineno, *(made.lineno for made in decorators)])


def _last(node: ast.stmt) -> int:
    return node.end_lineno or node.lineno


def _names(node: ast.AST) -> list[str]:
    if isinstance(node, ast.ClassDef):
        return [node.name]
    return [
        part.id for part in ast.walk(node) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)
    ]


@functools.cache
def _lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


def _test_files(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in (root / "tests").rglob("test_*.py"))


def _is_same(one: Path, other: Path) -> bool:
    return other.exists() and one.read_bytes() == other.read_bytes()
