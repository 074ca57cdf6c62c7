"""The picture of a simulated run, and what the page about it says."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

import click.testing
import msgspec
import pytest

from umwelten.cli.simulate import simulate as command
from umwelten.simulate import profile as p
from umwelten.simulate.run import simulate
from umwelten.simulate.svg_chart import svg_chart

DOCS = Path(__file__).parents[2] / "docs"
SVG = "{http://www.w3.org/2000/svg}"
LIMITS = (p.Bucket, p.Gcra, p.Window, p.Sliding, p.Weighted, p.Quota, p.Concurrency, p.TokenBucket, p.Slots)


def drawn(text: str, name: str) -> list[ElementTree.Element]:
    """The parts of a class, without those of the legend."""
    root = ElementTree.fromstring(text)
    return [one for one in root.iter() if one.get("class") == name and not is_key(one)]


def is_key(one: ElementTree.Element) -> bool:
    """Return whether it belongs to the legend."""
    return one.get("height") == "10" or one.get("d", "").endswith("h24")


def heights(path: str) -> list[float]:
    """Where the columns of an area end, from its axis: calls a second by a scale that nobody needs."""
    axis = float(path.split()[1].partition("V")[0])
    return [axis - float(y) for y in re.findall(r"V([\d.]+)H", path)]


def test_the_command_draws_what_was_let_in_and_refused(tmp_path: Path) -> None:
    path, chart = tmp_path / "mine.toml", tmp_path / "mine.svg"
    path.write_text(
        'title = "a <b> & c"\ncap = 50\n[[providers]]\nheaders = "none"\nretry_after = "none"\n'
        'limits = [{ kind = "bucket", rate = 10 }]\n'
    )
    arguments = [str(path), "--calls", "150", "--json", "--chart", str(chart)]
    result = click.testing.CliRunner().invoke(command, arguments)
    assert result.exit_code == 0, result.output
    lane = json.loads(result.output)["lanes"][0]
    text = chart.read_text("utf-8")
    assert ElementTree.fromstring(text).findtext(f"{SVG}title") == "a <b> & c (150 calls, seed 0)"
    (area,) = drawn(text, "in")
    columns = heights(area.get("d", ""))
    by_second = [sum(int(at) == second for at in lane["let_in_at"]) for second in range(len(columns))]
    assert sum(by_second) == 150 and max(by_second) > 15
    scale = columns[0] / by_second[0]
    assert columns == pytest.approx([scale * calls for calls in by_second], abs=0.11)
    assert len(drawn(text, "refused")) == len({int(at) for at in lane["refused_at"]}) > 0


def test_each_lane_has_a_panel_even_one_without_a_call() -> None:
    profile = p.SimulationProfile(
        providers=(p.Provider(name="one"), p.Provider(name="two\x1b", share=0.0)), cap=5
    )
    text = svg_chart(simulate(profile, 3, 0))
    assert len(drawn(text, "in")) == len(drawn(text, "best")) == 2
    assert "one: limit found: none" in text and "\x1b" not in text


def keys() -> Iterator[str]:
    """Every key that a profile of a simulation may have."""
    shared = ("wire", "model", "per")
    for struct in (p.SimulationProfile, p.Provider, p.Overload, p.Others, p.Latency, p.TokenSizes, *LIMITS):
        yield from (field.encode_name for field in msgspec.structs.fields(struct))
    yield from (*shared, *(str(struct.__struct_config__.tag) for struct in LIMITS))


def test_the_page_of_commands_names_every_key_of_a_profile() -> None:
    words = set(re.findall(r"\w+", (DOCS / "commands.md").read_text().partition("\n## simulate")[2]))
    assert {key for key in keys() if key != "providers"} <= words


def test_the_page_about_control_names_files_that_exist() -> None:
    text = (DOCS / "control.md").read_text()
    source = DOCS.parent / "src" / "umwelten"
    for name in re.findall(r"`([a-z_/]+\.py)`", text.partition("## Which file decides what")[2]):
        assert (source / name).is_file() or (source / "control" / name).is_file(), name
    for profile, chart in re.findall(r"simulate (\S+\.toml) .*--chart (\S+)", text):
        if chart != "FILE.svg`":
            assert (DOCS.parent / profile).is_file() and (DOCS / chart).is_file()
            ElementTree.parse(DOCS / chart)
