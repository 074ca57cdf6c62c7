"""The filter of --where: what fits, and where a broken one is wrong."""

from __future__ import annotations

from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from umwelten.errors import UsageError
from umwelten.inputs.filters import ANY_PATH, parse_where, path_value

ROW: dict[str, object] = {
    "status": "succeeded",
    "model": "google:gemini-2.0-flash",
    "file": "sub/scan 1.jpg",
    "repeat": 2,
    "cost_usd": 0.00125,
    "reasoning": None,
    "json.relevant": True,
    "json.year": "1984",
    "json.pages": 120,
    "json.zip": "007",
    "json.tags": ["Politics", "war"],
    "json.when": "2024-05-01",
    "json.note": 'it\'s "quoted"',
    "json.author": {"name": "Orwell"},
}


@pytest.mark.parametrize(
    "text",
    [
        "status=succeeded",
        "status == 'succeeded'",
        'status="succeeded" and json.relevant=true',
        "status = failed or json.relevant = true",
        "status = failed and status = failed or repeat = 2",
        "repeat = 2 or status = failed and status = failed",
        "not (status = failed or repeat = 1)",
        "not status = failed and repeat = 2",
        "NOT status = failed AND repeat = 2",
        "repeat=2.0",
        "repeat = '2'",
        "repeat < 10",
        "repeat>=2",
        "cost_usd <= 1.3e-3",
        "json.year >= 1984",
        "json.year = 1984.0",
        "json.year < 19840",
        "json.zip = 7",
        "json.zip = '007'",
        "json.zip != '7'",
        "json.when > 2024-04-30",
        "json.when < '2024-05-02'",
        "model ~ GEMINI",
        "model !~ gpt",
        "model = google:gemini-2.0-flash",
        "file = 'sub/scan 1.jpg'",
        "file ~ .jpg",
        "json.tags ~ polit",
        "json.tags !~ peace",
        "json.author ~ orwell",
        r"json.note = 'it\'s \"quoted\"'",
        "status in (failed, succeeded)",
        "repeat in (1, 2)",
        "status not in (failed, pending)",
        "reasoning = null",
        "json.none = null",
        "json.none != 3",
        "repeat != null",
        "json.relevant != false",
        "json.relevant = TRUE",
        "'json.relevant' = true",
        "((repeat = 2))",
    ],
)
def test_it_fits(text: str) -> None:
    assert parse_where(text)(ROW)


@pytest.mark.parametrize(
    "text",
    [
        "status=failed",
        "status != succeeded",
        "status = Succeeded",
        "repeat > 2",
        "repeat < null",
        "json.year < 984",
        "json.zip = '7'",
        "json.none = 3",
        "json.none < 3",
        "json.none > 3",
        "json.none ~ a",
        "json.none !~ a",
        "reasoning = ''",
        "json.relevant = 1",
        "json.relevant > 0",
        "json.relevant = null",
        "model < 5",
        "json.tags ~ peace",
        "status not in (failed, succeeded)",
        "not repeat = 2",
        "status = succeeded and repeat = 1",
    ],
)
def test_it_does_not_fit(text: str) -> None:
    assert not parse_where(text)(ROW)


@pytest.mark.parametrize(
    ("text", "problem", "at"),
    [
        ("", "expected a field", 0),
        ("status", "expected a comparison (= == != < <= > >= ~ !~, in) after 'status'", 6),
        ("status =  ", "expected a value; quote text that contains blanks or operators", 8),
        ("status = and", "expected a value; quote text that contains blanks or operators", 9),
        ("status = a b", "expected 'and', 'or' or the end, found 'b'", 11),
        ("(status = a", "expected ')'", 11),
        ("status = a)", "expected 'and', 'or' or the end, found ')'", 10),
        ("status = 'a", "the quote is not closed", 9),
        ("status ! a", "unexpected '!'", 7),
        ("status = a and", "expected a field", 14),
        ("status = a and and", "expected a field", 15),
        ("status in a", "expected '('", 10),
        ("status in (a b)", "expected ')'", 13),
        ("status in ()", "expected a value; quote text that contains blanks or operators", 11),
        ("status not = a", "expected 'in' after 'status'", 11),
        ("status = a and statu = b", "there is no field 'statu'; did you mean 'status'?", 15),
        ("zzz = a", "there is no field 'zzz'", 0),
        ("json. = a", "there is no field 'json.'", 0),
    ],
)
def test_an_error_shows_its_place(text: str, problem: str, at: int) -> None:
    with pytest.raises(UsageError) as error:
        parse_where(text, ("status", "model", ANY_PATH))
    lines = error.value.message.split("\n")
    assert lines[0].startswith(f"where: {problem}")
    assert lines[1:] == [f"  {text.rstrip()}", f"  {' ' * at}^"]


