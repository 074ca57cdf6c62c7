"""The options of all `…_fields` modules as a table, for whoever goes through all of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping

from umwelten.config.declaration import Option, Section
from umwelten.config.engine_fields import EngineOptions
from umwelten.config.option_fields import BatchOptions, Question, SharedOptions
from umwelten.config.rank_fields import RankOptions
from umwelten.config.terminal_fields import TerminalOptions


def _read_declarations() -> Iterator[Option]:
    """The options of all classes, each with its name and where it is to be had."""
    fields = {
        **Question.__annotations__,
        **BatchOptions.__annotations__,
        **RankOptions.__annotations__,
        **TerminalOptions.__annotations__,
    }
    for name, annotation in fields.items():
        (option,) = annotation.__metadata__
        batch_only = name in BatchOptions.__annotations__ and name not in SharedOptions.__annotations__
        yield dataclasses.replace(
            option,
            name=name,
            key=option.key or name,
            default=False if option.is_switch else option.default,
            only="batch" if batch_only else option.only,
            in_python=name not in TerminalOptions.__annotations__,
        )


def _rank(option: Option) -> tuple[bool, bool]:
    """Of a section, what one command alone has comes first, and where calls are made last."""
    return option.only is None, option.name in EngineOptions.__annotations__


_DECLARED = tuple(_read_declarations())

OPTIONS: Mapping[str, Option] = {
    option.name: option
    for section in Section
    for option in sorted(_DECLARED, key=_rank)
    if option.section is section
}
"""All options by name, in the order of the help: the inputs that only a batch has come first of theirs."""

_SAMPLING = (
    "temperature",
    "max_tokens",
    "top_p",
    "seed",
    "params",
    "variants",
)
"""How a model is asked."""

_PACE = (
    "concurrent",
    "max_concurrency",
    "provider_concurrency",
    "rate",
)
"""How many calls at once, and how fast."""

_BEFORE_CALLS = (
    *EngineOptions.__annotations__,
    "max_cost",
    "max_errors",
    "dry_run",
    "estimate",
    "yes",
)
"""Where calls are made, what they may cost, and what comes before them."""

_SHOWN = (
    "json",
    "progress",
    "verbose",
    "debug",
)
"""What is printed."""

OF_SCORE = (
    "where",
    "scorers",
    "scorer",
    "expected",
    "judge",
    "samples",
    "check",
    "fail_under",
    "again",
    *_PACE,
    "timeout_s",
    "retries",
    "max_wait_s",
    *_BEFORE_CALLS,
    "keep_inputs",
    "texts",
    "output_dir",
    "report",
    *_SHOWN,
    "control",
    "profile",
)
"""The names of the options that `eval score` has as well."""

OF_RANK = (
    "judge",
    "samples",
    "expected",
    *_SAMPLING,
    *RankOptions.__annotations__,
    *_PACE,
    "remember_limits",
    "share_limits",
    "timeout_s",
    "retries",
    "max_wait_s",
    *_BEFORE_CALLS,
    "keep_inputs",
    "texts",
    "id",
    "overwrite",
    "output_dir",
    "report",
    *_SHOWN,
    "profile",
)
"""The names of the options of `eval rank`. Its flag `--control` is another one than that of runs."""

OF_SUITE = (
    "models",
    *_SAMPLING,
    "repeat",
    "sample",
    "sample_seed",
    "judge",
    "samples",
    "fail_under",
    *_PACE,
    "remember_limits",
    "forget_limits",
    "share_limits",
    "timeout_s",
    "retries",
    "hedge",
    "max_wait_s",
    *_BEFORE_CALLS,
    "id",
    "tags",
    "keep_inputs",
    "texts",
    "output_dir",
    "report",
    "on_end",
    *_SHOWN,
    "control",
    "profile",
)
"""The names of the options of `eval suite`."""

OF_LEARN = (
    "models",
    *_SAMPLING,
    "pdf",
    "directory",
    "file_pattern",
    "recursive",
    "files",
    "max_files",
    "rows",
    "row_name",
    "from_",
    "where",
    "scope",
    *_PACE,
    "remember_limits",
    "share_limits",
    "timeout_s",
    "retries",
    "hedge",
    "max_wait_s",
    *_BEFORE_CALLS,
    "keep_inputs",
    "texts",
    "output_dir",
    *_SHOWN,
    "control",
    "profile",
)
"""The names of the options of `memory learn`."""


def is_about_pace(option: Option) -> bool:
    """Return whether an option is one of speed, money or what is shown: it may differ when a run goes on."""
    return option.section in (Section.SPEED, Section.COST) or not option.in_python or option.name == "report"


OF_RESUME = tuple(
    name
    for name, option in OPTIONS.items()
    if option.only not in ("score", "rank")
    and name not in ("profile", "ui")
    and (is_about_pace(option) or name in ("output_dir", "texts"))
)
"""The names of the options of `eval resume` and `eval retry`."""

BY_KEY: Mapping[str, Option] = {option.key: option for option in OPTIONS.values()}
SETTINGS: Mapping[str, Option] = {key: option for key, option in BY_KEY.items() if option.place == "defaults"}
"""By their keys: all options, and those that may stand in `[defaults]` and the environment."""


def find_option(word: str) -> Option | None:
    """The option of that name or key."""
    return OPTIONS.get(word) or BY_KEY.get(word)
