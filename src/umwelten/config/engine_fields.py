"""The options of where attempts are made: in this process, or by the workers of a cluster. As in
`option_fields`.
"""

# Not `from __future__ import annotations`: the annotations are read when the module is imported.
from typing import Annotated, TypedDict, get_args

from umwelten.choices import RayEnv
from umwelten.config import engine_types
from umwelten.config import option_types as kinds
from umwelten.config.declaration import Option, Section
from umwelten.phrases import Phrase

WORKERS = 4
"""One coordinator keeps three to four cores of workers busy; more of them wait for it."""


class EngineOptions(TypedDict, total=False):
    """Which processes make the attempts; `None` is the same as left out."""

    engine: Annotated[
        str | None,
        Option(
            engine_types.ENGINE,
            Section.SPEED,
            "Who makes the calls: local, this process; ray, workers of a Ray cluster started for this run; "
            "ray:auto or ray:HOST:PORT, those of a running cluster. Needs pip install 'umwelten[ray]'.",
            default=engine_types.LOCAL,
        ),
    ]
    workers: Annotated[
        int | None,
        Option(
            kinds.integer(1, 1000),
            Section.SPEED,
            Phrase("With {option:engine=ray}: processes that make the calls."),
            default_text=f"{WORKERS}; on a cluster started for this run, at most its cores",
        ),
    ]
    ship_keys: Annotated[
        bool | None,
        Option(
            kinds.SWITCH,
            Section.SPEED,
            Phrase(
                "With {option:engine=ray}: send the workers the API keys of this run, instead of having "
                "them read their own environment."
            ),
            negatable=True,
            default_text="on for a cluster started for this run, else off",
        ),
    ]
    ray_env: Annotated[
        RayEnv | None,
        Option(
            kinds.choice(*get_args(RayEnv)),
            Section.SPEED,
            Phrase(
                "With {option:engine=ray}: how workers get umwelten. none: it is installed on every node; "
                "pip: Ray installs this version for the run."
            ),
            default="none",
        ),
    ]
