"""Which model to take, as cards at the top of an HTML report."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from umwelten.report.models import Overview, model_label
from umwelten.report.queries.score_overview import ScoreOverview
from umwelten.report.render.markup import text
from umwelten.report.render.scores_text import interval, share
from umwelten.scoring.columns import ColumnName
from umwelten.scoring.figures import ScoreFigures


def cards(overview: Overview, scores: ScoreOverview | None, *, of: str = "") -> str:
    """A card for each model that stands out. `of`: the evaluation's id, where there are several.

    With scores the best value is the cheapest of the models that are as good as the best, and no other.
    """
    scored = list(_by_scores(scores)) if scores is not None else []
    most = () if overview.most_expensive is None else (overview.most_expensive,)
    others = [pick for pick in (*overview.picks, *most) if not scored or pick.what != "best value"]
    chosen = [*scored, *((pick.label, pick.what, pick.why) for pick in others)]
    return "".join(_card(chosen, model, of) for model in dict.fromkeys(model for model, _, _ in chosen))


def left_out(overview: Overview, *, of: str = "") -> str:
    """Which models no card could name, and why; nothing where there are none."""
    if not overview.picks or not overview.left_out:
        return ""
    names = "; ".join(f"<b>{text(row.label)}</b>, {text(row.why)}" for row in overview.left_out)
    where = f"Of {text(of)} left" if of else "Left"
    return f'<p class="left-out">{where} out of cheapest, fastest and best value: {names}.</p>\n'


def _card(chosen: Iterable[tuple[str, str, str]], model: str, of: str) -> str:
    """What a model is, all in one: the cheapest is often the best value too."""
    own = [(what, why) for name, what, why in chosen if name == model]
    words = ", ".join(what for what, _ in own) + (f" in {of}" if of else "")
    return f"<li><span>{text(words)}</span><b>{text(model)}</b><small>{text(own[0][1])}</small></li>"


def _by_scores(scores: ScoreOverview) -> Iterator[tuple[str, str, str]]:
    """Model, what it is, and why: by the total, or by the only scorer."""
    for found in scores.picks[:1]:
        if found.best is None:
            continue
        figures = scores.figures[found.scorer]
        yield _label(found.best), f"best by {found.scorer}", _why(figures[found.best])
        for row in found.as_good:
            behind = row.behind_at_most
            at_most = "" if behind is None else f"; at most {behind:.3f} behind the best"
            yield _label(row.column), "as good, as far as can be told", _why(figures[row.column]) + at_most
        if found.best_value is not None:
            yield _label(found.best_value), "best value", _why(figures[found.best_value])


def _label(name: ColumnName) -> str:
    return model_label(name.model, name.prompt)


def _why(row: ScoreFigures) -> str:
    return f"mean {share(row.mean)}, {row.level * 100:g}% interval {interval(row.low, row.high)}"
