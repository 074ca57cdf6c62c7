"""What is done with evaluations after a run: lists with filters, tags, search, costs, export and import."""

from __future__ import annotations

import copy
import json
import os
import re
import shutil
import sqlite3
import stat
import zipfile
from pathlib import Path

import pytest

from forked import FORKS
from provider import provider
from umwelten.cli.search import found_lines
from umwelten.errors import StoreError
from umwelten.simulate.faultserver.profile import Behaviour, Profile
from umwelten.store import archive
from umwelten.store.search import FoundAnswer

PRICES = '[prices."openai:a"]\ninput = 1.0\noutput = 1000.0\n'
KNOWN = Profile(
    default=Behaviour(text="The low tide of 100% is at noon.", input_tokens=10, output_tokens=100)
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with three evaluations, one of them judged; not to be changed."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "umwelten.toml").write_text(PRICES)
    commands = (
        ("-m", "openai:a,openai:b", "-i", "tides", "--tag", "sea", "--tag", "draft"),
        ("-m", "openai:a", "-i", "moons", "--scorer", "polite=judge:Is it polite?", "--judge", "openai:j"),
    )
    with provider(KNOWN) as server:
        for command in commands:
            ran = FORKS.run(
                ["-m", "umwelten", "eval", "run", "-p", "hi", *command], cwd=folder, env=server.env()
            )
            assert (folder / "output" / command[3]).is_dir(), ran.err
    return folder


def test_lists_are_filtered_and_made_for_loops(cli, made):
    def ids(*flags: str) -> list[str]:
        return cli("eval", "list", "--ids", *flags, cwd=made)[1].split()

    assert ids() == ["tides", "moons", "moons.polite"]
    assert ids("--reverse", "t*", "moons") == ["moons", "tides"]
    assert ids("--tag", "sea") == ids("--model", "openai:b") == ["tides"]
    assert ids("--sort", "id") == ["moons", "moons.polite", "tides"]
    assert ids("--since", "2020-01", "--until", "2020-12-31") == []
    assert ids("--type", "batch") == ["moons.polite"]
    code, out, err = cli("eval", "list", "--json", "--tag", "sea", cwd=made)
    assert (code, [row["tags"] for row in json.loads(out)]) == (0, [["sea", "draft"]])
    code, out, err = cli("eval", "list", "--json", "--model", "none", cwd=made)
    assert (code, json.loads(out), "none of the 3 evaluations" in err) == (0, [], True)
    code, out, err = cli("eval", "list", "--json", "--tag", "drafts", cwd=made)
    assert (code, json.loads(out), "Did you mean 'draft'?" in err) == (0, [], True)
    assert cli("eval", "list", "--since", "yesterday", cwd=made)[0] == 2
    # The beginning of an id is nearer to it than to a shorter one of much the same letters.
    assert "Did you mean 'moons.polite'?" in cli("eval", "show", "moons.p", cwd=made)[2]
    code, _, err = cli("eval", "list", "--status", "finished", cwd=made)
    assert (code, "There are running, complete, failed, " in err) == (2, True)


def test_tags_come_and_go(cli, made, tmp_path):
    shutil.copytree(made / "output", tmp_path / "output")
    assert cli("eval", "tag", "tides", "new one", "--remove", "draft")[1] == "tides: sea, new one\n"
    assert cli("eval", "tag", "tides")[1] == "tides: sea, new one\n"
    assert cli("eval", "tag", "tides", "a,b")[0] == 2


def test_words_are_found_in_all_answers(cli, made):
    code, out, _ = cli("eval", "search", "LOW TIDE", "100%", cwd=made)
    assert code == 0
    assert [line.split("\t")[0] for line in out.splitlines()] == ["moons", "tides", "tides"]
    code, out, _ = cli(
        "eval", "search", "--regex", "l.w", "--id", "t*", "--model", "openai:b", "--json", cwd=made
    )
    (found,) = map(json.loads, out.splitlines())
    assert (found["id"], found["model"], found["start"]) == ("tides", "openai:b", 4)
    assert "low tide" in found["excerpt"]
    one = FoundAnswer(
        file="a.txt", model="openai:b", prompt=None, repeat=2, text="x" * 200 + "low\x1btide" + "y" * 99,
        start=200, end=208,
    )  # fmt: skip
    for width in (30, 80):
        head, excerpt = found_lines("tides", one, width)
        assert head.startswith("tides · a.txt · openai:b"[: width - 1])
        assert max(len(head), len(excerpt)) <= width
        assert "low\\x1btide" in excerpt
    assert cli("eval", "search", "100_", cwd=made)[0] == 1
    assert cli("eval", "search", "--regex", "(", cwd=made)[0] == 2


def test_every_attempt_that_was_paid_is_counted_once(cli, made, tmp_path):
    shutil.copytree(made / "output", tmp_path / "output")
    paid = 0.00001 + 0.1  # of one call to openai:a
    whole = json.loads(cli("eval", "costs", "--by", "id,model", "--json")[1])
    rows = {tuple(row["by"].values()): row for row in whole["rows"]}
    assert rows["tides", "openai:a"]["cost_usd"] == pytest.approx(paid)
    assert rows["tides", "openai:b"]["unknown"] == 1
    assert rows["tides", "openai:b"]["cost_usd"] is None
    assert "\ntides,openai:b,,1,1," in cli("eval", "costs", "--by", "id,model", "--csv")[1]
    assert "\ntides\topenai:b\t–\t1\t1\t" in cli("eval", "costs", "--by", "id,model")[1]
    assert rows["moons", "openai:j"]["unknown"] >= 1  # what judges cost is that of what they judge
    assert whole["total"]["cost_usd"] == pytest.approx(2 * paid)
    assert cli("eval", "copy", "tides", "again")[0] == 0
    assert json.loads(cli("eval", "costs", "--json")[1])["total"] == whole["total"]
    by_tag = json.loads(cli("eval", "costs", "--by", "tag", "--json")[1])
    assert {row["by"]["tag"] for row in by_tag["rows"]} == {"sea", "draft", "(no tag)"}
    assert by_tag["total"] == whole["total"]
    assert json.loads(cli("eval", "costs", "--until", "2020-01", "--json")[1])["total"]["attempts"] == 0
    assert cli("eval", "costs", "--by", "moth")[0] == 2
    _, out, _ = cli("eval", "costs", "--by", "provider", "--csv")
    assert out.splitlines()[0] == "provider,cost_usd,attempts,unknown,input_tokens,output_tokens"


def test_an_exported_evaluation_opens_elsewhere(cli, made, tmp_path):
    file = tmp_path / "x.zip"
    assert cli("eval", "export", "moons", "-o", str(file), cwd=made)[0] == 0
    assert cli("eval", "export", "moons", "-o", str(file), cwd=made)[0] == 2
    assert cli("eval", "import", str(file))[:2] == (0, "imported moons.polite\nimported moons\n")
    assert cli("eval", "import", str(file))[0] == 2
    assert cli("eval", "import", str(file), "--as", "other")[:2] == (
        0,
        "imported other.polite\nimported other\n",
    )
    assert [path.name for path in (tmp_path / "output").iterdir() if path.name.startswith(".")] == []
    code, out, _ = cli("eval", "report", "other", "--format", "json")
    assert (code, json.loads(out)["results"][0]["scores"].keys()) == (0, {"polite"})
    listed = json.loads(cli("eval", "list", "--json", "other.polite")[1])
    assert listed[0]["derived"]["of"] == "other"


def _hostile(file: Path, source: Path, change) -> None:
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as new:
        for info in old.infolist():
            new.writestr(info.filename, old.read(info))
        change(new)


def _link(archive: zipfile.ZipFile) -> None:
    info = zipfile.ZipInfo("tides/a.txt")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    archive.writestr(info, "/etc/passwd")


@pytest.mark.parametrize(
    "change",
    [
        _link,
        *(
            lambda archive, name=name: archive.writestr(name, "x")
            for name in (
                *("../evil.txt", "tides/../../evil.txt", "/tmp/evil.txt", "other/a.txt", "evil.txt"),
                *("tides/evaluation.db-wal", "tides/evaluation.db-journal", "tides/.hidden", "tides/a.exe"),
                *("tides/evaluation.inputs/../../evil", "tides/sub\\a.txt", "tides/scores.lock"),
            )
        ),
    ],
)
def test_a_file_of_somebody_else_writes_nothing_elsewhere(made, tmp_path, change):
    if not (made / "good.zip").exists():
        archive.export([made / "output" / "tides"], made / "good.zip", umwelten="1")
    _hostile(tmp_path / "bad.zip", made / "good.zip", change)
    with pytest.raises(StoreError, match="no file of an evaluation"):
        archive.take_in(tmp_path / "bad.zip", tmp_path / "output")
    assert not (tmp_path / "output").exists()
    assert not (tmp_path / "evil.txt").exists()


def test_what_is_no_archive_of_ours_is_refused(cli, tmp_path):
    (tmp_path / "a.zip").write_bytes(b"PK nothing")
    with pytest.raises(StoreError, match="cannot be read"):
        archive.take_in(tmp_path / "a.zip", tmp_path / "output")
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as file:
        file.writestr("a/evaluation.db", "x")
    assert "was not written by umwelten eval export" in cli("eval", "import", "b.zip")[2]
    for ids in ('["../x"]', '["a", "A"]', "[]", '["a"]'):
        with zipfile.ZipFile(tmp_path / "c.zip", "w") as file:
            file.writestr("umwelten.json", f'{{"format": 1, "umwelten": "1", "evaluations": {ids}}}')
            file.writestr("a/evaluation.db", "no database")
        with pytest.raises(StoreError):
            archive.take_in(tmp_path / "c.zip", tmp_path / "output")
    assert [path.name for path in tmp_path.glob("output/*")] == []


def test_a_file_that_would_fill_the_disk_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "_UNSUSPICIOUS", 1 << 20)
    with zipfile.ZipFile(tmp_path / "b.zip", "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("umwelten.json", '{"format": 1, "umwelten": "1", "evaluations": ["a"]}')
        made.writestr("a/evaluation.db", bytes(4 << 20))
    with pytest.raises(StoreError, match="more than 200 times its size"):
        archive.take_in(tmp_path / "b.zip", tmp_path / "output")


def test_parts_that_lie_on_top_of_each_other_are_counted_once(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "_UNSUSPICIOUS", 1 << 20)
    with zipfile.ZipFile(tmp_path / "b.zip", "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("umwelten.json", '{"format": 1, "umwelten": "1", "evaluations": ["a"]}')
        made.writestr("a/evaluation.db", os.urandom(8_000) + bytes(300_000))
        for number in range(20):
            info = copy.copy(made.getinfo("a/evaluation.db"))
            info.filename = f"a/{number}.txt"
            made.filelist.append(info)
    with pytest.raises(StoreError, match="more than 200 times its size"):
        archive.take_in(tmp_path / "b.zip", tmp_path / "output")


@pytest.mark.parametrize("way", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_what_is_packed_in_ways_that_are_not_ours_is_refused(tmp_path, way):
    with zipfile.ZipFile(tmp_path / "b.zip", "w", way) as made:
        made.writestr("umwelten.json", '{"format": 1, "umwelten": "1", "evaluations": ["a"]}')
    with pytest.raises(StoreError, match="packed in a way that is not ours"):
        archive.take_in(tmp_path / "b.zip", tmp_path / "output")


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_damaged_file_is_told_whichever_byte_is_damaged(made, tmp_path):
    archive.export([made / "output" / "tides"], tmp_path / "good.zip", umwelten="1")
    good = (tmp_path / "good.zip").read_bytes()
    archive.take_in(tmp_path / "good.zip", tmp_path / "output")
    whole = contents(tmp_path / "output")
    shutil.rmtree(tmp_path / "output")
    refused = 0
    for at in range(0, len(good), max(1, len(good) // 150)):
        (tmp_path / "bad.zip").write_bytes(good[:at] + bytes([good[at] ^ 0xFF]) + good[at + 1 :])
        try:
            archive.take_in(tmp_path / "bad.zip", tmp_path / "output")
        except StoreError:
            refused += 1
            assert contents(tmp_path / "output") == {}
        else:  # of the archive, a byte that says nothing, such as a time
            assert contents(tmp_path / "output") == whole
        shutil.rmtree(tmp_path / "output", ignore_errors=True)
    assert refused > 75


def test_a_damaged_list_that_hides_a_file_is_refused(made, tmp_path):
    """The comment of one is as long as the entry after it."""
    archive.export([made / "output" / "tides"], tmp_path / "x.zip", umwelten="1")
    damaged = bytearray((tmp_path / "x.zip").read_bytes())
    first, second, third = [found.start() for found in re.finditer(rb"PK\x01\x02", damaged)][:3]
    damaged[first + 32 : first + 34] = (third - second).to_bytes(2, "little")
    (tmp_path / "x.zip").write_bytes(damaged)
    with pytest.raises(StoreError, match=r"2 files can be read, of 3"):
        archive.take_in(tmp_path / "x.zip", tmp_path / "output")
    assert contents(tmp_path / "output") == {}


def test_what_judges_an_evaluation_that_is_here_already_is_not_taken_in(made, tmp_path):
    folders = [made / "output" / "moons"]
    archive.export(folders, tmp_path / "good.zip", umwelten="1")
    with zipfile.ZipFile(tmp_path / "good.zip") as old, zipfile.ZipFile(tmp_path / "bad.zip", "w") as new:
        new.writestr("umwelten.json", '{"format": 1, "umwelten": "1", "evaluations": ["moons.polite"]}')
        new.writestr("moons.polite/evaluation.db", old.read("moons.polite/evaluation.db"))
    with pytest.raises(StoreError, match="what judges said of 'moons'"):
        archive.take_in(tmp_path / "bad.zip", tmp_path / "output")
    assert list((tmp_path / "output").iterdir()) == []


def test_files_of_any_time_are_exported_and_a_folder_that_is_none_is_told(cli, made, tmp_path):
    copied = tmp_path / "output" / "tides"
    shutil.copytree(made / "output" / "tides", copied)
    (copied / "evaluation.inputs").mkdir()
    (copied / "evaluation.inputs" / "old.txt").write_text("of 1970")
    os.utime(copied / "evaluation.inputs" / "old.txt", (0, 0))
    archive.export([copied], tmp_path / "a.zip", umwelten="1")
    with pytest.raises(StoreError, match="Not a directory"):
        archive.export([copied], tmp_path / "a.zip" / "b.zip", umwelten="1")


def test_each_copy_alone_costs_what_it_cost(cli, made, tmp_path):
    shutil.copytree(made / "output" / "tides", tmp_path / "output" / "tides")
    shutil.copytree(made / "output" / "tides", tmp_path / "output" / "a-copy")
    sums = []
    for ids in (("--id", "tides"), ("--id", "a-copy"), ()):
        found = json.loads(cli("eval", "costs", "--by", "id", "--json", *ids)[1])
        sums.append(found["total"]["attempts"])
    assert sums == [2, 2, 2]
    assert cli("eval", "tag", "tides", "=1+1")[0] == 0
    assert "\n'=1+1," in cli("eval", "costs", "--by", "tag", "--id", "tides", "--csv")[1]


def test_costs_of_what_cannot_be_read_are_told_apart(cli, made, tmp_path):
    shutil.copytree(made / "output", tmp_path / "output")
    with sqlite3.connect(tmp_path / "output" / "tides" / "evaluation.db") as connection:
        connection.execute("DROP TABLE attempts")
    connection.close()
    code, _, err = cli("eval", "costs")
    assert (code, "tides is not in the sums" in err) == (0, True)
