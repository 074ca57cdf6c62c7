"""What is said of the judges of a ranking, and of cycles."""

from __future__ import annotations

from itertools import combinations

import msgspec
import pytest

from comparedkit import JUDGE, always_first, better, contestants, of_judge, ranking, unit, units
from umwelten.scoring.judge.makers import maker_of, same_maker
from umwelten.scoring.ranking.comparison import Unit, Vote
from umwelten.scoring.ranking.contestants import Contestant
from umwelten.scoring.ranking.shares import clustered_share
from umwelten.statistics import wilson

ABC = contestants(*"abc")


@pytest.mark.parametrize(
    ("files", "flipped", "able", "says"),
    [
        (8, 8, False, "flipped on 8 of 8: this judge cannot tell these answers apart"),
        (3, 3, None, "flipped on 3 of 3, in 3 files: too few to say"),
        (3, 0, None, "flipped on 0 of 3, in 3 files: too few to say"),
        (6, 1, None, "more files are needed to say"),
        (
            40,
            20,
            None,
            "flips on 50%: only that its verdicts tell some contestants apart speaks for this one",
        ),
        (40, 30, None, "flipped on 30 of 40: this judge mostly goes by the order of the answers"),
        (40, 3, True, ""),
        (8, 5, False, "flips on 51%: nothing shows that this judge can tell these answers apart"),
    ],
)
def test_the_sentence(files: int, flipped: int, able: bool | None, says: str) -> None:
    a, b = ABC[:2]

    def judged(file: str, first: Contestant, second: Contestant) -> str:
        number = int(file[1:])
        if number >= flipped:
            return better(file, first, second)
        return "first" if number % 2 else "second"

    judge = of_judge(ranking(units([a, b], files, judged), [a, b]))
    assert (judge.flips.count, judge.flips.of) == (flipped, files)
    assert judge.able is able
    assert says in judge.verdict if says else judge.verdict == ""


def test_a_coin_shows_nothing_and_files_are_clusters_by_themselves() -> None:
    def coin(file: str, first: Contestant, second: Contestant) -> str:
        """It flips on every other file; of the others, each wins half."""
        number = int(file[1:])
        return "first" if number % 2 else better(file, first, second) if number % 4 else worse(first, second)

    def worse(first: Contestant, second: Contestant) -> str:
        return "second" if first < second else "first"

    a, b = ABC[:2]
    made = [msgspec.structs.replace(each, cluster=None) for each in units([a, b], 40, coin)]
    judge = of_judge(ranking(made, [a, b]))
    assert judge.flips.count == 20
    assert judge.flips.low is not None
    assert judge.verdict.endswith("flips on 62%: nothing shows that this judge can tell these answers apart")
    assert judge.able is False


def test_one_file_tells_nothing_even_of_a_judge_that_always_takes_a_seat() -> None:
    judge = of_judge(ranking(units(ABC, 1, always_first), ABC))
    assert judge.able is None
    assert judge.verdict.startswith("flipped on 3 of 3, in 1 file: too few to say")


def test_nearly_all_ties_and_none_decided_in_both_orders() -> None:
    judge = of_judge(ranking(units(ABC, 4, lambda *_: "tie"), ABC))
    assert judge.verdict.startswith("called 24 of 24 verdicts a tie")
    assert (judge.able, judge.ties, judge.flips.of, judge.chance_flips) == (None, 24, 0, None)
    assert judge.first_seat.share is None
    half = of_judge(
        ranking(units(ABC, 4, lambda _, first, second: "first" if first < second else "tie"), ABC)
    )
    assert half.verdict.startswith("decided no comparison in both orders")


def test_one_seat_tells_nothing_of_flips_but_of_seats() -> None:
    good = of_judge(ranking(units(ABC, 20, better, seats="one"), ABC, seats="one"))
    assert (good.asked, good.flips.of, good.chance_flips, good.able) == (60, 0, None, None)
    assert good.verdict.startswith("was asked in one order")
    blind = of_judge(ranking(units(ABC, 20, always_first, seats="one"), ABC, seats="one"))
    assert blind.verdict == (
        "named the first answer in 60 of 60, whichever it was: this judge cannot tell these answers apart"
    )
    assert blind.able is False


