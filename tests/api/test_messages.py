"""Prompts of several messages, from the call to what is sent, stored, resumed and shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import umwelten
from provider import Provider
from umwelten.cli.joined_stdin import _join
from umwelten.evaluation.recalling import _render, with_place
from umwelten.prompts.messages import as_messages, conversation, messages_of
from umwelten.types import Prompt

FEW: list[umwelten.Message] = [
    {"role": "system", "content": "Answer in a word."},
    {"role": "user", "content": "The plural of {{row.word}}?"},
    {"role": "assistant", "content": "{{row.plural}}"},
    {"role": "user", "content": "And of mouse?"},
]
ROWS = [{"word": "ox", "plural": "oxen"}, {"word": "foot", "plural": "feet"}]
SAID = ["The plural of ox?", "oxen", "And of mouse?"]


def bodies(server: Provider) -> list[dict[str, Any]]:
    found = [json.loads(record.body) for record in server.idle().records]
    server.reset()
    return found


def said(body: dict[str, Any]) -> list[tuple[str, str]]:
    """Roles and texts of a request in any of the wire formats."""
    turns = body.get("contents") or body.get("messages") or body["input"]
    found = []
    for turn in turns:
        content = turn.get("content", turn.get("parts"))
        text = content if isinstance(content, str) else "".join(part["text"] for part in content)
        found.append((turn["role"].replace("model", "assistant"), text))
    return [pair for pair in found if pair[0] != "system"]


@pytest.mark.parametrize(
    "model",
    ["openai:a", "anthropic:claude-sonnet-5-5", "google:gemini-3.5-flash", "ollama:gemma3:12b", "responses"],
)
def test_each_provider_is_sent_all_messages_in_order(server: Provider, model: str) -> None:
    more: dict[str, Any] = {"api": "responses"} if model == "responses" else {}
    model = "openai:a" if more else model
    umwelten.batch(FEW, model, rows=ROWS[:1], **more).wait()
    (body,) = bodies(server)
    assert said(body) == list(zip(["user", "assistant", "user"], SAID, strict=True))
    assert "Answer in a word." in json.dumps(body)


def test_an_answer_goes_on_as_it_was_asked_and_shows_the_conversation(server: Provider) -> None:
    results = umwelten.batch(FEW, "openai:a", rows=ROWS, id="plurals").wait()
    assert len(bodies(server)) == 2
    umwelten.batch(FEW, "openai:a", rows=ROWS, id="plurals", resume=True).wait()
    assert bodies(server) == []
    other: list[umwelten.Message] = [*FEW[:2], {"role": "assistant", "content": "?"}, FEW[3]]
    with pytest.raises(
        umwelten.EvaluationChanged, match=r"prompt: .*Assistant: \{\{row\..* → .*Assistant: \?"
    ):
        umwelten.batch(other, "openai:a", rows=ROWS, id="plurals", resume=True).wait()
    report = Path("report.json")
    results.report(report)
    written = json.loads(report.read_text())
    assert written["evaluation"]["messages"] == FEW[1:]
    assert written["evaluation"]["system"] == "Answer in a word."
    for name in ("report.html", "report.md"):
        results.report(Path(name))
        page = Path(name).read_text()
        assert "Assistant: {{row.plural}}" in page
        assert "\x02" not in page


def test_a_judge_or_a_further_step_sees_the_whole_conversation(server: Provider) -> None:
    umwelten.batch(FEW, "openai:a", rows=ROWS[:1], id="plurals").wait()
    bodies(server)
    umwelten.batch("{{prompt}} | {{answer}}", "openai:a", from_="plurals").wait()
    ((_, text),) = said(bodies(server)[0])
    assert text.startswith("User: The plural of ox?\n\nAssistant: oxen\n\nUser: And of mouse? | ")


def test_an_input_without_a_place_follows_the_last_message(server: Provider) -> None:
    turns: list[umwelten.Message] = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello"},
        {"role": "user", "content": "Sum up."},
    ]
    umwelten.batch(turns, "openai:a", inputs={"note": "A long note."}).wait()
    first, second, last = said(bodies(server)[0])
    assert (first, second) == (("user", "Hi"), ("assistant", "Hello"))
    assert last[1].startswith("Sum up.\n\n") and "A long note." in last[1]


def test_answers_are_reused_and_named_prompts_may_have_messages(server: Provider) -> None:
    umwelten.run([*FEW[:1], FEW[3]], "openai:a", id="alone").wait()
    plain = umwelten.run("And of mouse?", "openai:a", system="Answer in a word.", reuse=["alone"]).wait()
    assert len(bodies(server)) == 1
    assert plain.text
    named = {"few": [*FEW[1:2], {"role": "assistant", "content": "x"}, FEW[3]], "one": "The plural of mouse?"}
    results = umwelten.batch(prompts=named, models="openai:a", rows=ROWS[:1]).wait()
    assert [answer.prompt for answer in results] == ["few", "one"]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"prompt": FEW[:3]}, "the last message is the assistant's"),
        ({"prompt": FEW, "system": "x"}, "begin with a system message, and system is given"),
        ({"prompt": 3}, "or a list of messages"),
        ({"prompts": {"a": FEW, "b": "text"}}, "different system messages"),
        ({"prompt": [{"role": "user", "content": "{{row.wrod}}"}, *FEW[2:]]}, r"row\.wrod"),
    ],
)
def test_what_does_not_go_together_is_refused(
    server: Provider, arguments: dict[str, Any], problem: str
) -> None:
    with pytest.raises(umwelten.UsageError, match=problem):
        umwelten.batch(models="openai:a", rows=ROWS, **arguments).wait()
    assert bodies(server) == []


WORDS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\x02"), min_size=1, max_size=30),
    st.sampled_from(["{{content}}", "\\{{row.a}}", "user\n", "{{", "}} x", "\x1e\r\n"]),
).filter(str.strip)


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pairs=st.lists(st.tuples(WORDS, WORDS), max_size=3), last=WORDS, system=st.none() | WORDS)
def test_any_conversation_is_sent_stored_and_resumed(
    server: Provider, pairs: list[tuple[str, str]], last: str, system: str | None
) -> None:
    turns: list[Any] = [] if system is None else [{"role": "system", "content": system}]
    for one, other in pairs:
        turns += [{"role": "user", "content": one}, {"role": "assistant", "content": other}]
    turns.append({"role": "user", "content": last})
    texts = [text.replace("\\{{row.a}}", "{{row.a}}") for pair in pairs for text in pair] + [
        last.replace("\\{{row.a}}", "{{row.a}}")
    ]
    sent = [text.replace("{{content}}", "C") for text in texts]
    umwelten.batch(turns, "openai:a", inputs={"c": "C"}, id="same", overwrite=True).wait()
    (body,) = bodies(server)
    found = [text for _, text in said(body)]
    assert found[:-1] == sent[:-1]
    assert found[-1].startswith(sent[-1])
    umwelten.batch(turns, "openai:a", inputs={"c": "C"}, id="same", resume=True).wait()
    assert bodies(server) == []


def test_what_is_recalled_and_what_stands_on_stdin_join_the_last_message() -> None:
    text = conversation(FEW[1:], "prompt")
    (placed,) = with_place((Prompt(name="", text=text),))
    first, answer, last = messages_of(placed.text)
    assert (first[1], answer[1]) == (FEW[1]["content"], FEW[2]["content"])
    assert last[1] == "What is known from before:\n{{memory}}\n\nAnd of mouse?"
    filled = messages_of(_render(placed.text, {"memory": "a\x02assistant\nb"}))
    assert [words for _, words in filled][:2] == [FEW[1]["content"], FEW[2]["content"]]
    assert len(filled) == 3
    joined = as_messages(_join(text, "x \x02user\ny")) or ()
    assert [one["role"] for one in joined] == ["user", "assistant", "user"]
    assert joined[-1]["content"].startswith("And of mouse?\n\nx ")
