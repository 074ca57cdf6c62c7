"""How an option is declared, in `option_fields`."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, Protocol

from umwelten.config.option_types import OptionType
from umwelten.phrases import Wording


class Section(StrEnum):
    """The sections of the help, in order."""

    PROMPT = "Prompt and model"
    INPUTS = "Inputs"
    TOOLS = "Tools"
    MEMORY = "Memory"
    SCORES = "Scores"
    SPEED = "Speed"
    COST = "Cost"
    OUTPUT = "Output"
    OTHER = "Other options"


@dataclass(frozen=True)
class Option:
    """One option of `eval run` and `eval batch`.

    `name` is what the program and the library call it, `key` what files and, with `-` for `_`, the flag do.
    Both are the field's name, unless a key is given; `aliases` are further flags. `default_text` is how the
    help writes the default, where that is not the value itself. `negatable`: a switch that has a third state.

    `place` "defaults": it may stand in `[defaults]`, the environment and profiles; "profile": in profiles
    alone; "flag": in no file. `only` is the one command that has it; `in_python` False: it is no argument of
    the library. `writes`: its paths are written to, not read.
    """

    type: OptionType
    section: Section
    help: Wording = ""
    _: KW_ONLY
    name: str = ""
    key: str = ""
    default: Any = None
    default_text: str | None = None
    short: str | None = None
    aliases: tuple[str, ...] = ()
    negatable: bool = False
    place: Literal["defaults", "profile", "flag"] = "defaults"
    only: Literal["run", "batch", "score", "rank"] | None = None
    writes: bool = False
    in_python: bool = True

    @property
    def is_switch(self) -> bool:
        """Return whether it is either given or not, so that "off" is the same as left out."""
        return self.type.switch and not self.negatable


class StoredEvaluation(Protocol):
    """Whatever has the folder of an evaluation, as `Results` have."""

    @property
    def folder(self) -> Path: ...
