"""At the end of the whole session: no key that the tests used is in anything that they left behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from reliability.leaks import leaks


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Search the temporary files of all tests; a find fails the session."""
    factory = getattr(session.config, "_tmp_path_factory", None)
    if factory is None or hasattr(session.config, "workerinput"):
        return
    found = leaks(Path(factory.getbasetemp()))
    if found:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        reporter = session.config.pluginmanager.getplugin("terminalreporter")
        for path, name in found[:20]:
            reporter.write_line(f"LEAK: {path} holds the key of {name}", red=True)
