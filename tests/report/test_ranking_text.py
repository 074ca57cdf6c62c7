"""What a ranking says in words, and as text on a terminal."""

from __future__ import annotations

import msgspec
import pytest
from tests.rankingkit import contestant, judge, ranking

from umwelten.report.render.ranking_text import ranking_lines
from umwelten.report.render.ranking_words import bootstrap, difference, sentences
from umwelten.scoring.ranking.contestants import Contestant
from umwelten.scoring.ranking.ranking import Cycles, LengthEffect, Ranking, Share

NONE = Share(None, None, None, 0, 0)
NOTHING = {"board": (), "compared": (), "judged": 0, "equal": 0, "files": 0, "clusters": 0}


def lines(found: Ranking, width: int = 80) -> list[str]:
    return list(ranking_lines(found, width))


def test_the_sentences_tell_the_best_the_judge_the_cost_and_what_is_missing() -> None:
    assert sentences(ranking()) == (
        "p:a1 ranks first; p:a2 cannot be told apart from it, at 95%.",
        "Judge openai:gpt-5.4-mini can tell these answers apart: it flipped on 3 of 60 comparisons when the "
        "order was swapped (1.7% – 13.7%; without reading the answers it would be 50.0%).",
        "55 comparisons judged and 2 ties of equal answers without a verdict, over 40 files: 118 verdicts of "
        "1 judge, which cost $0.0123.",
        "Missing: 3 of 60 drawn comparisons have no value (2 no answer, 1 judge failed); they count "
        "neither as ties nor as losses.",
    )


@pytest.mark.parametrize(
    ("ranks", "untold", "said"),
    [
        ((1, 2, 3), (), "p:a1 ranks first; every other contestant can be told apart from it, at 95%."),
        (
            (1, 2, 3),
            ((1, 2), (1, 3)),
            "p:a1 ranks first, but no other contestant can be told apart from it, at 95%.",
        ),
        ((1, 1, 3), (), "p:a1 and p:a2 share rank 1; every other contestant can be told apart from them"),
        ((1, 1, 1), (), "p:a1, p:a2 and p:a3 share rank 1: no contestant can be told apart from another."),
    ],
)
def test_who_is_best(ranks: tuple[int, ...], untold: tuple[tuple[int, int], ...], said: str) -> None:
    board = [contestant(n, 1100 - 50 * rank, rank=rank) for n, rank in enumerate(ranks, 1)]
    assert sentences(ranking(*board, untold=untold))[0].startswith(said)


def test_the_only_other_is_named() -> None:
    found = ranking(contestant(1, 1010), contestant(2, 990), untold=((1, 2),))
    assert sentences(found)[0] == "p:a1 ranks first; p:a2 cannot be told apart from it, at 95%."


def test_a_difference_that_rounds_to_nothing_is_no_negative_zero() -> None:
    found = ranking(contestant(1, 1000.0), contestant(2, 1000.3))
    text = "\n".join(lines(found))
    assert "-0 points" not in text
    assert "+0 points" in text


def test_resampled_intervals_are_shown_where_there_is_room() -> None:
    found = ranking(contestant(1, 1010, bootstrap_low=980.0, bootstrap_high=1030.0), bootstrap=200)
    assert "980 – 1,030" in "\n".join(lines(found))
    assert "980 – 1,030" not in "\n".join(lines(found, 40))
    assert "970 – 1,050" not in "\n".join(lines(ranking(contestant(1, 1010)), 30))


def test_a_judge_that_cannot_tell_answers_apart_comes_first() -> None:
    verdict = "flipped on 8 of 8: this judge cannot tell these answers apart"
    found = ranking(judges=(judge(able=False, verdict=verdict),))
    assert sentences(found)[0] == f"Judge openai:gpt-5.4-mini: {verdict}."
    both = msgspec.structs.replace(found, judges=(*found.judges, judge(judge="p:other")))
    assert sentences(both)[0].startswith("p:a1 ranks first")


def test_what_nothing_came_of_is_said() -> None:
    waiting = judge(asked=120, given=0, failed=0, pending=120, ties=0, flips=NONE, able=None)
    found = ranking(**NOTHING, unscored={"pending": 60}, judges=(waiting,))
    assert sentences(found)[:2] == (
        "Nothing has been judged yet: 60 comparisons pending.",
        "Judge openai:gpt-5.4-mini gave no verdict: 120 pending.",
    )
    broken = judge(given=0, failed=120, ties=0, flips=NONE, able=None, cost_usd=None, unpriced=120)
    found = ranking(**NOTHING, unscored={"judge_failed": 50, "no_answer": 10}, judges=(broken,))
    words = sentences(found)
    assert words[0] == "No ranking: none of 60 comparisons has a value (50 judge failed, 10 no answer)."
    assert "gave no verdict: 120 failed" in words[1]
    assert words[2] == "0 verdicts of 1 judge, which cost unknown (120 calls)."
    assert "rank  contestant" not in "\n".join(lines(found))


