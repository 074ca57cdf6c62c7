"""The examples in docstrings do what they say; those of the library against a provider on this machine."""

from __future__ import annotations

import doctest
import inspect
import pkgutil
import sys
from importlib import import_module
from pathlib import Path

import pytest

import umwelten
from api.conftest import server as server
from provider import Provider

FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
SCORERS = ("Exact", "Number", "Judge", "Function")
PUBLIC = ("run", "batch", "open", "evaluations", "Answers", "Job", "Scores", "ScoreJob", *SCORERS)
MODULES = [
    module.name
    for module in pkgutil.walk_packages(umwelten.__path__, "umwelten.")
    if not module.name.startswith("umwelten.api")
    and not module.name.endswith("__main__")
    and ">>> " in Path(str(module.module_finder.find_spec(module.name).origin)).read_text("utf-8")  # type: ignore[union-attr,call-arg]
]


@pytest.mark.parametrize("name", PUBLIC)
def test_the_examples_of_the_library_work(name: str, server: Provider, tmp_path: Path) -> None:
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "tides.txt").write_text("The tides follow the moon.")
    text = inspect.getdoc(getattr(umwelten, name))
    example = doctest.DocTestParser().get_doctest(text or "", {"umwelten": umwelten}, name, None, None)
    assert example.examples, f"umwelten.{name} has no example"
    _check(example)


def test_every_module_with_examples_is_found() -> None:
    assert {"umwelten.phrases", "umwelten.simulate.profile"} <= set(MODULES)


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_of_a_module_work(name: str) -> None:
    module = import_module(name)
    for example in doctest.DocTestFinder().find(module):
        _check(example)


def _check(example: doctest.DocTest) -> None:
    failed = doctest.DocTestRunner(optionflags=FLAGS, verbose=False).run(example, out=sys.stdout.write).failed
    assert not failed
