"""What each deterministic scorer finds in an answer."""

from __future__ import annotations

from typing import Any

import pytest

from scoringkit import score, scorer, unscored
from umwelten.scoring.overlap import chrf_counts, chrf_value, token_f1
from umwelten.scoring.score import Answer, Score


@pytest.mark.parametrize(
    ("kind", "text", "expected", "right"),
    [
        ("exact", " Paris\n", "paris", True),
        ("exact", "Paris.", "Paris", False),
        ("exact", "ﬁne", "fine", True),
        ("exact", "STRASSE", "straße", True),
        ("exact", "\ufeffe\u0301te\u0301", "été", True),
        ("exact", "Ｐａｒｉｓ", "Paris", True),
        ("exact", "3", 3.0, True),
        ("exact", "1e+300", 1e300, True),
        ("exact", "True", True, True),
        ("exact", "London", ["Paris", "London"], True),
        ("exact", "London", '["Paris", "London"]', True),
        ("exact", "[1", "[1", True),
        ("contains", "It is Paris.", "paris", True),
        ("contains", "Parisian", "paris", True),
        ("contains-all", "red and green", ["red", "green"], True),
        ("contains-all", "red", ["red", "green"], False),
        ("contains-any", "red", ["red", "green"], True),
        ("contains-any", "blue", ["red", "green"], False),
        ("starts", "Yes, it is", "yes", True),
        ("starts", "Oh yes", "yes", False),
        ("ends", "so: yes", "Yes", True),
        ("label", "Spam", "spam", True),
        ("label", "spam!", "spam", False),
    ],
)
def test_texts_are_compared_after_folding(kind: str, text: str, expected: Any, right: bool) -> None:
    found = score(text, expected, type=kind)
    assert (found.value, found.passed) == (float(right), right)
    opposite = score(text, expected, type=kind, not_=True)
    assert (opposite.value, opposite.passed) == (float(not right), not right)


def test_how_to_fold_can_be_said() -> None:
    assert score("paris", "Paris", type="exact", fold="none").value == 0
    assert score("Paris ", "Paris", type="exact", fold="none").value == 0
    assert score("The  «Eiffel» Tower!", "eiffel tower", type="exact", fold="words").value == 1
    assert score("A", "the", type="exact", fold="words").value == 1  # both are only articles


@pytest.mark.parametrize(("text", "right"), [("a cat sat", True), ("cat", True), ("a category cat", True)])
def test_whole_words_are_found(text: str, right: bool) -> None:
    assert bool(score(text, "cat", type="contains", words=True).value) == right
    assert not score("concat category", "cat", type="contains", words=True).value
    assert not score("category", "cat", type="starts", words=True).value
    assert score("cat-like", "cat", type="starts", words=True).value
    assert not score("concat", "cat", type="ends", words=True).value


def test_several_references_can_stand_in_one_text() -> None:
    assert score("London", "Paris | London", type="exact", several="|").value == 1
    assert score("red, green", "red|green", type="contains-all", several="|").value == 1


def test_a_pattern_is_found_or_its_group_is_compared() -> None:
    assert score("id 42", type="regex", value=r"\d+").label == "42"
    assert score("ID 42", type="regex", value=r"(?i)id \d+$").passed
    assert not score("none", type="regex", value=r"\d+").passed
    assert score("Answer: Paris", "paris", type="regex", value=r"Answer: (\w+)").passed
    assert not score("Answer: Paris", "London", type="regex", value=r"Answer: (\w+)").passed
    assert score("(x)", type="regex", value=r"\(x\)").passed  # an escaped bracket is no group
    assert unscored(Answer(text="Answer: A"), type="regex", value=r"Answer: (\w)").kind == "no_reference"


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("ANSWER: A,", "A"),
        ("Answer: B\nAnswer: C", "C"),
        ("(B) is tempting … so the answer is C", "C"),
        ("ANSWER: $B$", "B"),
        ("ANSWER: **B**", "B"),
        ("**ANSWER: B**", "B"),
        ("**Answer:** C", "C"),
        ("answer: b", "B"),
        (r"The answer is \boxed{\text{D}}", "D"),
        (r"Final Answer: \(\text{C}\)", "C"),
        ("ANSWER:\n\nB", "B"),
        ("ANSWER: None of the above", None),
        ("ANSWER: Don't know", None),
        ("The answer is a mystery", None),
        ("Actually, no idea", None),
        ("The answer is A because C is wrong", "A"),
        ("Answer: C, because (B) is wrong", "C"),
        ("Answer: A\nNo, wait.\nAnswer: D.", "D"),
        ("Answer: A/B", None),
        ("Answer: A, B and C", None),
        ("Answer: B or B", "B"),
        ("The answer isn't A. (B)", "B"),
        ("Reasons.\n\nC", "C"),
        ("C)", "C"),
        ("d.", "D"),
        ("(a) or (b)", "B"),
        ("Answer: E", None),
        ("", None),
    ],
)
def test_the_chosen_letter_is_read(text: str, letter: str | None) -> None:
    for wanted in "ABCD":
        found = score(text, wanted, type="choice")
        assert (found.value, found.label) == (float(letter == wanted), letter)
        assert (found.reason == "no choice") == (letter is None)


