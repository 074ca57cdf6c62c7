"""The built-in tools beside the calculator, and that their results are the same whenever a call is run."""

from __future__ import annotations

import json
import statistics as reference
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from toolkit import CONTEXT, call, run
from umwelten.tool_calls import ToolCallState
from umwelten.tools.built_in import built_in_tool
from umwelten.tools.entries import BUILT_IN
from umwelten.tools.tool import ToolContext


def told(name: str, context: ToolContext = CONTEXT, **given: Any) -> str:
    (outcome,) = run([built_in_tool(name)], call(name, **given), context=context)
    return outcome.text


def test_each_has_a_description_of_all_that_it_takes() -> None:
    for name in BUILT_IN:
        tool = built_in_tool(name)
        assert tool is not None and tool.read_only and tool.source == "built-in"
        assert tool.definition.name == name and tool.definition.description
        assert all(each["description"] for each in tool.definition.parameters["properties"].values())


def test_statistics_are_exact_and_named() -> None:
    assert json.loads(told("statistics", values=[0.1, 0.2, 0.3, 0.3], quantiles=[0, 0.1, 1])) == {
        "count": 4,
        "sum": 0.9,
        "mean": 0.225,
        "median": 0.25,
        "sample_standard_deviation": 0.095742710775633810998,
        "population_standard_deviation": 0.082915619758884996228,
        "min": 0.1,
        "max": 0.3,
        "quantiles": {"0": 0.1, "0.1": 0.13, "1": 0.3},
    }
    assert '"sum": 0.3,' in told("statistics", values=[0.1, 0.2])
    assert '"sample_standard_deviation": null' in told("statistics", values=[5])


@settings(max_examples=30)
@given(st.lists(st.floats(-1e9, 1e9), min_size=2, max_size=20))
def test_statistics_agree_with_those_of_python(values: list[float]) -> None:
    tool = built_in_tool("statistics")
    assert tool is not None
    found = json.loads(tool.run(json.dumps({"values": values}), CONTEXT))
    assert found["mean"] == pytest.approx(reference.fmean(values), abs=1e-6)
    assert found["median"] == pytest.approx(reference.median(values), abs=1e-6)
    assert found["sample_standard_deviation"] == pytest.approx(reference.stdev(values), abs=1e-6)
    assert found["population_standard_deviation"] == pytest.approx(reference.pstdev(values), abs=1e-6)
    quartiles = reference.quantiles(values, n=4, method="inclusive")
    assert list(found["quantiles"].values()) == pytest.approx(quartiles, abs=1e-6)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"values": []}, "Expected `array` of length >= 1 - at `$.values`"),
        ({"values": ["x"]}, "Expected `float`, got `str` - at `$.values[0]`"),
        ({"values": [1], "quantiles": [25]}, "Expected `float` <= 1.0 - at `$.quantiles[0]`"),
    ],
)
def test_statistics_of_no_numbers_are_refused(given: dict[str, Any], said: str) -> None:
    (outcome,) = run([built_in_tool("statistics")], call("statistics", **given))
    assert (outcome.state, outcome.text) == (ToolCallState.ERROR, said)


def test_random_numbers_are_drawn_from_what_the_call_is() -> None:
    def other(**fields: Any) -> str:
        return told("random_number", msgspec.structs.replace(CONTEXT, **fields), max=10**9)

    first = told("random_number", max=10**9)
    assert first == told("random_number", max=10**9) == "351970009"  # whatever the version of Python
    assert len({first, other(call_key="b"), other(step=2), other(seed=1)}) == 4
    both = run([built_in_tool("random_number")], *[call("random_number", max=10**9)] * 2)
    assert both[0].text != both[1].text  # two calls of one turn


def test_random_numbers_are_within_their_bounds() -> None:
    dice = {told("random_number", msgspec.structs.replace(CONTEXT, step=n), min=1, max=6) for n in range(40)}
    assert dice == set("123456")
    assert told("random_number", min=3, max=3) == "3"
    assert 0 <= float(told("random_number", min=0, max=0.5, integer=False)) <= 0.5
    assert abs(float(told("random_number", min=-1e308, max=1e308, integer=False))) <= 1e308
    assert told("random_number", min=2, max=1) == "min must not be above max: 2, 1"
    assert told("random_number", min=0.1, max=0.9) == "there is no whole number from 0.1 to 0.9"
    assert told("random_number", max=1e300) == "whole numbers are drawn up to 9007199254740992"


def test_now_is_when_the_call_was_first_started() -> None:
    assert told("now") == "2023-11-14T22:13:20+00:00 (Tuesday, UTC)"
    assert told("now", timezone="Asia/Tokyo") == "2023-11-15T07:13:20+09:00 (Wednesday, Asia/Tokyo)"


@pytest.mark.parametrize(
    "zone", ["", "Tokyo", "../../etc/passwd", "/etc/localtime", "Europe", "a\nb", "x" * 9999]
)
def test_a_time_zone_that_is_none_is_an_error(zone: str) -> None:
    (outcome,) = run([built_in_tool("now")], call("now", timezone=zone))
    assert outcome.text.startswith("there is no time zone")
    assert outcome.error is None


def test_the_nearest_time_zone_is_told() -> None:
    assert "Did you mean Europe/Berlin?" in told("now", timezone="europe/berln")
