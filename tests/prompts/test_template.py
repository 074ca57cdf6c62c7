"""Placeholders in prompts: what is one, what is left alone, what goes in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from umwelten.errors import UsageError
from umwelten.prompts.template import Template


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("Describe it.", ()),
        ("{{content}}", ("content",)),
        ("{{ content }} and {{content}}", ("content",)),
        ("{{file.name}}: {{\tanswer\n}}", ("file.name", "answer")),
        ("{{row.title}} {{row.Straße in km²}}", ("row.title", "row.Straße in km²")),
        ("{{ row.a  b }}", ("row.a  b",)),
        ("{{row.what (if any), e.g. 1+1}}", ("row.what (if any), e.g. 1+1",)),
        ("{{{content}}}", ("content",)),
        ("{{first-name_2}}", ("first-name_2",)),
    ],
)
def test_names_between_two_braces_are_placeholders(text: str, names: tuple[str, ...]) -> None:
    assert Template(text).names == names


@pytest.mark.parametrize(
    "text",
    [
        "{x}",
        "{content}",
        "{{ 1 + 2 }}",
        '{{"a": 1}}',
        "{% if content %}",
        "{{ name | upper }}",
        "{{}}",
        "{{ }}",
        "{{content}",
        "{{a b}}",
        "{{row.}",
        "{{1}}",
        "function f() {{ return {{}}; }}",
        '{"a": {"b": {"c": 1}}}',
        "\\{{ 1 }}",
        "\\ {x}",
    ],
)
def test_other_braces_are_left_alone(text: str) -> None:
    template = Template(text)
    assert (template.names, template.render({"content": "X", "name": "Y"})) == ((), text)


def test_values_stand_where_their_names_stood() -> None:
    template = Template("{{ row.title }} by {{row.author}}: {{content}}, {{row.title}}!")
    values = {"row.title": "Emma", "row.author": "Austen", "content": "…"}
    assert template.render(values) == "Emma by Austen: …, Emma!"


def test_a_value_that_looks_like_a_placeholder_is_just_text() -> None:
    template = Template("{{answer}}|{{content}}")
    assert template.render({"answer": "{{content}} \\1 \\{{x}}", "content": "secret"}) == (
        "{{content}} \\1 \\{{x}}|secret"
    )


def test_a_backslash_makes_a_placeholder_plain_words() -> None:
    template = Template(r"Write \{{content}} for {{content}}, \\{{ row.a }} twice")
    assert template.names == ("content",)
    assert template.render({"content": "X"}) == r"Write {{content}} for X, \{{ row.a }} twice"


def test_what_a_row_lacks_is_empty_and_any_other_gap_is_an_error() -> None:
    assert Template("<{{row.title}}>").render({}) == "<>"
    with pytest.raises(KeyError):
        Template("{{content}}").render({})


def test_known_names_and_columns_pass_the_check() -> None:
    Template("{{content}} {{row.a b}} {x}").check({"content", "answer"}, ("a b", "c"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "{{row.titel}}",
            "{{row.titel}} in the prompt: did you mean {{row.title}}? "
            "Known: {{content}}, {{row.title}}, {{row.id}}",
        ),
        ("{{row.Title}}", "did you mean {{row.title}}?"),
        ("{{id}}", "did you mean {{row.id}}?"),
        ("{{contents}}", "did you mean {{content}}?"),
        ("{{zzz}}", "there is no such placeholder. Known: {{content}}"),
    ],
)
def test_an_unknown_name_is_an_error_that_lists_the_known_and_names_the_nearest(text: str, said: str) -> None:
    with pytest.raises(UsageError) as error:
        Template(text).check(("content",), ("title", "id"))
    assert said in error.value.message


def test_a_column_without_rows_is_an_error_that_says_so() -> None:
    with pytest.raises(UsageError, match="no rows to fill it in from"):
        Template("{{row.title}}").check(("content",), None)


@pytest.mark.parametrize(
    ("text", "known", "said"),
    [
        ("{{answer}}", ("content",), "with from_;"),
        ("{{row.x}}", ("content",), "with rows;"),
        ("{{json.title}}", ("content",), "with from_;"),
        ("{{row.x}}", ("content", "answer"), "The answers of from_ are not about rows"),
    ],
)
def test_a_place_of_another_kind_of_input_names_what_is_to_be_given(text, known, said) -> None:
    with pytest.raises(UsageError) as error:
        Template(text).check(known, None)
    assert said in str(error.value)
    if "{{json" not in text:
        assert "did you mean" not in str(error.value)


def test_a_long_list_of_columns_is_cut() -> None:
    with pytest.raises(UsageError, match="and 61 more"):
        Template("{{zzz}}").check(("content",), tuple(f"column {number}" for number in range(100)))


def test_what_a_template_uses_is_told_by_the_beginning_of_a_name() -> None:
    template = Template("{{row.title}} {{file.name}}")
    assert (template.uses("row."), template.uses("file.name"), template.uses("content")) == (
        True,
        True,
        False,
    )


NAMES = st.sampled_from(["content", "answer", "file.name", "row.a", "row.b c"])


@given(st.lists(st.tuples(st.text("ab \n|", max_size=5), NAMES)), st.dictionaries(NAMES, st.text()))
def test_rendering_is_putting_the_values_between_the_words(
    pieces: list[tuple[str, str]], given_values: dict[str, str]
) -> None:
    values = dict.fromkeys(["content", "answer", "file.name", "row.a", "row.b c"], "") | given_values
    text = "".join(words + "{{" + name + "}}" for words, name in pieces)
    assert Template(text).render(values) == "".join(words + values[name] for words, name in pieces)


@given(st.text(alphabet="ax{}\\ .-1r\n", max_size=60))
def test_text_without_placeholders_comes_out_as_it_went_in(text: str) -> None:
    template = Template(text)
    if not template.names and "\\{{" not in text:
        assert template.render({}) == text


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("{{row.Größe}}", ("Gro\u0308ße",)),
        ("{{row.Gro\u0308ße}}", ("Größe",)),
        ("{{row.Größe}}", ("\ufeffGr\u00adöße\u200b",)),
        ("{{\u200brow.Größe\ufeff}}", ("Größe",)),
        ("{{row.in\u00a0m}}", ("in m",)),
        ("{{row.a}}", ("a\u200b", "a")),
    ],
)
def test_a_column_is_found_under_a_name_that_looks_the_same(text: str, columns: tuple[str, ...]) -> None:
    template = Template(text)
    template.check(("content",), columns)
    values = {f"row.{column}": str(number) for number, column in enumerate(columns)}
    assert template.render(values) == str(len(columns) - 1)


def test_two_columns_that_look_like_a_placeholder_are_an_error_that_names_both() -> None:
    with pytest.raises(UsageError) as error:
        Template("{{row.a }}").check((), ("a\u200b", "\u200ba"))
    assert error.value.message.endswith(r"look the same: 'a\u200b', '\u200ba'")


def test_a_suggestion_that_looks_the_same_says_what_differs() -> None:
    with pytest.raises(UsageError) as error:
        Template("{{row.n\u0430me}}").check((), ("name",))
    assert "'\u0430' is U+0430 CYRILLIC SMALL LETTER A" in error.value.message