def test_longer_answers_and_the_judges_own_family() -> None:
    mixed = [Contestant(model=name) for name in ("anthropic:claude-sonnet-5-5", "openai:gpt-5.4", "x:other")]

    def says(file: str, first: Contestant, second: Contestant) -> str:
        return "first" if first.model.startswith("openai") or second.model.startswith("x:") else "second"

    made = [
        unit(f"f{n}", a, b, says, judge="azure:gpt-5.4-mini", lengths=(20, 20 if a == mixed[0] else 5))
        for n in range(10)
        for a, b in combinations(mixed, 2)
    ]
    judge = of_judge(ranking(made, mixed, judges=("azure:gpt-5.4-mini",)))
    assert judge.own_family is not None
    assert (judge.own_family.count, judge.own_family.of) == (20, 20)
    assert (judge.longer.count, judge.longer.of) == (10, 10)
    assert judge.own_family.low is not None
    assert judge.own_family.low == pytest.approx(wilson(10, 10).low)  # of ten files, not of twenty
    other = [
        Unit(
            row=each.row,
            a=each.a,
            b=each.b,
            votes=tuple(
                Vote(judge="x:judge", sample=1, swapped=v.swapped, winner=v.winner) for v in each.votes
            ),
            cluster=each.cluster,
        )
        for each in made
    ]
    assert of_judge(ranking(other, mixed, judges=("x:judge",))).own_family is None


@pytest.mark.parametrize(
    ("model", "maker"),
    [
        ("openai:gpt-5.4-mini", "OpenAI"),
        ("ollama:gpt-oss:20b", "OpenAI"),
        ("openrouter:anthropic/claude-sonnet-5-5@cool", "Anthropic"),
        ("bedrock:us.anthropic.claude-opus", "Anthropic"),
        ("ollama:gemma3:12b", "Google"),
        ("ollama:deepseek-r1-distill-llama-70b", "DeepSeek"),
        ("ollama:hf.co/unsloth/Qwen3-8B-GGUF", "Alibaba"),
        ("local:smollm2", "Hugging Face"),
        ("openai:o3-mini", "OpenAI"),
        ("groq:llama-3.3-70b", "Meta"),
        ("x:innovative-1", None),
        ("x:dolphin", None),
    ],
)
def test_makers(model: str, maker: str | None) -> None:
    assert maker_of(model) == maker
    assert same_maker(model, model)
    assert not same_maker(model, "x:nobodys")


def test_several_judges_have_figures_of_their_own() -> None:
    made = []
    for each in units(ABC, 10, better):
        other = [Vote(judge="p:k", sample=1, swapped=swapped, winner="second") for swapped in (False, True)]
        made.append(Unit(row=each.row, a=each.a, b=each.b, votes=(*each.votes, *other), cluster=each.cluster))
    found = ranking(made, ABC, judges=(JUDGE, "p:k"))
    assert [judge.able for judge in found.judges] == [True, False]
    assert [judge.first_seat.share for judge in found.judges] == [0.5, 0]
    assert all(line.losses == 0 for line in found.board[:1])
    assert found.board[0].wins == 20  # a win and a flip is more than half


def test_cycles() -> None:
    def says(file: str, first: Contestant, second: Contestant) -> str:
        after = {ABC[0]: ABC[1], ABC[1]: ABC[2], ABC[2]: ABC[0]}
        if int(file[1:]) % 2:
            after = {other: one for one, other in after.items()}
        return "first" if after[first] == second else "second"

    made = units(ABC, 12, says)
    found = ranking(made, ABC)
    assert found.cycles is not None
    assert (found.cycles.count, found.cycles.triples) == (12, 12)
    assert found.cycles.expected == pytest.approx(3)


def test_the_interval_of_a_share_knows_which_verdicts_belong_together() -> None:
    alone = clustered_share({n: (n % 4 == 0, 1) for n in range(40)}, 0.95)
    assert (alone.low, alone.high) == pytest.approx(wilson(10, 40))
    spread = clustered_share({n: (n % 3, 3) for n in range(20)}, 0.95)
    together = clustered_share({n: (3 * (n % 3 == 0), 3) for n in range(20)}, 0.95)
    assert alone.share is not None
    assert spread.high is not None
    assert spread.low is not None
    assert together.high is not None
    assert together.low is not None
    assert together.high - together.low > 1.5 * (spread.high - spread.low)
    assert clustered_share({}, 0.95).share is None
    assert clustered_share({1: (2, 3)}, 0.95).low is None
