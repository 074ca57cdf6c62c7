"""A process without a home directory: no HOME, and a user id that no list of users knows."""

from __future__ import annotations

import os
import pwd
import sys
import tempfile
from pathlib import Path

import pytest

from provider import run_python
from umwelten.cli.completion.model_names import listed
from umwelten.config.path_types import FOLDER
from umwelten.config.settings import load, toml_paths
from umwelten.errors import ConfigError, LocalModelError, UsageError
from umwelten.local import find_weights
from umwelten.local.weights import LOCAL_MODELS, models_folder
from umwelten.user_folders import cache_folder, config_folder, expand_home, home_folder

_NOBODY = 65534


@pytest.fixture(params=["unset", "relative"])
def homeless(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def unknown(uid: int) -> object:
        raise KeyError(uid)

    for name in ("HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "UMWELTEN_CACHE_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(pwd, "getpwuid", unknown)
    if request.param == "relative":
        monkeypatch.setenv("HOME", "somewhere")
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("homeless")
def test_it_runs_without_the_users_configuration(tmp_path: Path) -> None:
    (tmp_path / "umwelten.toml").write_text("[defaults]\nseed = 3\n")
    assert load(tmp_path, {}).get("seed") == 3
    assert toml_paths(tmp_path) == (None, tmp_path / "umwelten.toml")
    assert config_folder() is None and cache_folder() is None


@pytest.mark.usefixtures("homeless")
def test_caches_are_left_out_and_what_needs_one_says_so() -> None:
    assert "local:smollm2" in listed({})
    with pytest.raises(LocalModelError, match="home directory is not known"):
        models_folder({})
    assert models_folder({"UMWELTEN_CACHE_DIR": "/c"}) == Path("/c/models")
    with pytest.raises(LocalModelError):
        find_weights("gone", env={}, models={"gone": LOCAL_MODELS["smollm2"]})


def test_a_tilde_without_a_home_is_an_error_of_the_option(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="~nobody-of-that-name/x"):
        expand_home(Path("~nobody-of-that-name/x"))
    assert expand_home(Path("a~/b")) == Path("a~/b")
    assert FOLDER.read_argument is not None
    with pytest.raises(UsageError, match="home directory"):
        FOLDER.read_argument("~nobody-of-that-name")
    monkeypatch.delenv("HOME", raising=False)
    monkeypatch.setattr(pwd, "getpwuid", lambda uid: {}[uid])
    with pytest.raises(ConfigError, match="home directory"):
        home_folder({})


def test_a_home_that_may_not_be_looked_into_is_like_none(monkeypatch: pytest.MonkeyPatch) -> None:
    # Not below `tmp_path`, into which nobody else may look: root, who may look everywhere, becomes another.
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "home").mkdir(mode=0)
        monkeypatch.setenv("HOME", str(folder / "home"))
        user = os.geteuid()
        os.seteuid(_NOBODY if user == 0 else user)
        try:
            assert load(folder, {}).files == ()
        finally:
            os.seteuid(user)


@pytest.mark.skipif(sys.platform != "linux", reason="a directory in use can be deleted on Linux")
def test_a_deleted_working_directory_is_an_error_without_a_traceback(tmp_path: Path) -> None:
    script = (
        "import os, sys; os.rmdir(os.getcwd()); sys.argv = ['umwelten', 'eval', 'list']\n"
        "from umwelten.cli.app import main; main()"
    )
    (tmp_path / "gone").mkdir()
    code, _, err = run_python(["-c", script], cwd=tmp_path / "gone", env=None, stdin="", timeout_s=20)
    assert code == 2
    assert "the working directory is not there any more" in err and "Traceback" not in err
