"""A judge that is ready: made once from its settings, for any number of answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any, NamedTuple

import msgspec

from umwelten.prompts.template import Template
from umwelten.scoring.identity import canonical
from umwelten.scoring.judge import frame
from umwelten.scoring.judge.combination import Ballot, combine
from umwelten.scoring.judge.reply import Opinion, failed, read_reply, reply_schema
from umwelten.scoring.judge.scale import Scale
from umwelten.scoring.judge.settings import SEEN, judge_settings
from umwelten.scoring.judge.wording import WORDING, question_text, system_text
from umwelten.scoring.score import Result
from umwelten.text.names import value_of
from umwelten.types import Parameters, Schema


class Question:
    """What a judge is asked about every answer in one call.

    `name` is the criterion's where each has a call of its own, else "". `prompt` is a template, whose
    `placeholders` the values of `message` fill. `criteria` are the names that a reply has verdicts on.
    """

    def __init__(self, name: str, prompt: str, criteria: tuple[str, ...]) -> None:
        self.name, self.prompt, self.criteria = name, prompt, criteria
        self._template = Template(prompt)
        self.placeholders = self._template.names

    def render(self, values: Mapping[str, str]) -> str:
        """Return the user message, with values as `Judge.values` returns them."""
        return self._template.render(values)


class Judge:
    """Asks by one definition. `settings` and `at_least` are those of a `Definition` of type `judge`.

    `system`, `schema` and `settings.parameters` are the same for all questions. `digest` is what decides the
    verdicts, as 40 hex digits: words, models, scale, schema, parameters, what is seen. It has neither name,
    threshold, weight, `combine` nor `samples`, so that more samples only add to those there are; but one
    sample has temperature 0 unless it is given, so that going from one to several is another digest. The
    score that is made of the verdicts depends on `combine` and `samples` too: its scorer's digest is
    `Definition.digest`.
    """

    def __init__(self, settings: Mapping[str, Any], at_least: float | None) -> None:
        self.settings = judge_settings(settings)
        self.at_least = at_least
        self.scale = self.settings.scale
        self.criteria = tuple(name for name, _ in self.settings.criteria)
        self.shown = self.settings.placeholders or self.settings.sees
        """The names of the texts that it needs."""
        self.questions = self._questions()
        in_reply = self.questions[0].criteria
        self.system = system_text(
            self.scale, self.shown, unsure=self.settings.unsure, criteria=bool(in_reply)
        )
        self.schema: Schema = reply_schema(self.scale, in_reply, unsure=self.settings.unsure)
        self.digest = self._digest()

    @property
    def planned(self) -> int:
        """How many verdicts on each criterion are asked for: judges times samples."""
        return len(self.settings.models) * self.settings.samples

    def values(self, shown: Mapping[str, frame.Shown]) -> dict[str, str]:
        """Return what fills the placeholders of the questions about one answer, each in its frame.

        `shown` has the texts by the names of `self.shown`; one that is missing or `None` has no frame. No
        name of the model that wrote the answer may be among them, such as that of an answer's file.
        """
        wanted = {name: value_of(name, shown, None) for name in self.shown}
        return frame.frame_values(wanted, SEEN)

    def read(
        self, question: Question, data: str | None, *, text: str = "", marks: Sequence[str] = ()
    ) -> dict[str, Opinion]:
        """Return the opinions in a reply to a question, by criterion ("" without).

        `data`, `text` and `marks` are those of the stored `Reply`.
        """
        unsure = self.settings.unsure
        opinions = read_reply(data, self.scale, question.criteria, unsure=unsure, text=text, marks=marks)
        return {question.name or name: opinion for name, opinion in opinions.items()}

    def failed(self, question: Question, message: str) -> dict[str, Opinion]:
        """Return that a call gave no reply, for all criteria of its question."""
        return failed((question.name,) if question.name else question.criteria or ("",), message)

    def score(self, ballots: Sequence[Ballot]) -> Result:
        """Return the score of an answer from what came of all calls about it."""
        return combine(
            ballots,
            scale=self.scale,
            criteria=self.criteria,
            how=self.settings.combine,
            planned=self.planned,
            at_least=self.at_least,
        )

    def _questions(self) -> tuple[Question, ...]:
        ask, criteria = self.settings.ask, self.settings.criteria
        before = "" if self.settings.placeholders else f"{{{{{frame.FRAMES}}}}}\n\n"
        if not self.settings.each:
            prompt = before + question_text(ask, criteria, alone=False)
            return (Question("", prompt, self.criteria),)
        return tuple(
            Question(one[0], before + question_text(ask, (one,), alone=True), ()) for one in criteria
        )

    def _digest(self) -> str:
        parts = {
            "wording": WORDING,
            "models": sorted(self.settings.models),
            "system": self.system,
            "prompts": [[question.name, question.prompt] for question in self.questions],
            # As text: the order of fields is what makes the reason come first.
            "schema": msgspec.json.encode(self.schema.json).decode(),
            "parameters": _given(self.settings.parameters),
            "sees": list(self.shown),
        }
        return blake2b(canonical(parts), digest_size=20, person=b"umwelten.judge").hexdigest()


def _given(parameters: Parameters) -> dict[str, Any]:
    """Return the parameters unlike their defaults, so that those of later versions change no digest."""
    return {
        field.name: getattr(parameters, field.name)
        for field in msgspec.structs.fields(parameters)
        if getattr(parameters, field.name) not in (field.default, {})
    }


class Change(NamedTuple):
    """A setting that was changed, before and after as they are shown."""

    setting: str
    before: str
    after: str


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Change, ...]:
    """Return the settings of two definitions that decide verdicts and differ; empty if the digests are equal.

    That of words of an earlier version is not among them: where it is empty and digests differ, it is those.
    """
    old, new = judge_settings(before), judge_settings(after)
    found = [
        Change(name, _shown(getattr(old, name)), _shown(getattr(new, name)))
        for name in ("models", "ask", "criteria", "each", "scale", "sees", "unsure")
        if getattr(old, name) != getattr(new, name)
        and not (name == "models" and sorted(old.models) == sorted(new.models))
    ]
    was, now = (read.parameters for read in (old, new))
    found.extend(
        Change(name, _sent(getattr(was, name)), _sent(getattr(now, name)))
        for name in (field.name for field in msgspec.structs.fields(Parameters))
        if getattr(was, name) != getattr(now, name)
    )
    return tuple(found)


def _sent(value: Any) -> str:
    return "not sent" if value is None else msgspec.json.encode(value).decode()


def _shown(value: Any) -> str:
    if isinstance(value, Scale):
        return ", ".join(
            f"{word} = {float(share):g}" for word, share in zip(value.words, value.shares, strict=True)
        )
    return msgspec.json.encode(value).decode() if not isinstance(value, str) else value
