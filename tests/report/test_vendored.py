"""The libraries in HTML reports are those that were fetched, with their licences."""

from __future__ import annotations

import hashlib
import json
from importlib.resources import files

import pytest

from umwelten.report.render import page

VENDOR = files("umwelten.report").joinpath("assets", "vendor")
LIBRARIES = json.loads(VENDOR.joinpath("vendored.json").read_text("utf-8"))


@pytest.mark.parametrize("library", LIBRARIES, ids=lambda library: library["kept_as"])
def test_a_library_is_unchanged_since_it_was_fetched(library):
    assert hashlib.sha256(VENDOR.joinpath(library["kept_as"]).read_bytes()).hexdigest() == library["sha256"]


def test_every_library_brings_its_licence():
    licences = page.licences()
    for library in LIBRARIES:
        assert f"{library['package']} {library['version']}\n" in licences


def test_nothing_in_the_script_ends_its_element():
    assert "</script" not in page.script().lower()
    assert "</style" not in page.style().lower()


def test_the_policy_names_the_script_and_style_of_the_page():
    policy = page.policy(script="a", style="b")
    assert "script-src 'sha256-ypeBEsobvcr6wjGzmiPcTaeG7/gUfE5yuYB3ha/uSLs='" in policy
    assert "unsafe" not in policy
