"""An account's id: the same for all processes of a user, and nothing by which the key could be found."""

from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from umwelten.accounts.account_id import SALT_NAME, account_ids
from umwelten.errors import ConfigError
from umwelten.private_files import LOCK
from umwelten.types import Secret

KEY, ADDRESS = Secret("test-key-of-an-account"), "https://api.example/v1"


def test_it_stays_and_differs_by_key_address_and_user(tmp_path: Path) -> None:
    folder = tmp_path / "none" / "yet"
    ids = account_ids(folder)
    first = ids.id(ADDRESS, KEY)
    assert account_ids(folder).id(ADDRESS + "/", KEY) == first
    others = {
        ids.id(ADDRESS, None),
        ids.id(ADDRESS, Secret("")),
        ids.id("https://eu.api.example/v1", KEY),
        ids.id(ADDRESS, Secret("test-key-of-another")),
        ids.id(ADDRESS[:-1], Secret("1" + KEY.reveal())),
        account_ids(tmp_path / "another").id(ADDRESS, KEY),
    }
    assert len(others) == 5 and first not in others
    assert len(first) == 32 and int(first, 16)


def test_the_salt_is_this_users_alone_and_the_key_is_in_no_file_and_no_name(tmp_path: Path) -> None:
    ids = account_ids(tmp_path)
    ids.id(ADDRESS, KEY)
    assert {path.name for path in tmp_path.iterdir()} == {SALT_NAME, LOCK}
    assert stat.S_IMODE((tmp_path / SALT_NAME).stat().st_mode) == 0o600
    salt = (tmp_path / SALT_NAME).read_bytes()
    assert KEY.reveal().encode() not in salt and repr(salt) not in repr(ids)


def test_processes_that_come_at_once_agree(tmp_path: Path) -> None:
    for folder in [tmp_path / str(number) for number in range(20)]:
        with ThreadPoolExecutor(8) as threads:
            found = list(threads.map(account_ids, [folder] * 8))
        assert len({ids.id(ADDRESS, KEY) for ids in found}) == 1


@pytest.mark.parametrize("content", [b"", b"short", b"x" * 33])
def test_a_damaged_salt_is_drawn_anew(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / SALT_NAME
    path.write_bytes(content)
    path.chmod(0o600)
    assert account_ids(tmp_path) == account_ids(tmp_path)
    assert len(path.read_bytes()) == 32


def test_what_cannot_be_kept_is_an_error_that_says_where(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    others = tmp_path / "others"
    account_ids(others)
    (others / SALT_NAME).chmod(0o666)
    link, folder = tmp_path / "link", tmp_path / "folder"
    link.mkdir()
    (link / SALT_NAME).symlink_to(tmp_path / "elsewhere")
    (folder / SALT_NAME).mkdir(parents=True)
    for place in (tmp_path / "file", others, link, folder):
        with pytest.raises(ConfigError, match=SALT_NAME):
            account_ids(place)
