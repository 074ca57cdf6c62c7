"""What the figures of an HTML report mean, in the page itself; `docs/reports.md` says it at length."""

from __future__ import annotations

from umwelten.report.recommendations import NEARLY, SLOWER
from umwelten.report.render.markup import details, text

WORDS = (
    ("answered", "calls with an answer ÷ calls that ended; pending calls are not counted"),
    ("wall time", "from start to end, summed over all runs of the evaluation"),
    ("× faster than one at a time", "time in flight of all attempts ÷ wall time"),
    ("p50, p95", "half, 95% of the answers took at most this long; of the attempt that brought the answer"),
    ("first token", "median time to the first token, of answers that were streamed"),
    ("tokens/s", "output tokens ÷ response time, over all answers whose tokens are known"),
    ("cost", "sum of the known costs; what is unknown is said so and never counted as 0"),
    ("per 1,000 calls", "known cost ÷ calls of known cost × 1,000"),
    (
        "cheapest, fastest, best value",
        f"among models that answer nearly as reliably as the best (at most {NEARLY:.0%} below): the lowest "
        f"cost per 1,000 calls; the lowest p50; the cheapest that is at most {SLOWER:g} times as slow as the "
        "fastest. They say nothing about how good the answers are",
    ),
    ("in flight", "attempts under way; in the plots the mean over a step of time"),
    ("limit", "how many calls umwelten allowed itself in flight at a provider"),
    ("refused", "attempts that were turned away because of a rate limit"),
)

OF_RECORDS = (
    (
        "at once, extracted, repaired, converted, retried",
        "what a valid record took; each counts once, under the last of these that applies. In "
        "JSON they are fenced, mended, coerced, asked again",
    ),
    ("missing", "valid records without the field, or with null in it"),
    ("wrong", "answers that did not fit the schema, the field being named among the reasons"),
)

OF_TOOLS = (
    (
        "requests a call",
        "requests that were answered ÷ calls that ended: one, and one more each time that tools were called",
    ),
    ("errors, of tools", "calls of tools that came to no result: the model was told why"),
    ("time of tools", "of all their calls together; those of one turn run at the same time"),
    ("last turn without tools", "answers that came after the model was told to call no more tools"),
)

OF_SCORES = (
    ("mean", "of the files' means, each that of its scored repeats, from 0 to 1"),
    (
        "95%",
        "the interval that holds the true mean in 95 of 100 such evaluations; for yes and no by Wilson's "
        "method, else by Student's t over files",
    ),
    (
        "unscored",
        "answers without a score are never counted as 0: the two figures are the mean if all of them were 0, "
        "and if all were 1; drawn as a bracket",
    ),
    (
        "pass@k, pass^k",
        "share of files of which any of k repeats passes, of which all k pass; pass@1: of answers that pass",
    ),
    ("unsteady", "share of files whose repeats do not all pass or all fail; in the table marked ≈"),
    (
        "p",
        "how often chance alone would bring such a difference, over the files that both have; corrected for "
        "the number of pairs (Holm)",
    ),
    (
        "best, as good, best value",
        "the highest mean; models for which no difference to it can be told, and how far they may be behind; "
        "the cheapest of these",
    ),
    (
        "α, κ",
        "agreement beyond chance: 1 is complete, 0 what chance brings; between judges (Krippendorff), with "
        "the labels of people or of references (Cohen)",
    ),
    (
        "met, missed, undecided",
        "a gate holds, or fails, whatever the unscored answers come to; or they decide",
    ),
)


OF_RANKINGS = (
    (
        "points",
        "strengths by which the shares of wins are most likely (Bradley–Terry), ties half: 1,000 is the mean "
        "of all; between two contestants 400 points are odds of ten to one",
    ),
    (
        "interval of points",
        "holds the true strength in 95 of 100 such rankings of other files (errors are clustered by file); "
        "one end is open for a contestant that never lost or never won",
    ),
    (
        "ranks",
        "from the best to the worst place that cannot be ruled out, by the differences between pairs that "
        "can be told, corrected for the number of pairs (Holm)",
    ),
    ("against the mean", "the chance to win a comparison with a contestant of 1,000 points"),
    (
        "won",
        "share of comparisons, ties half; two verdicts that contradict each other in swapped order are a tie",
    ),
    (
        "first shown wins",
        "share of decided verdicts that the answer shown first won: half, for a judge that does not mind",
    ),
    (
        "flips, flips by chance",
        "share of comparisons on which a judge named the other answer when the order was swapped; the same "
        "for a judge that does not read the answers and prefers places as this one does",
    ),
    (
        "longer wins",
        "share of decided comparisons that the longer answer won; it may also have been the better one",
    ),
    ("own family wins", "share won by models of the judge's own maker, against those of others"),
    (
        "cycles",
        "three answers to one question of which each beats the next, in a circle; and how many the points "
        "would lead to expect",
    ),
)


def as_html(
    *, records: bool = False, scores: bool = False, tools: bool = False, rankings: bool = False
) -> str:
    """A collapsed list of definitions.

    `records`: also those of answers that had a schema; `scores`: of answers that were scored; `tools`: of
    calls that were offered some; `rankings`: of rankings.
    """
    words = (OF_RANKINGS if rankings else ()) + WORDS
    words += (OF_RECORDS if records else ()) + (OF_SCORES if scores else ()) + (OF_TOOLS if tools else ())
    items = "".join(f"<div><dt>{text(word)}</dt><dd>{text(meaning)}</dd></div>" for word, meaning in words)
    return details("Definitions", f'<dl class="words">{items}</dl>')
