"""What a request holds, in which order, and how its tokens are counted."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from umwelten.prompts.request_builder import RequestBuilder
from umwelten.prompts.token_estimates import InputSize
from umwelten.types import Media, ModelRef, Prompt, RequestSettings, Role, Text, VariantSettings
from wirekit import assistant, image, user

MODEL = ModelRef("p", "m")
TURNS = (assistant("wrong"), user("no"))


def builder(prompt: str = "Read this.", **more: object) -> RequestBuilder:
    attached = more.pop("attached", ())
    settings = RequestSettings(prompts=(Prompt(name="", text=prompt),), **more)
    return RequestBuilder(settings, attached=attached)


def words(*texts: str) -> tuple[Text, ...]:
    return tuple(Text(text=text) for text in texts)


def test_a_request_without_turns_is_one_message_of_the_user() -> None:
    request = builder(system="Be brief.").request(MODEL, words("content"), stream=True)
    (message,) = request.messages
    assert (message.role, message.parts) == (Role.USER, words("Read this.", "content"))
    assert (request.system, request.stream, request.model) == ("Be brief.", True, MODEL)


def test_media_come_first_then_the_prompt_then_words_then_attached_words() -> None:
    plan = Media(mime="image/png", data=b"x", name="plan.png")
    made = builder(attached=(*words("glossary"), plan))
    (message,) = made.request(MODEL, (*words("content"), image()), stream=False).messages
    assert message.parts == (image(), plan, *words("Read this.", "content", "glossary"))


def test_turns_follow_the_question_and_leave_it_as_it_is() -> None:
    made = builder("About {{content}}: why?")
    alone = made.request(MODEL, words("cats"), stream=False, values={})
    longer = made.request(MODEL, words("cats"), stream=False, values={}, turns=TURNS)
    assert longer.messages == (*alone.messages, *TURNS)
    assert alone.messages[0].parts == words("About cats: why?")


TEXTS = st.lists(st.text(max_size=200), max_size=4)


@given(texts=TEXTS, size=st.integers(0, 100_000))
def test_what_was_said_since_adds_to_the_bound_and_to_the_estimate(texts: list[str], size: int) -> None:
    made, page = builder(), InputSize(file_bytes=size, name="a.txt")
    turns = tuple(assistant(text) for text in texts)
    more = made.most_tokens(page, turns) - made.most_tokens(page)
    # A token has at least two bytes of words here, as in a file.
    assert more >= sum(len(text.encode()) // 2 for text in texts)
    rough = made.input_tokens(page, "", turns) - made.input_tokens(page, "")
    assert rough == sum(map(len, texts)) // 4


def test_the_bound_holds_for_the_estimate() -> None:
    made, size = builder(), InputSize(file_bytes=9_000, name="a.txt")
    for turns in ((), TURNS, TURNS * 40):
        assert made.most_tokens(size, turns) >= made.input_tokens(size, "", turns)


def test_tokens_are_those_of_the_variants_own_system_prompt_and_bounds_those_of_the_longest() -> None:
    long = VariantSettings(name="long", system="ö" * 4000)
    settings = RequestSettings(prompts=(Prompt(name="", text="Say it."),), system="Short.", variants=(long,))
    made, plain = RequestBuilder(settings), RequestBuilder(msgspec.structs.replace(settings, variants=()))
    assert made.input_tokens() == plain.input_tokens()
    assert 990 <= made.input_tokens(variant="long") - made.input_tokens() <= 1000
    assert made.most_tokens(InputSize()) - plain.most_tokens(InputSize()) >= 1990
