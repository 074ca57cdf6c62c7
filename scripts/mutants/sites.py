"""Where a fault can be put, which are drawn, and the source with the fault in it."""

from __future__ import annotations

import ast
import difflib
import functools
import hashlib
import random
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cosmic_ray.plugins
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code

from .operators import OPERATORS

PACKAGE = Path("src/umwelten")
# What decides, counts, stores and pays. Each gets an equal share of the draw: the small ones matter most.
_TRANSPORT = ("transport", "connections", "proxies", "reading")
GROUPS: Mapping[str, tuple[str, ...]] = {
    "tools": (
        "attempts/tool_use.py",
        "engine/tool_steps.py",
        "prompts/tool_turns.py",
        "store/memory/*.py",
        "store/steps.py",
        "tools/*.py",
        "tools/built_in/*.py",
    ),
    "control": ("control/*.py",),
    "store": ("store/*.py",),
    "identity": ("identity.py",),
    "transport": tuple(f"attempts/{name}.py" for name in _TRANSPORT),
    "attempts": ("attempts/*.py",),
    "pricing": ("pricing/*.py",),
    "schema": ("schema/*.py",),
    "filters": ("inputs/filters.py",),
    "scoring": (
        "scoring/*.py",
        "scoring/judge/*.py",
        "scoring/ranking/*.py",
        "evaluation/scoring/*.py",
        "evaluation/ranking/*.py",
        "evaluation/suite/*.py",
        "store/scores/*.py",
        "report/queries/score_*.py",
    ),
    "report": ("report/queries/*.py", "report/*.py"),
    "estimate": ("evaluation/estimate.py", "evaluation/sampling.py", "evaluation/preview.py"),
    "engine": ("engine/*.py",),
    "statistics": ("statistics/*.py",),
    "providers": ("providers/*/*.py", "providers/base_url.py", "providers/model_names.py"),
}
# What no one writes by mistake and every test sees (`a ** b` for `a + b`), what is the same (`is` for `==`
# between small numbers), and operators that need arguments.
_LEFT_OUT = re.compile(r"_(Pow|LShift|RShift|BitOr|BitXor|BitAnd|Is|IsNot|Invert|UAdd)$|USub_Not$|^Variable")
_KEPT = ("_Is_IsNot", "_IsNot_Is", "_BitOr_BitAnd", "_BitAnd_BitOr")


@dataclass(frozen=True)
class Mutant:
    """One fault: the how-manieth place of an operator in a module (a path below the package)."""

    group: str
    module: str
    operator: str
    occurrence: int
    line: int
    # Of the module as it was drawn from: a result holds for this source only.
    source: str

    @property
    def id(self) -> str:
        """The same fault in the same source has the same id."""
        return f"{self.module}:{self.line}:{self.operator}:{self.occurrence}:{self.source}"


def modules(root: Path, group: str) -> list[str]:
    """The modules of a group that no group before it has, as paths below the package, in order."""
    base = root / PACKAGE
    found: set[Path] = set()
    for name, patterns in GROUPS.items():
        here = {path for pattern in patterns for path in base.glob(pattern)} - found
        if name == group:
            return sorted(path.relative_to(base).as_posix() for path in here)
        found |= here
    raise ValueError(f"no group {group!r}: {', '.join(GROUPS)}")


@functools.cache
def _operators() -> dict[str, Any]:
    named = {
        name.partition("/")[2]: cosmic_ray.plugins.get_operator(name)
        for name in cosmic_ray.plugins.operator_names()
        if name.endswith(_KEPT) or not _LEFT_OUT.search(name.partition("/")[2])
    }
    return {**named, **{operator.__name__: operator for operator in OPERATORS}}


