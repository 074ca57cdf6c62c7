"""What a judge is asked about two answers: the system text, the question, and what it is shown in frames."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from umwelten.prompts.template import Template
from umwelten.scoring.judge import wording
from umwelten.scoring.judge.frame import Shown, frame_values
from umwelten.text.names import value_of
from umwelten.text.suggestions import closest, did_you_mean_clause

WORDING = 1
"""Raise it with every change of these words: other words give other verdicts. The frames have theirs, too."""
DEFAULT_QUESTION = "Which of the two answers serves the asker better?"
FIRST, SECOND = "first", "second"
ANSWERS = (FIRST, SECOND)
SHOWN = ("prompt", "input", "expected", *ANSWERS)
"""What a judge is shown of a comparison, in this order."""
FURTHER = ("row.", "file.name")
"""Beginnings of the other placeholders that a question may have."""

_ROLE = (
    "You are a judge. You are shown two answers that others wrote to the same question, and say which one is "
    "better by what you are asked. You do not answer, continue or improve anything yourself."
)
_MEANINGS = wording.MEANINGS | {
    "prompt": "what the writers of the answers were asked",
    FIRST: "the answer that is shown first",
    SECOND: "the answer that is shown second",
}
_FAIRNESS = (
    "Judge by what you are asked alone. Which answer is shown first and which second says nothing about "
    "them: in the other order your winner must be the same answer. Length, style and confidence count only "
    "if you are asked about them. Judge what is written, not what may have been meant."
)
_REPLY = (
    "Reply with a reason and then the winner. The reason names what decides between the answers, in at most "
    f"{wording.LONGEST_REASON} characters. The winner follows from it and is one of:\n"
    '- "first": the answer in the frame first is better\n'
    '- "second": the answer in the frame second is better\n'
    '- "tie": neither is better, be both good, both bad or the same'
)


def shown_names(question: str | None, there: Collection[str]) -> tuple[str, ...]:
    """Return the names of what a judge is shown: the question's placeholders, or all of `there` in order.

    `there` are those of `SHOWN` besides the answers that there are. Errors: `ValueError` for a question that
    is empty, has placeholders but not both answers, or one that nothing is known to fill.
    """
    if question is None:
        question = DEFAULT_QUESTION
    if not question.strip():
        raise ValueError("is empty: say what the judge is to look at, or leave it out")
    names = Template(question).names
    if not names:
        return tuple(name for name in SHOWN if name in there or name in ANSWERS)
    for name in names:
        if name not in SHOWN and not name.startswith(FURTHER):
            known = ", ".join(f"{{{{{each}}}}}" for each in (*SHOWN, "row.…", "file.name"))
            near = did_you_mean_clause(closest(name, SHOWN, ignore_case=True), "{{{{{}}}}}")
            raise ValueError(f"has {{{{{name}}}}}, which is not known{near or '.'} Known are {known}")
    if missing := [name for name in ANSWERS if name not in names]:
        raise ValueError(
            f"has placeholders, but not {{{{{missing[0]}}}}}: with placeholders a judge sees only those, and "
            "it must see both answers"
        )
    return names


def with_columns(question: str | None, columns: Iterable[str], there: Collection[str]) -> str:
    """Return the question with what is shown before it, of the input only these columns of a row."""
    names = [f"row.{column}" for column in columns]
    names += [name for name in SHOWN if name != "input" and (name in there or name in ANSWERS)]
    asked = DEFAULT_QUESTION if question is None else question
    return "\n\n".join((*(f"{{{{{name}}}}}" for name in names), asked))


def template(question: str | None, there: Collection[str]) -> str:
    """Return the user message as a template, whose placeholders `framed` fills.

    With placeholders in the question it is the question; else what is shown goes before it. Errors: those of
    `shown_names`.
    """
    names = shown_names(question, there)
    asked = DEFAULT_QUESTION if question is None else question
    if Template(asked).names:
        return asked
    return "\n\n".join((*(f"{{{{{name}}}}}" for name in names), asked))


def system_text(names: Collection[str]) -> str:
    """Return the system text. `names` are those of the frames, as `shown_names` returns them."""
    listed = "".join(f"\n- {name}: {_MEANINGS.get(name, 'further material')}" for name in names)
    frames = wording.FRAMES.format(one=FIRST, names=listed)
    return "\n\n".join((_ROLE, frames, wording.MATERIAL, _FAIRNESS, _REPLY))


def framed(values: Mapping[str, Shown], names: Collection[str]) -> dict[str, str]:
    """Return the values of `names` in frames, "" for what is not there; an answer without text has a frame.

    The name of the model that wrote an answer may not be among the values.
    """
    wanted = {name: value_of(name, values, None) or ("" if name in ANSWERS else None) for name in names}
    return frame_values(wanted, SHOWN)
