"""Limits kept between runs: nothing that is wrong with the file costs more than a cold start."""

from __future__ import annotations

import json
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from umwelten.accounts.limits_file import MOST_AGE_S, MOST_ENTRIES, NAME, Key, read_limits, update_limits
from umwelten.control.memory import LaneMemory, Rate
from umwelten.errors import ConfigError

KEY, OTHER = Key("a" * 32, "openai:m"), Key("b" * 32, "openai:m")
LEARNT = LaneMemory(rate=Rate(a_second=5.0, burst=3.0))
NOW = 1_800_000_000.0
DAY = 86_400.0


def write(folder: Path, content: object) -> Path:
    path = folder / NAME
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    path.chmod(0o600)
    return path


def entry(**changed: Any) -> dict[str, Any]:
    return {"at": NOW, "learnt": {"rate": {"a_second": 5.0}}} | changed


def test_what_is_learnt_is_there_again_for_this_user_alone(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    assert read_limits(folder, NOW) == {} and not folder.exists()
    update_limits(folder, {KEY: LEARNT}, NOW)
    update_limits(folder, {OTHER: LEARNT}, NOW)
    found = read_limits(folder, NOW + 10)
    assert found.keys() == {KEY, OTHER} and found[KEY].learnt == LEARNT
    assert stat.S_IMODE((folder / NAME).stat().st_mode) == 0o600


def test_an_accounts_limits_are_forgotten_and_no_others(tmp_path: Path) -> None:
    more = Key(KEY.account, "openai:other")
    update_limits(tmp_path, {KEY: LEARNT, more: LEARNT, OTHER: LEARNT}, NOW)
    update_limits(tmp_path, {}, NOW, forgotten={more})
    assert read_limits(tmp_path, NOW).keys() == {KEY, OTHER}
    update_limits(tmp_path, {}, NOW, accounts={KEY.account})
    assert read_limits(tmp_path, NOW).keys() == {OTHER}


def test_entries_age_and_a_clock_that_was_wrong_does_no_harm(tmp_path: Path) -> None:
    update_limits(tmp_path, {KEY: LEARNT}, NOW)
    (found,) = read_limits(tmp_path, NOW + MOST_AGE_S / 2).values()
    assert found.belief(NOW + MOST_AGE_S / 2) == pytest.approx(0.5)
    assert read_limits(tmp_path, NOW + MOST_AGE_S) == {}
    assert read_limits(tmp_path, NOW - 100)[KEY].belief(NOW - 100) == 1.0
    assert read_limits(tmp_path, NOW - 2 * DAY) == {}


def test_the_oldest_go_when_there_are_too_many(tmp_path: Path) -> None:
    update_limits(tmp_path, {Key("old", "m"): LEARNT}, NOW - 5)
    many = {Key(f"{n:032x}", "m"): LEARNT for n in range(MOST_ENTRIES)}
    update_limits(tmp_path, many | {Key("c", "x" * 1000): LEARNT}, NOW)
    assert read_limits(tmp_path, NOW).keys() == many.keys()
    assert (tmp_path / NAME).stat().st_size < 200_000


def test_runs_that_end_at_once_keep_each_others_limits(tmp_path: Path) -> None:
    keys = [Key(str(n), "m") for n in range(16)]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda key: update_limits(tmp_path, {key: LEARNT}, NOW), keys))
    assert read_limits(tmp_path, NOW).keys() == set(keys)


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"version": 1}', "[" * 10**5, '"\ud800"', "{}"])
def test_a_damaged_file_is_written_anew(tmp_path: Path, content: str) -> None:
    path = tmp_path / NAME
    path.write_bytes(content.encode("utf-8", "surrogatepass"))
    path.chmod(0o600)
    with pytest.raises(ConfigError, match="is damaged"):
        read_limits(tmp_path, NOW)
    update_limits(tmp_path, {KEY: LEARNT}, NOW)
    assert read_limits(tmp_path, NOW).keys() == {KEY}


@pytest.mark.parametrize(
    "bad",
    [
        {},
        entry(at=-1.0),
        entry(at="x"),
        entry(learnt={"rate": {"a_second": 0.0}}),
        entry(learnt={"rate": {"a_second": 1e300}}),
        entry(learnt={"window": {"size": 0, "period_s": 1.0}}),
        entry(learnt={"cap": -3}),
        entry(learnt=[]),
    ],
)
def test_a_damaged_entry_costs_no_other(tmp_path: Path, bad: object) -> None:
    lanes = {KEY.lane: bad, "good": entry(later="a field of a later version")}
    write(tmp_path, {"version": 1, "accounts": {KEY.account: lanes}})
    assert read_limits(tmp_path, NOW).keys() == {Key(KEY.account, "good")}


def test_the_file_of_a_later_version_is_left_alone(tmp_path: Path) -> None:
    path = write(tmp_path, {"version": 2, "limits": []})
    before = path.read_bytes()
    for act in (lambda: read_limits(tmp_path, NOW), lambda: update_limits(tmp_path, {KEY: LEARNT}, NOW)):
        with pytest.raises(ConfigError, match="later version"):
            act()
    assert path.read_bytes() == before


def test_a_file_that_others_could_have_written_and_a_link_are_not_read(tmp_path: Path) -> None:
    update_limits(tmp_path, {KEY: LEARNT}, NOW)
    path = tmp_path / NAME
    path.chmod(0o622)
    with pytest.raises(ConfigError, match="others could have written it"):
        read_limits(tmp_path, NOW)
    path.chmod(0o600)
    target = path.rename(tmp_path / "elsewhere")
    path.symlink_to(target)
    with pytest.raises(ConfigError, match="cannot read"):
        read_limits(tmp_path, NOW)
    update_limits(tmp_path, {OTHER: LEARNT}, NOW)
    assert not path.is_symlink() and b"b" * 32 not in target.read_bytes()


def test_a_folder_that_cannot_be_made_is_an_error_that_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=rf"cannot write .*{NAME}"):
        update_limits(tmp_path / "file" / "state", {KEY: LEARNT}, NOW)
