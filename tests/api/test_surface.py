"""The public names and their signatures are as `surface.txt` says.

After a change that is meant: `python tests/api/test_surface.py > tests/api/surface.txt`, and an
entry in CHANGELOG.md. What is taken away or renamed breaks the programs of others.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path

import umwelten
from umwelten.api import scorers

SCORERS = {name for name in scorers.__all__ if name != "Score"}
SURFACE = Path(__file__).with_name("surface.txt")


def surface() -> Iterator[str]:
    """A line for each public name, and for each public member of a class."""
    for name in sorted(umwelten.__all__):
        value = getattr(umwelten, name)
        if inspect.isclass(value):
            bases = [base.__name__ for base in value.__mro__[1:-1] if not is_hidden(base)]
            yield f"class {name}({', '.join(bases)})"
            yield from members(name, value)
        elif inspect.isfunction(value):
            yield from function(name, value)
        elif inspect.ismodule(value):
            yield f"module {name}"
            for each in sorted(value.__all__):
                member = getattr(value, each)
                what = inspect.signature(member) if inspect.isfunction(member) else "class"
                yield f"  {name}.{each} {what}"
        else:
            yield name


def function(name: str, value: object) -> Iterator[str]:
    """The signature, a line a parameter."""
    assert callable(value)
    signature = inspect.signature(value)
    yield f"def {name} -> {signature.return_annotation}"
    for parameter in signature.parameters.values():
        mark = " *" if parameter.kind is parameter.KEYWORD_ONLY else "  "
        yield f"   {mark}{str(parameter).removeprefix('*')}"


def members(name: str, value: type) -> Iterator[str]:
    """Fields, properties, methods and the protocols that it has, also of bases without a public name."""
    fields: tuple[str, ...] = getattr(value, "__struct_fields__", ())
    for field in fields:
        if not field.startswith("_"):
            mark = "*" if name in SCORERS and takes_by_keyword(value, field) else ""
            yield f"  {name}.{mark}{field}: {annotation(value, field)}"
    homes = [value, *(base for base in value.__mro__ if is_hidden(base))]
    found = {member: what for home in reversed(homes) for member, what in vars(home).items()}
    for member, what in sorted(found.items()):
        if member in fields or (member.startswith("_") and member not in PROTOCOLS):
            continue
        if inspect.isfunction(what):
            yield f"  {name}.{member}{inspect.signature(what)}"
        elif isinstance(what, property) or hasattr(what, "attrname"):
            getter = what.fget if isinstance(what, property) else what.func
            yield f"  {name}.{member}: {inspect.signature(getter).return_annotation}"


def is_hidden(base: type) -> bool:
    """A base of the library's own that is no public name."""
    return base.__module__.startswith("umwelten.api.") and base.__name__ not in umwelten.__all__


def takes_by_keyword(value: type, field: str) -> bool:
    return inspect.signature(value).parameters[field].kind is inspect.Parameter.KEYWORD_ONLY


def annotation(value: type, field: str) -> str:
    """The type of a field, as the class says that has it."""
    return next(
        str(vars(base)["__annotations__"][field])
        for base in value.__mro__
        if field in vars(base).get("__annotations__", {})
    )


PROTOCOLS = (
    *("__aenter__", "__aexit__", "__aiter__", "__await__", "__enter__", "__exit__"),
    *("__getitem__", "__iter__", "__len__"),
)


def test_the_public_surface_is_as_written() -> None:
    assert "\n".join(surface()) + "\n" == SURFACE.read_text()


def test_every_public_name_is_there_and_told_by_dir() -> None:
    assert set(umwelten.__all__) <= set(dir(umwelten))
    for name in umwelten.__all__:
        assert getattr(umwelten, name) is not None


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    assert not hasattr(umwelten, "evaluate")


def test_every_public_thing_says_what_it_is() -> None:
    for name in umwelten.__all__:
        value = getattr(umwelten, name)
        if inspect.isclass(value) or inspect.isfunction(value):
            assert inspect.getdoc(value), name


def test_the_package_says_that_it_is_typed() -> None:
    assert Path(umwelten.__file__).with_name("py.typed").exists()


if __name__ == "__main__":
    print("\n".join(surface()))