def test_a_long_filter_and_one_of_several_lines_show_the_line_that_is_wrong() -> None:
    with pytest.raises(UsageError) as error:
        parse_where(" or\n".join([*(f"model = m{n}" for n in range(40)), "statu = a"]), ("status", "model"))
    assert error.value.message.split("\n")[0].startswith("where, line 41: there is no field 'statu'")
    assert error.value.message.split("\n")[1:] == ["  statu = a", "  ^"]


def test_an_unknown_field_lists_the_known() -> None:
    with pytest.raises(UsageError) as error:
        parse_where("statu = a", ("status", "model", ANY_PATH))
    assert error.value.hint == "The fields are status, model, json.<path>."


def test_fields_inside_a_record_need_not_be_listed() -> None:
    assert parse_where("json.a.b = 1", ("status", ANY_PATH))({"json.a.b": 1})


@pytest.mark.parametrize(("before", "after"), [("(", ")"), ("not ", "")])
def test_fifty_levels_are_enough_and_one_more_is_too_many(before: str, after: str) -> None:
    assert parse_where(before * 50 + "a = 1" + after * 50)({"a": 1})
    with pytest.raises(UsageError, match="nested too deeply"):
        parse_where(before * 51 + "a = 1" + after * 51)


def test_brackets_without_end_are_refused_and_do_not_overflow() -> None:
    with pytest.raises(UsageError, match="nested too deeply"):
        parse_where("(" * 10_000)
    with pytest.raises(UsageError, match="nested too deeply"):
        parse_where("not " * 10_000 + "a = 1")


@given(st.text(alphabet="ab=!<>~()'\" ,.1\\nort", max_size=30))
def test_any_text_is_a_filter_or_a_usage_error(text: str) -> None:
    try:
        fits = parse_where(text)
    except UsageError as error:
        assert error.message.endswith("^")
    else:
        assert fits({}) in (True, False)


@given(st.text(max_size=20), st.text(max_size=20))
def test_a_quoted_text_equals_itself_alone(stored: str, other: str) -> None:
    quoted = "'" + stored.replace("\\", "\\\\").replace("'", "\\'") + "'"
    fits = parse_where(f"a = {quoted}")
    assert fits({"a": stored})
    assert fits({"a": other}) == (normalize("NFC", stored) == normalize("NFC", other))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("title", "Emma"),
        ("author.name", "Austen"),
        ("tags.1", "b"),
        ("books.0.title", "Persuasion"),
        ("a.b", 1),
        ("a.b.c", None),
        ("x.y.z", 2),
        ("tags.7", None),
        ("tags.x", None),
        ("title.x", None),
        ("none", None),
    ],
)
def test_a_path_leads_through_objects_and_lists(path: str, value: object) -> None:
    data = {
        "title": "Emma",
        "author": {"name": "Austen"},
        "tags": ["a", "b"],
        "books": [{"title": "Persuasion"}],
        "a.b": 1,
        "x.y": {"z": 2},
    }
    assert path_value(data, path) == value


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("tokens > abc", "tokens is a number, but 'abc' is not\n  tokens > abc\n           ^"),
        ("tokens = 'x y'", "tokens is a number, but 'x y' is not"),
        ("tokens in (1, two)", "tokens is a number, but 'two' is not"),
        ("tokens = true", "tokens is a number, but 'true' is not"),
    ],
)
def test_a_word_for_a_field_of_numbers_is_refused(text: str, said: str) -> None:
    with pytest.raises(UsageError) as error:
        parse_where(text, numbers=("tokens",))
    assert said in error.value.message


@pytest.mark.parametrize("text", ["tokens = '2'", "tokens != null", "tokens ~ 2", "tokens in (1, 2)"])
def test_numbers_in_quotes_null_and_parts_pass_for_a_field_of_numbers(text: str) -> None:
    assert parse_where(text, numbers=("tokens",))({"tokens": 2})


@pytest.mark.parametrize(
    "text",
    [
        "json.Größe = 3 and \u200bfile = 'Straße ü'",
        "json.Gro\u0308\u00adße = 3 and file ~ 'u\u0308'",
        "json.maße.hoch.Größe = 4 and file in (x, 'Straße u\u0308')",
    ],
)
def test_names_and_texts_that_look_the_same_are(text: str) -> None:
    data = {"Gro\u0308ße": 3, "ma\u200bße": {"hoch": {"Größe": 4}}}
    fits = parse_where(text, ["file", ANY_PATH])
    paths = ("json.Größe", "json.Gro\u0308\u00adße", "json.maße.hoch.Größe")
    fields = {path: path_value(data, path.removeprefix("json.")) for path in paths}
    assert fits({"file": "Straße u\u0308", **fields})


def test_a_field_in_letters_of_another_alphabet_is_told() -> None:
    with pytest.raises(UsageError) as error:
        parse_where("m\u043edel = a", ["model"])
    assert "'\u043e' is U+043E CYRILLIC SMALL LETTER O" in error.value.message
