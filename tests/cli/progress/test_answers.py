from __future__ import annotations

import io
from contextlib import contextmanager

from cli.progress.happenings import FLASH, again, bad, begun, finished, good, piece
from umwelten.cli.print_answers import AnswerPrinter
from umwelten.events import StepEnded
from umwelten.report.models import CallResult, Metrics


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(*events, out: io.StringIO | None = None) -> str:
    out = out or io.StringIO()
    answers = AnswerPrinter(out)
    for event in events:
        answers(event)
    answers.close()
    return out.getvalue()


def test_a_single_answer_is_printed_bare():
    assert shown(begun(1), good(text="42\n\n"), finished()) == "42\n"


def test_several_answers_stand_under_their_models():
    text = shown(begun(3), good(1, "one"), bad(2), good(3, "two", repeat=2))
    assert text == "==> google:gemini-2.5-flash <==\none\n\n==> google:gemini-2.5-flash (2) <==\ntwo\n"


def test_a_pipe_gets_whole_answers_only():
    text = shown(begun(1, limit=1), piece("broken ha"), again(1), piece("whole"), good(1, "whole"))
    assert text == "whole\n"


def test_a_terminal_sees_the_answer_as_it_is_written():
    out = Terminal()
    answers = AnswerPrinter(out)
    answers(begun(2, limit=1))
    answers(piece("Hel"))
    assert out.getvalue() == "==> google:gemini-2.5-flash <==\nHel"
    answers(piece("lo"))
    answers(good(1, "Hello"))
    assert out.getvalue() == "==> google:gemini-2.5-flash <==\nHello\n"


def test_several_at_once_never_mix_on_a_terminal():
    text = shown(
        begun(2, limit=5), piece("a", 1), piece("b", 2), good(2, "bb"), good(1, "aa"), out=Terminal()
    )
    assert [line for line in text.splitlines() if not line.startswith("==>")] == ["bb", "", "aa"]


def test_an_attempt_that_breaks_off_is_marked_and_its_successor_starts_anew():
    text = shown(begun(1, limit=1), piece("half"), again(1), piece("whole"), good(1, "whole"), out=Terminal())
    assert text == "half\n[cut off; trying again]\n\nwhole\n"


def test_what_a_model_says_before_it_calls_tools_is_not_taken_for_its_answer():
    said = piece("Let me look.")
    step = StepEnded(call=said.call, model=said.model, lane="google", step=1, tools=("look", "rate"))
    events = (begun(1, limit=1), said, step, piece("42"), good(1, "42"))
    assert shown(*events, out=Terminal()) == "Let me look.\n[calls look, rate]\n\n42\n"
    assert shown(*events) == "42\n"


def test_a_call_that_fails_midway_ends_its_line():
    assert shown(begun(1, limit=1), piece("half"), bad(1), out=Terminal()) == "half\n[cut off]\n"


def test_a_run_that_is_broken_off_ends_its_line():
    assert shown(begun(1, limit=1), piece("half"), out=Terminal()) == "half\n"


def test_controls_are_inert_on_a_terminal_and_in_a_pipe():
    nasty = "\x1b]0;title\x07 \u202e [red]x"
    for out in (Terminal(), io.StringIO()):
        text = shown(begun(1, limit=5), good(text=nasty), out=out)
        assert text == "\\x1b]0;title\\x07 \\u202e [red]x\n"
    streamed = shown(begun(1, limit=1), piece("\x1b"), piece("[2Jx"), good(text="x"), out=Terminal())
    assert streamed == "\\x1b[2Jx\n"


def test_a_line_end_cut_in_two_is_one_line_end():
    text = shown(begun(1, limit=1), piece("a\r"), piece("\nb\r"), piece("c"), good(), out=Terminal())
    assert text == "a\nb\\x0dc\n"


def test_the_bar_is_away_while_an_answer_is_written():
    out, held = Terminal(), []

    @contextmanager
    def hold():
        held.append("held")
        yield
        held.append("released")

    answers = AnswerPrinter(out, hold=hold)
    answers(begun(1, limit=1))
    answers(piece("a"))
    assert held == ["held"]
    answers(good(1, "a"))
    assert held == ["held", "released"]


def test_answers_of_earlier_runs_can_be_printed():
    def result(response: str | None) -> CallResult:
        metrics = Metrics(
            response_s=1, ttft_s=None, attempts=1, input_tokens=1, output_tokens=1, cost_usd=None
        )
        return CallResult(
            model=str(FLASH),
            provider="google",
            file=None,
            repeat=1,
            status="succeeded" if response else "failed",
            response=response,
            finish_reason=None,
            metrics=metrics,
            error=None,
        )

    out = io.StringIO()
    answers = AnswerPrinter(out)
    answers(begun(2, done=1))
    answers.stored([result("stored"), result(None)])
    assert out.getvalue() == "==> google:gemini-2.5-flash <==\nstored\n"
