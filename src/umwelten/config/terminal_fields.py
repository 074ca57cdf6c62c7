"""The options that only a terminal has a use for; no arguments of the library. As in `option_fields`."""

# Not `from __future__ import annotations`: the annotations are read when the module is imported.
from typing import Annotated, TypedDict, get_args

from umwelten.choices import ProgressStyle
from umwelten.config import option_types as kinds
from umwelten.config.declaration import Option, Section
from umwelten.phrases import Phrase


class TerminalOptions(TypedDict, total=False):
    """Flags of `eval run`, `eval batch` and `eval score` that have no argument."""

    again: Annotated[
        tuple[str, ...],
        Option(
            kinds.texts("NAME"),
            Section.SCORES,
            "Judge anew: the verdicts of this judge are moved aside; repeatable.",
            only="score",
            place="flag",
        ),
    ]

    dry_run: Annotated[
        bool,
        Option(
            kinds.SWITCH,
            Section.COST,
            "Show what would run and what it may cost; make no calls.",
            place="profile",
        ),
    ]
    estimate: Annotated[
        int | None,
        Option(
            kinds.integer(1),
            Section.COST,
            "Make N calls first, estimate the total cost from them, and ask before continuing.",
            place="profile",
        ),
    ]
    yes: Annotated[
        bool,
        Option(
            kinds.SWITCH,
            Section.COST,
            Phrase("With {option:estimate}: continue without asking."),
            place="profile",
        ),
    ]
    on_end: Annotated[
        str | None,
        Option(
            kinds.words("COMMAND"),
            Section.OUTPUT,
            "Run this in a shell at the end, with UMWELTEN_ID, UMWELTEN_FOLDER, UMWELTEN_STATUS and "
            "UMWELTEN_EXIT_STATUS in its environment, and without keys.",
        ),
    ]
    json: Annotated[
        bool,
        Option(
            kinds.SWITCH, Section.OUTPUT, "Print the report as JSON on stdout at the end.", place="profile"
        ),
    ]
    progress: Annotated[
        ProgressStyle,
        Option(
            kinds.choice(*get_args(ProgressStyle)),
            Section.OUTPUT,
            "Progress on stderr: rich, a live table; plain, a line now and then; json, a line for each "
            "event; none. auto: rich on a terminal, else plain.",
            default="auto",
        ),
    ]
    verbose: Annotated[
        bool,
        Option(kinds.SWITCH, Section.OUTPUT, "One line per finished call and per retry.", short="-v"),
    ]
    debug: Annotated[
        bool,
        Option(kinds.SWITCH, Section.OUTPUT, "Also show limit changes, headers that mattered, and timings."),
    ]
    detach: Annotated[
        bool,
        Option(
            kinds.SWITCH,
            Section.OTHER,
            "Start the run in the background, print where it can be reached as JSON, and return.",
            place="flag",
        ),
    ]
    ui: Annotated[
        bool,
        Option(
            kinds.SWITCH,
            Section.OUTPUT,
            "Show the run on the whole screen, as `umwelten top` does; leaving it ends no run.",
            place="flag",
        ),
    ]
