"""Windows of starts that may be what a lane has met: what they let go, and how they learn."""

from __future__ import annotations

import pytest

from umwelten.control.slide import Fixed, Slide
from umwelten.control.window import Windows


def meet(windows: Windows, size: int, period_s: float, *, fixed: bool, until: float = 400.0) -> list[float]:
    """Start calls as the windows allow, a few a second at most, against such a window; when refused."""
    let_in: list[float] = []
    refused: list[float] = []
    now = 0.0
    while now < until:
        windows.on_start(now)
        since = now // period_s * period_s if fixed else now - period_s
        if sum(at >= since and (fixed or at > since) for at in let_in) < size:
            let_in.append(now)
            windows.on_let_in(now, 0.1)
            now += 0.25
        else:
            windows.take_back(now)
            windows.on_refusal(now, 0.1, fresh=True)
            refused.append(now)
            now += 1.0
        now = max(now, windows.earliest_start(now))
    return refused


@pytest.mark.parametrize("fixed", [False, True])
@pytest.mark.parametrize(("size", "period_s"), [(20, 10.0), (12, 15.0)])
def test_a_window_of_a_usual_length_is_found_and_then_kept_to(
    size: int, period_s: float, fixed: bool
) -> None:
    windows = Windows()
    refused = meet(windows, size, period_s, fixed=fixed)
    assert windows.lead is not None
    assert abs(windows.lead.size - size) <= 1
    assert sum(at > 200.0 for at in refused) <= 8


def test_nothing_leads_before_refusals_were_explained() -> None:
    windows = Windows()
    for second in range(10):
        windows.on_start(float(second))
        windows.on_let_in(float(second), 0.1)
    assert windows.lead is None
    assert windows.earliest_start(10.0) == 10.0


def test_a_window_that_was_measured_leads_at_once_if_it_is_large() -> None:
    for size, leads in ((30, True), (5, False)):
        windows = Windows()
        for call in range(size):
            windows.on_start(0.1 * call)
        windows.found(size, 47.0)
        assert (windows.lead is not None) is leads


def test_calls_let_in_within_a_window_prove_its_size_whatever_their_order() -> None:
    slide = Slide(10.0, lo=3, refused=[5, 40])
    slide.prove(25)
    assert (slide.lo, slide.refused) == (25, [40])
    slide.prove(4)
    assert slide.lo == 25


def test_reopenings_narrow_the_phase_and_one_amiss_refutes() -> None:
    window = Fixed(60.0)
    window.on_reopening(100.0, 110.0)
    window.on_reopening(165.0, 172.0)
    assert (window.after, window.upto) == (105.0, 110.0)
    assert (window.begun(130.0, late=True), window.begun(130.0, late=False)) == (110.0, 105.0)
    before = window.score
    window.on_reopening(250.0, 255.0)
    assert window.reopened == 0.0
    assert window.score < before


def test_exact_hints_refute_windows_that_would_have_begun_anew() -> None:
    windows = Windows()
    for call in range(20):
        windows.on_start(0.05 * call)
        windows.on_let_in(0.05 * call, 0.1)
    windows.on_start(1.0)
    windows.take_back(1.0)
    windows.told_at = 58.0
    windows.on_refusal(1.0, 0.1, fresh=True)
    scores = {slide.period_s: slide.score for slide in windows.slides if type(slide) is Slide}
    assert all(scores[period_s] < scores[60.0] for period_s in (1.0, 5.0, 10.0, 15.0, 30.0))
