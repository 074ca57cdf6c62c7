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
        "at once, fenced, mended, coerced, asked again",
        "what a valid record took; each counts once, under the last of these that applies",
    ),
    ("missing", "valid records without the field, or with null in it"),
    ("wrong", "answers that did not fit the schema, the field being named among the reasons"),
)


def as_html(*, records: bool = False) -> str:
    """A collapsed list of definitions. `records`: also those of answers that had a schema."""
    words = WORDS + OF_RECORDS if records else WORDS
    items = "".join(f"<div><dt>{text(word)}</dt><dd>{text(meaning)}</dd></div>" for word, meaning in words)
    return details("Definitions", f'<dl class="words">{items}</dl>')
