"""The arguments of `umwelten.rank` and `umwelten.suite` besides their own: the options of these commands."""

# Not `from __future__ import annotations`: the annotations are read when the module is imported.
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypedDict

OneOrMore = str | Sequence[str]
Paths = str | Path | Sequence[str | Path]
Switch = bool | Literal["on", "off"]


class AskingArguments(TypedDict, total=False):
    """What both have; `None` is the same as left out."""

    temperature: float | None
    max_tokens: int | None
    top_p: float | None
    seed: int | None
    params: Mapping[str, Any] | None
    variants: Mapping[str, Mapping[str, Any]] | None
    concurrent: bool
    max_concurrency: int | Literal["auto"] | None
    provider_concurrency: Mapping[str, int] | None
    rate: Mapping[str, str | Sequence[str]] | None
    remember_limits: bool | None
    share_limits: bool | None
    timeout_s: float | None
    retries: int | None
    max_wait_s: float | None
    engine: str | None
    workers: int | None
    ship_keys: bool | None
    ray_env: Literal["none", "pip"] | None
    max_cost: float | None
    max_errors: int | None
    id: str | None
    keep_inputs: Switch | None
    texts: Switch | None
    output_dir: str | Path | None
    report: Paths | None
    profile: str | None


class _OfRank(TypedDict, total=False):
    pairs: str | float | None
    against: str | None
    seats: Literal["both", "one"] | None
    control: Literal["length"] | bool | None
    bootstrap: int | None
    samples: int | None
    expected: str | Path | None
    overwrite: bool


class RankArguments(_OfRank, AskingArguments, total=False):
    """The arguments of `umwelten.rank` besides what is ranked, by whom and by what question."""


class _OfSuite(TypedDict, total=False):
    repeat: int | None
    sample: int | None
    sample_seed: int | None
    judge: OneOrMore | None
    samples: int | None
    fail_under: OneOrMore | None
    hedge: float | None
    forget_limits: bool
    tags: OneOrMore | None
    control: bool | None


class SuiteArguments(_OfSuite, AskingArguments, total=False):
    """The arguments of `umwelten.suite` besides the suite and the models."""