def test_the_first_person_is_no_choice() -> None:
    assert score("ANSWER: I don't know", "I", type="choice", letters="ABCDEFGHI").label is None
    assert score("ANSWER: I don't know", "(c)", type="choice").value == 0
    assert unscored(Answer(text="A"), "Paris", type="choice").kind == "no_reference"


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("$1,234.50", "1234.5"),
        ("−3", "-3"),
        ("½", "0.5"),
        ("1½ cups", "1.5"),
        ("3.14.", "3.14"),
        ("1e3", "1000"),
        ("60%", "60"),
        ("-$5", "-5"),
        ("$-5", "-5"),
        ("5kg", "5"),
        ("The answer is 42!", "42"),
        ("(42).", "42"),
        ("**42**", "42"),
        ("_42_", "42"),
        (r"\text{ANSWER: } \$460", "460"),
        (r"\boxed{1{,}234}", "1234"),
        ("72, in total, so the farmer earns that much.", "72"),
        ("1.234,50 €", "1234.5"),
        ("3,14", "3.14"),
        ("1,2,3", "3"),
        ("12,34,567", "1234567"),
        ("1\u202f234", "1234"),
        ("1/2", "0.5"),
        ("model x42", None),
        ("1e999999999999", None),
        ("9" * 5_000, None),
        ("1/0", None),
        ("NaN, Infinity", None),
        ("", None),
    ],
)
def test_numbers_are_read_as_people_write_them(text: str, number: str | None) -> None:
    found = score(text, number or "7", type="number")
    assert (found.value, found.label) == (float(number is not None), number)


@pytest.mark.parametrize(
    ("text", "expected", "settings", "right"),
    [
        ("25", "5", {}, False),
        ("The answer is -5 exactly", "5", {}, False),
        ("33.14", "3.14", {}, False),
        ("$29.00", 29, {}, True),
        ("between 3 and 4", "4", {}, True),
        ("between 3 and 4", "3", {"take": "first"}, True),
        ("between 3 and 4", "4", {"take": "only"}, False),
        ("4, so 4", "4", {"take": "only"}, True),
        ("60%", "0.6", {"percent": True}, True),
        ("60%", "0.6", {}, False),
        ("60%", "60", {}, True),
        ("101", "100", {"within": "1%"}, True),
        ("101.01", "100", {"within": "1%"}, False),
        ("99", "100", {"within": 0.01}, True),
        ("-101", "-100", {"within": "1%"}, True),
        ("100.5", "100", {"tolerance": 0.5}, True),
        ("100.51", "100", {"tolerance": 0.5}, False),
        ("12345678901234567891", "12345678901234567890", {}, False),
        ("0.30", "0.3", {}, True),
    ],
)
def test_numbers_are_compared(text: str, expected: Any, settings: dict[str, Any], right: bool) -> None:
    assert score(text, expected, type="number", **settings).passed == right


def test_two_numbers_where_one_is_asked_for_are_no_number() -> None:
    found = score("between 3 and 4", "4", type="number", take="only")
    assert (found.value, found.label) == (0, None)


