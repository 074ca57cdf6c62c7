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
from umwelten.config.settings import load
from umwelten.config.suite_file import read_suite_file
from umwelten.evaluation.suite.ahead import look_ahead
from umwelten.evaluation.suite.plan import plan_suite

FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
SCORERS = ("Exact", "Number", "Judge", "Function")
JUDGED = ("rank", "RankJob", "Ranking", "suite", "SuiteJob", "Leaderboard")
PUBLIC = ("run", "batch", "open", "evaluations", "Answers", "Job", "Scores", "ScoreJob", *JUDGED, *SCORERS)
MODULES = [
    module.name
    for module in pkgutil.walk_packages(umwelten.__path__, "umwelten.")
    if not module.name.startswith("umwelten.api")
    and not module.name.endswith("__main__")
    and ">>> " in Path(str(module.module_finder.find_spec(module.name).origin)).read_text("utf-8")  # type: ignore[union-attr,call-arg]
]

EXAMPLES = Path(__file__).parents[1] / "examples"
SUITES = {
    "suites/numbers.toml": {"find": 24, "compute": 24},
    "suites/letters.toml": {"records": 12},
    "suites/labels.toml": {"topic": 20, "mood": 20},
    "scoring/nightly.toml": {"capitals": 100, "letters": 12},
}


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


@pytest.mark.parametrize(("file", "calls"), SUITES.items())
def test_the_suites_can_be_planned(file: str, calls: dict[str, int], tmp_path: Path) -> None:
    configured = load(tmp_path, {"OPENAI_API_KEY": "none"}, tmp_path)
    plan = plan_suite(read_suite_file(EXAMPLES / file), configured, {"output_dir": tmp_path / "output"})
    assert {task.name: look_ahead(task).plan.calls for task in plan.tasks} == calls
    assert all(task.scoring.scorers for task in plan.tasks)
    plan.close()


def test_the_demo_takes_no_file_of_the_suites() -> None:
    assert not list((EXAMPLES / "suites").rglob("*.txt"))
