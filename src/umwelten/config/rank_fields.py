"""The options of `eval rank` that no other command has. As in `option_fields`."""

# Not `from __future__ import annotations`: the annotations are read when the module is imported.
from typing import Annotated, Literal, TypedDict

from umwelten.config import option_types as kinds
from umwelten.config.declaration import Option, Section
from umwelten.config.option_types import OptionType

Seats = Literal["both", "one"]


def _share(given: object) -> str:
    # Imported where it is used: every `--help` imports this module.
    from umwelten.scoring.ranking.draw import PairShare

    PairShare.parse(str(given))
    return str(given).strip()


class RankOptions(TypedDict, total=False):
    """Which pairs of answers are compared, and how; `None` is the same as left out."""

    pairs: Annotated[
        str | int | None,
        Option(
            OptionType(read=_share, metavar="all|N%|N"),
            Section.SCORES,
            "How many comparisons are judged, of every file with every pair of models: all, a share, or so "
            "many; an even draw, to which a larger one adds.",
            default="all",
            only="rank",
            place="profile",
        ),
    ]
    against: Annotated[
        str | None,
        Option(
            kinds.words("MODEL", complete="models"),
            Section.SCORES,
            "Compare the others with this model alone.",
            only="rank",
            place="profile",
        ),
    ]
    seats: Annotated[
        Seats | None,
        Option(
            kinds.choice("both", "one"),
            Section.SCORES,
            "Ask about each pair in both orders, or in one that is drawn, at half the cost.",
            default="both",
            only="rank",
            place="profile",
        ),
    ]
    control_for: Annotated[
        Literal["length"] | None,
        Option(
            kinds.choice("length"),
            Section.SCORES,
            "length: rank the answers as if all were of the same length.",
            aliases=("control",),
            only="rank",
            place="profile",
        ),
    ]
    bootstrap: Annotated[
        int | None,
        Option(
            kinds.integer(100, 100_000),
            Section.SCORES,
            "Show percentile intervals of so many draws of files as well.",
            only="rank",
            place="profile",
        ),
    ]
