"""Without llama.cpp, which is an extra, nothing is started or stored."""

from __future__ import annotations

from pathlib import Path

import pytest

from umwelten.errors import LocalModelError
from umwelten.local import weights


def test_a_missing_engine_is_said_with_the_way_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    weights.check_engine()
    monkeypatch.setattr(weights, "_ENGINE", "no_such_llama_cpp")
    with pytest.raises(LocalModelError, match="is not installed") as caught:
        weights.check_engine()
    assert caught.value.hint == "Install it: pip install 'umwelten[local]'"


@pytest.mark.parametrize(
    ("directory", "prompt", "said"),
    [
        ("nowhere", "x", "no such directory"),
        ("empty", "x", "no file in empty"),
        ("texts", "{{contnet}}", "did you mean {{content}}"),
        ("texts", "x", "the weights of local:smollm2 are not on this machine"),
    ],
)
def test_what_needs_no_download_is_said_before_missing_weights(
    directory: str, prompt: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import umwelten

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("umwelten.local.weights.installed_weights", lambda model: None)
    monkeypatch.setattr("umwelten.local.weights.cached_weights", lambda model, env: None)
    Path("empty").mkdir()
    Path("texts").mkdir()
    Path("texts/a.txt").write_text("a")
    with pytest.raises(umwelten.UmweltenError, match=said.replace("{", r"\{")):
        umwelten.batch(prompt, "local:smollm2", directory=directory).wait()
    assert not Path("output").exists()