def test_groups_that_never_met_are_named() -> None:
    groups = ((Contestant("p:a1"), Contestant("p:a2")), (Contestant("p:a3"),))
    found = ranking(board=(), compared=(), groups=groups)
    assert sentences(found)[0] == (
        "No common ranking: these groups were never compared with each other: p:a1 and p:a2; p:a3."
    )


def test_open_ends_and_unknown_intervals_are_said() -> None:
    found = ranking(
        contestant(1, 1300, high=None, undefeated=True),
        contestant(2, 1000, low=None, high=None, se=None),
        contestant(3, 700, low=None, winless=True),
    )
    text = "\n".join(lines(found))
    assert "1,260 – open" in text
    assert "open – 740" in text
    assert "p:a1 never lost: how far ahead it is has no limit in these data." in text
    assert "p:a3 never won" in text


def test_a_group_that_nobody_else_beat_is_not_said_to_have_never_lost() -> None:
    found = ranking(
        contestant(1, 1300, high=None, undefeated=True, losses=2),
        contestant(2, 1280, high=None, undefeated=True, losses=3),
        contestant(3, 700, low=None, bootstrap_high=735.0),
        contestant(4, 600, low=None, high=None),
    )
    text = " ".join(lines(found, 400))
    assert "p:a1 lost to none but p:a2: how far ahead it is has no limit in these data." in text
    assert "p:a2 lost to none but p:a1" in text
    assert "never lost:" not in text
    assert "p:a3 never won against some, nor by way of others" in text
    assert bootstrap(found.board[2]) == "open – 735"
    assert "open – 740" in text, "an end that is known is shown"
    assert "p:a4 never lost to some and never won against some" in text
    assert "open – open" in text


def test_those_told_apart_from_one_of_several_firsts_are_not_from_all() -> None:
    board = [contestant(n, 1100 if n < 3 else 1000, rank=rank) for n, rank in enumerate((1, 1, 3), 1)]
    found = ranking(*board)
    pairs = [
        msgspec.structs.replace(pair, p_adjusted=p)
        for pair, p in zip(found.compared, (1, 0.01, 0.2), strict=True)
    ]
    assert sentences(msgspec.structs.replace(found, compared=tuple(pairs)))[0] == (
        "p:a1 and p:a2 share rank 1; p:a3 cannot be told apart from them, at 95%."
    )


def test_an_interval_that_leaves_out_0_is_explained_where_the_corrected_p_says_otherwise() -> None:
    found = ranking()
    pair = msgspec.structs.replace(found.compared[0], low=2.0, high=78.0, p=0.04, p_adjusted=0.08)
    assert difference(pair, found) == (
        "+40 points (+2 – +78), p = 0.080, won, tied, lost 12 / 4 / 4 of 20: cannot be told apart once p is "
        "corrected for 3 differences"
    )
    beyond = msgspec.structs.replace(found.compared[1], low=2.0, high=None)
    assert difference(beyond, found).startswith("+200 points (+2 – open), p = 0.001")


def test_one_order_says_nothing_of_flips() -> None:
    found = ranking(seats="one", judges=(judge(flips=NONE, chance_flips=None),))
    assert "unknown, because each comparison was shown in one order only" in sentences(found)[1]


def test_a_judge_that_was_not_asked_is_not_blamed() -> None:
    idle = judge(asked=0, given=0, failed=0, ties=0, flips=NONE, able=None, cost_usd=None)
    found = sentences(ranking(judges=(idle,), judged=0, equal=60, unscored={}))
    assert found[1] == "Judge openai:gpt-5.4-mini was not asked."
    assert found[2].endswith("without a verdict, over 40 files: 0 verdicts of 1 judge, which cost nothing.")


def test_cycles_length_and_notes_are_told() -> None:
    effect = LengthEffect(points=35, low=12, high=58, before=(1090, 1030, 880))
    found = ranking(cycles=Cycles(4, 120, 3.2), length=effect, notes=("one\nnote \x1b[31m",))
    text = " ".join(" ".join(lines(found)).split())
    assert "4 of 120 triples of answers; 3.2 are expected" in text
    assert "An answer twice as long gains +35 (+12 – +58) points" in text
    assert sentences(found)[-1] == "one note \\x1b[31m."


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_twenty_contestants_of_long_names_fit(width: int) -> None:
    board = [
        contestant(n, 1500 - 40 * n, contestant=Contestant(f"p:{'long-name-' * 11}\x1b\u202e{n}"))
        for n in range(1, 21)
    ]
    shown = lines(ranking(*board), width)
    assert max(map(len, shown)) <= width
    assert not set("".join(shown)) & set("\x1b\u202e\n")
    assert sum("…" in line for line in shown) >= 20
