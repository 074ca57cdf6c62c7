"""`--sample`, `--shuffle` and `--on-end`."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from provider import provider
from umwelten.errors import UsageError
from umwelten.inputs.drawn import drawn
from umwelten.inputs.sources import Inputs
from umwelten.simulate.faultserver.profile import Behaviour, Profile, Rule
from umwelten.types import FoundInput


def _inputs(names: list[str]) -> Inputs:
    return Inputs(files=lambda: (FoundInput(name=n, path=f"in/{n}", size=1, stamp="1") for n in names))


# A byte that is no UTF-8 is stored as a character of a private plane, which no name is to have.
CHARACTERS = some.characters(exclude_characters="\0", codec="utf-8", max_codepoint=0x10D7FF)
NAMES = some.lists(
    some.text(CHARACTERS, min_size=1, max_size=5),
    unique=True,
    max_size=30,
)


@settings(max_examples=40)
@given(names=NAMES, n=some.integers(1, 12), seed=some.integers(0, 5))
def test_a_sample_keeps_its_order_and_a_shuffle_its_inputs(names: list[str], n: int, seed: int) -> None:
    inputs = _inputs(names)
    sample = drawn(inputs, sample=n, seed=seed, shuffle=False)
    found = [file.name for file in sample.files()]
    assert found == [file.name for file in sample.files()]
    assert found == [name for name in names if name in found]
    assert len(found) == min(n, len(names))
    mixed = list(drawn(inputs, sample=None, seed=seed, shuffle=True).files())
    assert sorted(mixed, key=lambda f: f.name) == sorted(inputs.files(), key=lambda f: f.name)
    both = [file.name for file in drawn(inputs, sample=n, seed=seed, shuffle=True).files()]
    assert sorted(both) == sorted(found)
    # An input more changes a sample by one at most.
    more = drawn(_inputs([*names, "another"]), sample=n, seed=seed, shuffle=False)
    assert len(set(found) - {file.name for file in more.files()}) <= 1


def test_another_seed_draws_others_and_each_is_drawn_as_often() -> None:
    names = [f"{number}.txt" for number in range(20)]
    counts = dict.fromkeys(names, 0)
    for seed in range(600):
        for file in drawn(_inputs(names), sample=5, seed=seed, shuffle=False).files():
            counts[file.name] += 1
    # 150 of 600 each, give or take four standard deviations.
    assert all(108 <= count <= 192 for count in counts.values())


def test_what_a_program_gives_is_not_drawn_from() -> None:
    with pytest.raises(UsageError):
        drawn(Inputs(files=iter, keep=lambda folder: iter(())), sample=1, seed=0, shuffle=False)  # type: ignore[arg-type]


@pytest.mark.parametrize("source", ["--rows", "--directory"])
def test_a_resume_keeps_the_sample(cli, tmp_path, source):
    (tmp_path / "in").mkdir()
    for number in range(40):
        (tmp_path / "in" / f"{number:02}.txt").write_text(str(number))
    (tmp_path / "rows.csv").write_text("a\n" + "".join(f"{number}\n" for number in range(40)))
    given = (source, "rows.csv" if source == "--rows" else "in")
    flags = ("--max-files", "30", "--sample", "4", "--sample-seed", "7", "--shuffle")
    broken = Profile(rules=(Rule(first=2, behaviour=Behaviour(fault=400)),))
    with provider(broken) as server:
        batch = ("eval", "batch", "-p", "hi", "-m", "openai:a", "-i", "demo", *given, *flags)
        assert cli(*batch, env=server.env())[0] == 1
        code, _, err = cli("eval", "resume", "demo", "--progress", "json", env=server.env())
        assert code == 0, err
        assert server.idle().requests == 6
    started = next(event for event in map(json.loads, err.splitlines()) if event.get("type") == "run_started")
    assert (started["total"], started["done"]) == (4, 2)


@pytest.mark.skipif(os.name != "posix", reason="a shell")
def test_a_command_at_the_end_is_told_how_it_ended_and_no_key(cli, tmp_path):
    (tmp_path / ".env").write_text("OTHER_SECRET=of-nobody-else\n")
    told = 'env > told; echo "$UMWELTEN_ID $UMWELTEN_STATUS $UMWELTEN_EXIT_STATUS"; exit 3'
    run = ("eval", "run", "-p", "hi", "-m", "openai:a", "-i", "demo", "--on-end", told)
    with provider() as server:
        env = {**server.env(), "COPY": server.env()["OPENAI_API_KEY"]}
        code, out, err = cli(*run, env=env)
    assert (code, "demo complete 0" in err, "demo" in out) == (0, True, False)
    assert "warning: --on-end" in err and "exit status 3" in err
    environment = (tmp_path / "told").read_text()
    assert f"UMWELTEN_FOLDER={tmp_path / 'output' / 'demo'}" in environment
    assert "KEY" not in environment and env["COPY"] not in environment


def test_a_project_s_command_at_the_end_needs_trust(cli, tmp_path: Path):
    (tmp_path / "umwelten.toml").write_text('[defaults]\non_end = "touch ran"\n')
    with provider() as server:
        run = ("eval", "run", "-p", "hi", "-m", "openai:a")
        code, _, err = cli(*run, env=server.env())
    assert (code, "runs the command touch ran" in err) == (2, True)
    assert not (tmp_path / "ran").exists()