def digest(text: str) -> str:
    """Eight digits that change with the text."""
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def sites(root: Path, group: str) -> list[list[Mutant]]:
    """Every place of the group where a fault can be put, each with the faults that it can be."""
    found: dict[tuple[str, int, int], list[Mutant]] = {}
    for module in modules(root, group):
        text = (root / PACKAGE / module).read_text(encoding="utf-8")
        nodes = [node for node in ast_nodes(get_ast(text)) if not _is_idle(node)]
        spared = _spared(text)
        signs = {node.start_pos for node in nodes if _is_no_calculation(node)}
        for name, make in _operators().items():
            operator = make()
            positions = (at for node in nodes for at in operator.mutation_positions(node))
            for occurrence, (start, _) in enumerate(positions):
                if start not in signs and start not in spared:
                    mutant = Mutant(group, module, name, occurrence, start[0], digest(text))
                    found.setdefault((module, *start), []).append(mutant)
    return list(found.values())


def _is_idle(node: Any) -> bool:
    """Whether no operator changes this: four leaves in five, and there are two hundred operators to ask."""
    return node.type in ("name", "newline", "string", "endmarker") or (
        node.type == "operator" and node.value in "().,:=[]{}"
    )


def _is_no_calculation(node: Any) -> bool:
    """Whether a sign of arithmetic means something else: `*` and `/` between parameters, `**kept`."""
    return (
        node.type == "operator"
        and node.value in ("*", "/", "**")
        and node.parent.type not in ("term", "power")
    )


class _Spared:
    """Stretches of a source in which a fault changes nothing that runs."""

    def __init__(self, stretches: list[tuple[tuple[int, int], tuple[int, int]]]) -> None:
        self._stretches = stretches

    def __contains__(self, position: tuple[int, int]) -> bool:
        return any(start <= position < end for start, end in self._stretches)


def _spared(text: str) -> _Spared:
    """Annotations, and what runs for the type checker alone."""
    nodes: list[ast.AST] = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.AnnAssign | ast.arg) and node.annotation is not None:
            nodes.append(node.annotation)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            nodes += [node.returns] if node.returns is not None else []
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            nodes.append(node)
    return _Spared([_stretch(node) for node in nodes])


def _stretch(node: Any) -> tuple[tuple[int, int], tuple[int, int]]:
    return (node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset)


def draw(root: Path, seed: str, count: int, groups: list[str]) -> list[Mutant]:
    """`count` faults by chance: groups in turn, a place of the group, one of the faults that it can be.

    A fault that is no Python or changes nothing is drawn again. The groups alternate in the order of the
    result, so that a part of it is a fair draw too.
    """
    drawn = {group: _of_group(root, seed, group) for group in groups}
    taken: list[Mutant] = []
    while len(taken) < count and drawn:
        for group in list(drawn):
            mutant = next(drawn[group], None)
            if mutant is None:
                del drawn[group]
            elif len(taken) < count:
                taken.append(mutant)
    return taken


def _of_group(root: Path, seed: str, group: str) -> Iterator[Mutant]:
    dice = random.Random(f"{seed}:{group}")
    places = sites(root, group)
    dice.shuffle(places)
    for place in places:
        mutant = dice.choice(place)
        if mutated(root, mutant) is not None:
            yield mutant


def mutated(root: Path, mutant: Mutant) -> str | None:
    """The module's source with the fault; None if that is no Python, or the same program."""
    text = (root / PACKAGE / mutant.module).read_text(encoding="utf-8")
    try:
        changed = mutate_code(text, _operators()[mutant.operator](), mutant.occurrence)
        if changed is None or ast.dump(ast.parse(changed)) == ast.dump(ast.parse(text)):
            return None
        compile(changed, mutant.module, "exec")
    except (SyntaxError, AttributeError, IndexError, AssertionError):
        # Some operators of cosmic-ray do not know every form of a statement.
        return None
    return str(changed)


def diff(root: Path, mutant: Mutant) -> list[str]:
    """The lines that differ, as in a unified diff without its head."""
    text = (root / PACKAGE / mutant.module).read_text(encoding="utf-8")
    lines = difflib.unified_diff(
        text.splitlines(), (mutated(root, mutant) or "").splitlines(), lineterm="", n=0
    )
    return [line for line in lines if not line.startswith(("---", "+++", "@@"))]