def test_graded_scorers_pass_nothing_without_a_threshold() -> None:
    assert score("the cat sat", "a cat sat down", type="f1").value == pytest.approx(0.8)
    assert score("the cat", "cat", type="f1").passed is None
    assert score("the cat", "cat", type="f1", at_least=0.9).passed is True
    assert score("cat cat", "cat", type="f1").value == pytest.approx(
        2 / 3
    )  # words count as often as they occur
    assert score("", "cat", type="f1").value == 0
    assert score("kitten", "sitting", type="edit").value == pytest.approx(1 - 3 / 7)
    assert score("the cat sat", "the cat sat down", type="rouge-1").value == pytest.approx(6 / 7)
    assert score("the cat sat", "the cat sat down", type="rouge-2").value == pytest.approx(4 / 5)
    assert score("sat the cat", "the cat sat", type="rouge-l").value == pytest.approx(2 / 3)
    assert score("Pariser Platz", "Pariser Platz", type="chrf").value == pytest.approx(1)
    assert score("x", ["a", "b c"], type="edit").value == 0
    assert unscored(Answer(text="猫"), "猫", type="rouge-1").kind == "scorer_error"


@pytest.mark.parametrize("kind", ["f1", "rouge-1", "rouge-2", "rouge-l", "chrf", "edit"])
def test_what_is_graded_passes_by_its_threshold_alone(kind: str) -> None:
    text = "the quick brown fox jumps"
    assert score(text, text, type=kind).value == pytest.approx(1)
    assert score(text, text, type=kind).passed is None
    assert score(text, text, type=kind, at_least=0.9).passed is True
    assert score("12", text, type=kind, at_least=0.9).passed is False


def test_words_are_counted_on_both_sides() -> None:
    assert token_f1([], []) == 1
    assert token_f1([], ["a"]) == token_f1(["a"], []) == token_f1(["a"], ["b"]) == 0
    assert token_f1(["a", "b"], ["a"]) == pytest.approx(2 / 3)


def test_missing_words_are_named() -> None:
    found = score("x", ["a1", "b1", "c1", "d1", "e1", "f1"], type="contains-all")
    assert found.reason == "lacks: a1, b1, c1, d1, e1"


def test_chrf_is_that_of_sacrebleu() -> None:
    """The corpus of its README: 59.73."""
    answers = ["The dog bit the man.", "It wasn't surprising.", "The man had just bitten him."]
    references = [
        ["The dog bit the man.", "The dog had bit the man."],
        ["It was not unexpected.", "No one was surprised."],
        ["The man bit him first.", "The man had bitten the dog."],
    ]
    counts = [
        max((chrf_counts(answer, reference) for reference in of_answer), key=chrf_value)
        for answer, of_answer in zip(answers, references, strict=True)
    ]
    sums = [tuple(map(sum, zip(*of_order, strict=True))) for of_order in zip(*counts, strict=True)]
    assert round(100 * chrf_value(sums), 2) == 59.73  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ('{"a": 1}', True),
        (" [1, 2] \n", True),
        ("0", True),
        ("false", True),
        ("\ufeff{}", True),
        ('{"a": 1e999}', True),
        ("1" * 5_000, True),
        ('"' + "[" * 1_000 + '"', True),
        ('{"a": NaN}', False),
        ("{'a': 1}", False),
        ('```json\n{"a": 1}\n```', False),
        ('{"a": 1} {"b": 2}', False),
        ("", False),
        ("[" * 100_000, False),
        ("[" * 300 + "]" * 300, False),
        ("[" * 200 + "]" * 200, True),
        ("[" * 201 + "]" * 201, False),
        ('{"a":' * 200 + "1" + "}" * 200, True),
        ('{"a":[' * 101 + "]}" * 101, False),
        ("[" + ",".join(["[]"] * 500) + "]", True),
    ],
)
def test_json_is_json_alone(text: str, right: bool) -> None:
    assert score(text, type="json").passed == right
    assert score(text, type="json", not_=True).passed != right


