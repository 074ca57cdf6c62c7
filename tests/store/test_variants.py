"""Several prompts, and settings of some models: the grid that comes of them, in an order that keeps a model
in memory, with names of its own."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from store.making import A, B, answer_all, files, never, query, record, reply, spec, texts
from store.test_text_file_names import assert_inert
from umwelten.errors import EvaluationChanged, UsageError
from umwelten.store.grid import Counts
from umwelten.store.reader import Reader
from umwelten.store.store import Store
from umwelten.store.text_file_names import flat_name, fold, json_name
from umwelten.types import ModelRef, Parameters, Prompt, VariantSettings

LONG, SHORT = Prompt(name="long", text="Tell all."), Prompt(name="short", text="Tell in short.")
_prompt_names = st.one_of(
    st.text("aA.r2_-p", min_size=1, max_size=6),
    st.sampled_from(["con", "nul.x", "evaluation.db", ".evaluation.tmp", "p_m", "a.p_m", "..", "x" * 40]),
)


def names_of(store: Store) -> dict[int, tuple[str, str]]:
    return {number: (str(ref), store.prompts[number]) for number, ref in store.models.items()}


def test_all_prompts_of_a_model_come_before_the_next_model(tmp_path: Path) -> None:
    with Store.create(tmp_path / "x", spec(A, B, prompts=(LONG, SHORT))) as store:
        assert list(names_of(store).items()) == [
            (1, (str(A), "long")),
            (2, (str(A), "short")),
            (3, (str(B), "long")),
            (4, (str(B), "short")),
        ]
    # Also when one comes later: its numbers are higher, and its place is the same.
    third = Prompt(name="third", text="Translate.")
    with Store.resume(tmp_path / "x", spec(A, B, prompts=(LONG, SHORT, third))) as store:
        assert list(store.models) == [1, 2, 5, 3, 4, 6]
        assert [names_of(store)[number][1] for number in store.models] == ["long", "short", "third"] * 2
        with Reader.open(tmp_path / "x") as reader:
            assert reader.spec() == spec(A, B, prompts=(LONG, SHORT, third))


def test_each_prompt_of_each_model_is_a_call_with_a_text_of_its_own(tmp_path: Path) -> None:
    with Store.create(tmp_path / "x", spec(A, B, prompts=(LONG, SHORT), repeats=2)) as store:
        store.set_inputs(files("sub/a"), read_hash=never)
        assert store.counts() == Counts(total=8, succeeded=0, failed=0, pending=8)
        answer_all(store)
        assert store.counts().succeeded == 8
    assert texts(tmp_path / "x") == {
        f"sub/a.{prompt}.{model}{repeat}.txt"
        for prompt in ("long", "short")
        for model in ("google_gemini", "ollama_gemma3-12b")
        for repeat in ("", ".r2")
    }


def test_the_texts_of_a_run_with_several_prompts_name_them(tmp_path: Path) -> None:
    with Store.create(tmp_path / "x", spec(A, kind="run", prompts=(LONG, SHORT))) as store:
        store.set_no_inputs()
        answer_all(store)
    assert texts(tmp_path / "x") == {"long.google_gemini.txt", "short.google_gemini.txt"}


def test_a_prompt_that_is_left_out_keeps_its_answers_and_comes_back_to_them(tmp_path: Path) -> None:
    folder = tmp_path / "x"
    with Store.create(folder, spec(A, prompts=(LONG, SHORT))) as store:
        store.set_inputs(files("a", "b"), read_hash=never)
        answer_all(store)
    with Store.resume(folder, spec(A, prompts=(SHORT,))) as store:
        assert names_of(store) == {2: (str(A), "short")}
        store.set_inputs(files("a", "b"), read_hash=never)
        assert store.standing() == (Counts(total=2, succeeded=2, failed=0, pending=0), {2: 0})
        with Reader.open(folder) as reader:
            assert reader.spec().request.prompts == (SHORT,)
    with Store.resume(folder, spec(A, prompts=(LONG, SHORT))) as store:
        store.set_inputs(files("a", "b"), read_hash=never)
        assert store.counts() == Counts(total=4, succeeded=4, failed=0, pending=0)
    assert len(texts(folder)) == 4


@pytest.mark.parametrize(
    ("prompts", "said"),
    [
        (
            (LONG, Prompt(name="short", text="Tell it short.")),
            'prompt short: "Tell in short." → "Tell it short."',
        ),
        ((Prompt(name="short", text="No."),), 'prompt short: "Tell in short." → "No."'),
        ((), "prompts: long, short → none"),
    ],
)
def test_another_text_under_a_prompts_name_would_mix_answers(
    tmp_path: Path, prompts: tuple[Prompt, ...], said: str
) -> None:
    Store.create(tmp_path / "x", spec(A, prompts=(LONG, SHORT))).close()
    # What was left out meanwhile is not forgotten.
    Store.resume(tmp_path / "x", spec(A, prompts=(LONG,))).close()
    with pytest.raises(EvaluationChanged) as caught:
        Store.resume(tmp_path / "x", spec(A, prompts=prompts))
    assert said in str(caught.value)


def test_more_variants_than_a_calls_number_can_tell_apart_are_refused(tmp_path: Path) -> None:
    prompts = tuple(Prompt(name=f"p{n}", text="t") for n in range(64))
    models = [ModelRef("p", f"m{n}") for n in range(64)]
    with pytest.raises(UsageError, match="64 models × 64 prompts"):
        Store.create(tmp_path / "x", spec(*models, prompts=prompts))


@settings(deadline=None, max_examples=25)
@given(
    st.lists(_prompt_names, min_size=1, max_size=4, unique=True),
    st.lists(
        st.sampled_from(["a", "a.p", "A.P", "p.p_m", "a.r2", "a.json", "p", "é"]), min_size=1, unique=True
    ),
    st.lists(st.sampled_from(["m", "M", "m.p_m", "x" * 90]), min_size=1, max_size=2, unique=True),
)
@example(["p", "x.p"], ["a", "a.x"], ["m"])
@example(["p"], ["a", "a.p.p_m", "a.p"], ["m"])
def test_no_two_variants_share_a_name(prompts: list[str], names: list[str], models: list[str]) -> None:
    refs = [ModelRef("p", model) for model in models]
    several = tuple(Prompt(name=name, text=name) for name in prompts)
    with tempfile.TemporaryDirectory() as path:
        folder = Path(path) / "x"
        with Store.create(folder, spec(*refs, prompts=several, repeats=2)) as store:
            store.set_inputs(files(*names), read_hash=never)
            calls = [call for model in store.models for call in store.lease(model, 10_000)]
            record(store, [(call, reply(f"answer {call.id}")) for call in calls])
        rows = query(folder, "SELECT c.output, a.text FROM calls c JOIN answers a ON a.call_id = c.id")
        outputs = [str(output) for output, _ in rows]
        assert len({fold(output) for output in outputs}) == len(outputs) == len(calls)
        for output, text in rows:
            assert (folder / str(output)).read_text() == text
            assert_inert(str(output))
            assert len(json_name(str(output)).rpartition("/")[2].encode()) <= 255
            assert flat_name(json_name(str(output))) == json_name(flat_name(str(output)))


# --- settings of some models -----------------------------------------------------------------

COOL = VariantSettings(name="cool", parameters=Parameters(temperature=0, stop=("END",), extra={"k": [1]}))
HOT = VariantSettings(name="hot", system="Be bold.")
A_COOL, A_HOT = ModelRef(A.provider, A.model, "cool"), ModelRef(A.provider, A.model, "hot")


def test_a_model_with_settings_of_its_own_is_a_model_beside_the_plain_one(tmp_path: Path) -> None:
    plan = spec(A, A_COOL, A_HOT, variants=(COOL, HOT), system="Be brief.")
    with Store.create(tmp_path / "x", plan) as store:
        store.set_inputs(files("a"), read_hash=never)
        answer_all(store)
        assert store.models == {1: A, 2: A_COOL, 3: A_HOT}
    assert texts(tmp_path / "x") == {f"a.google_gemini{end}.txt" for end in ("", "@cool", "@hot")}
    with Reader.open(tmp_path / "x") as reader:
        assert reader.spec() == plan


def test_all_variants_of_a_model_come_before_the_next_model(tmp_path: Path) -> None:
    plan = spec(A_COOL, B, A_HOT, A, variants=(COOL, HOT), prompts=(LONG, SHORT))
    with Store.create(tmp_path / "x", plan) as store:
        assert [str(ref) for ref in store.models.values()][::2] == [str(ref) for ref in (A_COOL, A_HOT, A, B)]
        assert [*store.prompts.values()] == ["long", "short"] * 4


def test_a_variant_keeps_its_settings_and_others_may_be_added(tmp_path: Path) -> None:
    with Store.create(tmp_path / "x", spec(A_COOL, variants=(COOL,))):
        pass
    with Store.resume(tmp_path / "x", spec(A_HOT, variants=(HOT,))) as store:
        assert list(store.models.values()) == [A_HOT]
    changed = VariantSettings(name="cool", system="Now with one.", parameters=Parameters(temperature=0.1))
    with pytest.raises(EvaluationChanged) as caught:
        Store.resume(tmp_path / "x", spec(A_HOT, A_COOL, variants=(changed, HOT)))
    message = str(caught.value)
    assert 'variant cool, system: none → "Now with one."' in message
    assert "variant cool, temperature: 0.0 → 0.1" in message
    assert "variant cool, param k: [1] → none" in message
    assert "hot" not in message


def test_a_model_whose_name_ends_like_a_variant_is_not_taken_for_it(tmp_path: Path) -> None:
    with Store.create(tmp_path / "x", spec(ModelRef("google", "gemini@cool"))):
        pass
    with pytest.raises(EvaluationChanged, match="model google:gemini@cool"):
        Store.resume(tmp_path / "x", spec(A_COOL, variants=(COOL,)))
