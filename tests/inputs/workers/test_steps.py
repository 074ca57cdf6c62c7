"""Steps of native code, which are ended whatever holds the interpreter."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from corpus import pdfs
from hostile.grammars import page, pdf_file, stream
from umwelten.file_types import PDF
from umwelten.inputs import UnsupportedInput
from umwelten.inputs.content import Conversion
from umwelten.inputs.convert import steps
from umwelten.inputs.workers import worker
from umwelten.inputs.workers.worker import convert_now
from umwelten.providers.capabilities import Capabilities

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is limited on Linux alone")

_BUSY = "re.match('(a+)+$', 'a' * 40 + 'b')"  # one call of native code, for hours
_STEP = "import re, resource, time\nfrom umwelten.inputs.convert import steps\n"


def _run(code: str) -> int:
    src = Path(steps.__file__).parents[3]
    return subprocess.run([sys.executable, "-c", _STEP + code], cwd=src, timeout=60).returncode


@pytest.mark.parametrize(
    "code",
    [
        f"steps.may_end_process()\nwith steps.limited(0.05):\n    {_BUSY}",
        f"steps.may_end_process()\nwith steps.limited(9):\n    steps.begin(0.05)\n    {_BUSY}",
    ],
)
def test_a_step_that_takes_too_long_ends_the_process(code: str) -> None:
    assert _run(code) == -signal.SIGPROF


_SPIN = "end = time.process_time() + 0.2\nwhile time.process_time() < end: pass\n"


def test_nothing_is_limited_after_a_step_or_in_another_process() -> None:
    assert _run("steps.may_end_process()\nwith steps.limited(0.05): pass\n" + _SPIN) == 0
    assert _run("with steps.limited(0.01, 0):\n    bytes(1 << 27)\n" + _SPIN) == 0
    full = "steps.may_end_process()\ntry:\n    with steps.limited(9, 1 << 20): bytes(1 << 27)\n"
    assert _run(f"{full}except MemoryError: bytes(1 << 27)\nelse: raise SystemExit(3)") == 0


def _convert(data: bytes) -> None:
    capabilities = Capabilities(pictures=frozenset(("image/png",)))
    convert_now(Conversion(step="pdf", mime=PDF.mime, name="a.pdf", data=data, capabilities=capabilities), 30)


def test_forms_that_draw_each_other_are_refused_soon() -> None:
    form = b"/Type /XObject /Subtype /Form /BBox [0 0 600 700] /Resources << /XObject << /X %d 0 R >> >>"
    forms = {10 + n: stream(b"/X Do " * 10, form % (11 + n)) for n in range(12)}
    data = pdf_file(page(stream(b"/X Do"), b"/XObject << /X 10 0 R >>", more=forms))
    with pytest.raises(UnsupportedInput, match=r"more than 300 MB|took too long"):
        _convert(data)
    _convert(pdfs.text(["The harvest of 1912."]))


def test_what_was_ended_for_its_time_is_told_so() -> None:
    conversion = Conversion(step="pdf", mime=PDF.mime, name="a.pdf", data=b"", capabilities=Capabilities())
    said = worker._crash(conversion, -signal.SIGPROF).message
    assert said.startswith("a.pdf is a PDF that can't be converted: a page of it took too long.")