def test_json_fits_its_schema() -> None:
    schema = {"type": "object", "required": ["a"], "properties": {"a": {"type": "integer", "minimum": 1}}}
    assert score('{"a": 1}', type="json", schema=schema).passed
    assert score('{"a": 0}', type="json", schema=schema).reason == "a: 0 is less than the minimum of 1"
    assert score("{}", type="json", schema=schema).value == 0
    unique = {"type": "array", "uniqueItems": True}
    assert not score('["a", "a"]', type="json", schema=unique).passed
    assert unscored(Answer(text=f"[{','.join(['1', '{}'] * 2_000)}]"), type="json", schema=unique).costly
    slow = {"type": "string", "pattern": "(a+)+b"}
    assert unscored(Answer(text=f'"{"a" * 50}"'), type="json", schema=slow).costly
    whole = {"type": "string"}
    assert score(f'"{"a" * 1_000_000}"', type="json", schema=whole).passed
    assert unscored(Answer(text=f'"{"a" * 3_000_000}"'), type="json", schema=whole).costly
    remote = {"$ref": "http://127.0.0.1:9/nowhere"}
    assert unscored(Answer(text="{}"), type="json", schema=remote).kind == "scorer_error"


@pytest.mark.parametrize(
    ("text", "value", "right"),
    [
        ("one two three", "3 words", True),
        ("one two three", "4..9 words", False),
        ("one two three", "..3 words", True),
        (" abc ", "3 chars", True),
        ("a\nb\n", "2.. lines", True),
        ("One. Two! Three", "3 sentences", True),
        ("It costs 3.5 euro.", "1 sentences", True),
        ("", "0 sentences", True),
        ("猫です。犬です。", "2 sentences", True),
    ],
)
def test_lengths_are_counted(text: str, value: str, right: bool) -> None:
    assert score(text, type="length", value=value).passed == right


def test_what_an_answer_took_is_compared_or_unknown() -> None:
    answer = Answer(text="", finish="stop", cost_nusd=1_000_000, latency_s=1.5, tokens=500)
    for kind, fits, fails in (
        ("finish", "stop", "length"),
        ("cost", "<= 0.001", "< 0.001"),
        ("latency", "<= 2s", "<= 900ms"),
        ("tokens", "= 500", "> 500"),
    ):
        for value, right in ((fits, True), (fails, False)):
            found = scorer(type=kind, value=value).score(answer, {})
            assert isinstance(found, Score)
            assert found.passed == right
        for inverted in (False, True):
            assert unscored(Answer(text=""), type=kind, value=fits, not_=inverted).kind == "scorer_error"


@pytest.mark.parametrize("missing", [None, "", "  ", float("nan"), [], [None, ""]])
@pytest.mark.parametrize(
    "kind", ["exact", "contains", "contains-all", "choice", "number", "f1", "chrf", "edit", "label"]
)
def test_without_a_reference_there_is_no_score(kind: str, missing: Any) -> None:
    """An empty cell of a table is no text that everything contains."""
    for inverted in (False, True) if kind not in ("f1", "chrf", "edit") else (False,):
        table = {"type": kind} | ({"not_": True} if inverted else {})
        assert unscored(Answer(text="Paris"), missing, **table).kind == "no_reference"


def test_a_reference_that_cannot_be_used_is_none() -> None:
    assert unscored(Answer(text="5"), "n/a", type="number").kind == "no_reference"
    assert score("5", ["n/a", "5"], type="number").passed
    assert unscored(Answer(text="x"), "the", type="contains", fold="words").kind == "no_reference"
    assert unscored(Answer(text="x"), {}, type="fields").kind == "no_reference"


def test_a_field_of_the_record_is_scored() -> None:
    answer = Answer(text="", record={"lines": [{"total": 12.0, "paid": True}]})
    for path in ("lines.0.total", "json.lines.0.total"):  # placeholders and filters write `json.`
        found = scorer(type="number", of=path, value=12).score(answer, {})
        assert isinstance(found, Score)
        assert found.passed
    paid = scorer(type="exact", of="lines.0.paid", value=True).score(answer, {})
    assert isinstance(paid, Score)
    assert paid.passed
    absent = scorer(type="exact", of="lines.1.total", value="12").score(answer, {})
    assert isinstance(absent, Score)
    assert not absent.passed
    assert unscored(Answer(text="12"), "12", type="number", of="total").kind == "scorer_error"
