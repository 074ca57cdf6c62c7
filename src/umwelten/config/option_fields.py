"""Every option of `eval run` and `eval batch`, once: what it is called, how it is read, what it is for.

The fields of the classes below are the options. A field's type is what a Python program may give; its
`Option` is all the rest. The flags and their help, `umwelten.toml`, the environment, the arguments of the
library, `config show`, the manual and what the shell completes follow from here.

To add an option, add a field, and use it in `evaluation.build_spec`; one that is sent to the model needs
no more than a field of the same name in `types.Parameters`, and the wires.
"""

# Not `from __future__ import annotations`: the annotations are read when the module is imported.
from collections.abc import AsyncIterable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Generic, Literal, TypedDict, get_args

from umwelten.choices import Message, OpenAIApi, PdfMode
from umwelten.config import option_types as kinds
from umwelten.config import path_types as paths
from umwelten.config.declaration import Option, Section, StoredEvaluation
from umwelten.config.engine_fields import EngineOptions
from umwelten.config.memory_fields import MemoryOptions
from umwelten.config.output_fields import OutputOptions
from umwelten.config.score_fields import ScoreOptions
from umwelten.config.tool_fields import ToolOptions
from umwelten.phrases import Phrase

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    T = TypeVar("T", default=Any)
else:
    from typing import TypeVar

    T = TypeVar("T")

CONCURRENT = 5
"""Calls in flight that `concurrent` stands for."""

PathLike = str | Path

Given = Iterable[Any] | AsyncIterable[Any]
"""Rows or inputs that a program gives. Data frames are iterable."""


class Question(TypedDict, total=False):
    """What is asked of whom; positional in Python."""

    prompt: Annotated[
        str | Path | Sequence[Message] | None,
        Option(
            kinds.PROMPT,
            Section.PROMPT,
            Phrase(
                "The prompt; @FILE reads a file, - reads stdin. In batch, {places} are filled in from the "
                "input. Required, or {option:prompts}.",
                places="{{content}}, {{file.name}}, {{row.NAME}}, {{answer}}, {{prompt}}, {{input}} and "
                "{{json.PATH}}",
            ),
            short="-p",
            place="profile",
        ),
    ]
    models: Annotated[
        str | Sequence[str] | None,
        Option(
            kinds.MODELS,
            Section.PROMPT,
            "Models, separated by commas: provider:model, or vendor/model for OpenRouter; "
            "@NAME is a group in umwelten.toml, and after a model's name a variant. Repeatable; required.",
            short="-m",
        ),
    ]


class SharedOptions(
    ScoreOptions, MemoryOptions, ToolOptions, EngineOptions, OutputOptions, Generic[T], total=False
):
    """The arguments of `umwelten.run` besides prompt and models; `None` is the same as left out."""

    prompts: Annotated[
        PathLike | Mapping[str, str | Sequence[Message]] | None,
        Option(
            paths.PROMPTS_FILE,
            Section.PROMPT,
            "Several prompts, each sent to every model: .toml, .json, .jsonl, .csv, or texts between "
            "lines of ---. A prompt may be a list of messages.",
            place="profile",
        ),
    ]
    system: Annotated[
        str | Path | None,
        Option(kinds.TEXT, Section.PROMPT, "System prompt; @FILE reads a file.", short="-s"),
    ]
    schema: Annotated[
        type[T] | str | Path | Mapping[str, Any] | None,
        Option(
            kinds.SCHEMA,
            Section.PROMPT,
            "Answer with a record: fields such as 'title, year? int, tags array', a JSON Schema file, or "
            "file.py:Class (Pydantic).",
        ),
    ]
    coerce: Annotated[
        bool,
        Option(
            kinds.SWITCH,
            Section.PROMPT,
            Phrase("With {option:schema}: accept near misses, such as '7' for 7."),
        ),
    ]
    temperature: Annotated[
        float | None,
        Option(
            kinds.decimal(0, 2),
            Section.PROMPT,
            "Sampling temperature; the provider's default if omitted.",
            short="-t",
        ),
    ]
    max_tokens: Annotated[
        int | None, Option(kinds.integer(1), Section.PROMPT, "Maximum tokens per answer, thinking included.")
    ]
    top_p: Annotated[
        float | None,
        Option(
            kinds.decimal(0, 1),
            Section.PROMPT,
            "Sample only from the most likely tokens that add up to this probability.",
        ),
    ]
    seed: Annotated[
        int | None,
        Option(
            kinds.integer(-(2**63), 2**63 - 1),
            Section.PROMPT,
            "Sampling seed, for providers that support one.",
        ),
    ]
    stop: Annotated[
        str | Sequence[str] | None,
        Option(
            kinds.SEQUENCES,
            Section.PROMPT,
            "Text that ends an answer where the model would write it; repeatable.",
        ),
    ]
    params: Annotated[
        Mapping[str, Any] | None,
        Option(
            kinds.FIELDS,
            Section.PROMPT,
            "Any other request field, sent as is; repeatable.",
            key="param",
            default={},
        ),
    ]
    api: Annotated[
        OpenAIApi | None,
        Option(
            kinds.choice(*get_args(OpenAIApi)),
            Section.PROMPT,
            "OpenAI's API to ask; auto: chat completions, and Responses for what needs it.",
            default="auto",
        ),
    ]
    variants: Annotated[
        Mapping[str, Mapping[str, Any]] | None,
        Option(
            kinds.VARIANTS,
            Section.PROMPT,
            "A setting of models that are named with @VARIANT, such as cool.temperature=0: system, "
            "temperature, max-tokens, top-p, seed, stop or param.FIELD. Repeatable.",
            default={},
            place="profile",
        ),
    ]
    repeat: Annotated[
        int | None, Option(kinds.integer(1, 65_535), Section.PROMPT, "Make every call N times.", default=1)
    ]
    attach: Annotated[
        PathLike | Sequence[PathLike] | None,
        Option(
            paths.GLOBS,
            Section.INPUTS,
            "Files sent with every prompt; paths and globs.",
            aliases=("file",),
            place="profile",
        ),
    ]
    pdf: Annotated[
        PdfMode | None,
        Option(
            kinds.choice(*get_args(PdfMode)),
            Section.INPUTS,
            "How PDF files are sent; auto: as is if the model accepts PDF, otherwise as text.",
            default="auto",
        ),
    ]
    concurrent: Annotated[
        bool,
        Option(
            kinds.SWITCH,
            Section.SPEED,
            Phrase("Short for {option:max_concurrency={calls}}.", calls=CONCURRENT),
        ),
    ]
    max_concurrency: Annotated[
        int | Literal["auto"] | None,
        Option(
            kinds.CONCURRENCY,
            Section.SPEED,
            "Maximum calls in flight over all providers; auto: each provider finds its own level.",
            default=1,
        ),
    ]
    provider_concurrency: Annotated[
        Mapping[str, int] | None,
        Option(
            kinds.CEILINGS,
            Section.SPEED,
            "Maximum calls in flight for one provider; repeatable.",
            default={},
        ),
    ]
    rate: Annotated[
        Mapping[str, str | Sequence[str]] | None,
        Option(
            kinds.RATES,
            Section.SPEED,
            "Rate limit of a provider or a model, if you know it: openai=500/min, openai=200ktokens/min, "
            "openai:gpt-5.4-mini=60/min. It is never exceeded; repeatable.",
            default={},
        ),
    ]
    remember_limits: Annotated[
        bool | None,
        Option(
            kinds.SWITCH,
            Section.SPEED,
            "Begin from the rate limits that earlier runs found, and keep those found.",
            negatable=True,
            default=True,
            default_text="on",
        ),
    ]
    forget_limits: Annotated[
        bool,
        Option(
            kinds.SWITCH,
            Section.SPEED,
            "Forget what earlier runs found of the accounts in use, and begin without.",
            place="profile",
        ),
    ]
    share_limits: Annotated[
        bool | None,
        Option(
            kinds.SWITCH,
            Section.SPEED,
            "Share the rate limits of accounts with other runs on this machine.",
            negatable=True,
            default=True,
            default_text="on",
        ),
    ]
    max_bytes_in_flight: Annotated[
        int | str | None,
        Option(
            kinds.SIZE,
            Section.SPEED,
            "Maximum bytes of files in flight.",
            default=512 << 20,
            default_text="512MB",
        ),
    ]
    timeout_s: Annotated[
        float | None,
        Option(
            kinds.DURATION,
            Section.SPEED,
            "Per attempt; for a stream, without a byte. 45, 45s, 1500ms, 2m.",
            key="timeout",
            default=120.0,
            default_text="120s",
        ),
    ]
    retries: Annotated[
        int | None,
        Option(
            kinds.integer(0, 100),
            Section.SPEED,
            "Attempts after the first for a call that fails; a refusal (429, 529) uses none up.",
            default=6,
        ),
    ]
    hedge: Annotated[
        float | None,
        Option(
            kinds.decimal(0, 1, metavar="SHARE"),
            Section.SPEED,
            "Send the slowest calls once more, at most this share of all; the first answer counts. 0.05.",
        ),
    ]
    max_wait_s: Annotated[
        float | None,
        Option(
            kinds.LONG_DURATION,
            Section.SPEED,
            "Stop a provider that only refuses for this long, or asks for a longer wait. 30s, 15m, 2h.",
            key="max_wait",
            default=900.0,
            default_text="15m",
        ),
    ]
    stream: Annotated[
        bool | None,
        Option(
            kinds.SWITCH,
            Section.SPEED,
            "Stream answers.",
            negatable=True,
            default_text="in run, not in batch",
        ),
    ]
    control: Annotated[
        bool | None,
        Option(
            kinds.SWITCH,
            Section.OTHER,
            "Let umwelten ctl, and other programs of this user, watch and change the run while it goes on.",
            negatable=True,
            default=True,
            default_text="on",
        ),
    ]
    max_cost: Annotated[
        float | None,
        Option(
            kinds.decimal(0, above=True, metavar="USD"), Section.COST, "Stop before spending more than this."
        ),
    ]
    max_errors: Annotated[
        int | None,
        Option(
            kinds.integer(1),
            Section.COST,
            "Stop after N failed calls; a refused one waits, and has not failed.",
        ),
    ]
    profile: Annotated[
        str | None,
        Option(
            kinds.words("NAME", complete="profiles"),
            Section.OTHER,
            "Options from [profiles.NAME] in umwelten.toml; those given here win.",
            place="flag",
        ),
    ]


class BatchOptions(SharedOptions[T], Generic[T], total=False):
    """The arguments of `umwelten.batch` besides prompt and models."""

    directory: Annotated[
        PathLike | Sequence[PathLike] | None,
        Option(
            paths.FOLDERS,
            Section.INPUTS,
            "Directory whose files are the inputs; repeatable.",
            place="profile",
        ),
    ]
    file_pattern: Annotated[
        str | None,
        Option(kinds.GLOB, Section.INPUTS, "Which files: *.jpg, *.{jpg,png}, **/*.txt.", default="*"),
    ]
    recursive: Annotated[bool, Option(kinds.SWITCH, Section.INPUTS, "Include subdirectories.")]
    files: Annotated[
        PathLike | Sequence[PathLike] | None,
        Option(
            paths.GLOBS,
            Section.INPUTS,
            "These files instead of a directory; paths and globs.",
            place="profile",
        ),
    ]
    max_files: Annotated[
        int | None,
        Option(
            kinds.integer(1, 2**53),
            Section.INPUTS,
            "Only the first N files (by path) or rows.",
            aliases=("file_limit",),
        ),
    ]
    sample: Annotated[
        int | None,
        Option(
            kinds.integer(1, 2**53),
            Section.INPUTS,
            Phrase(
                "Only N of the inputs, drawn at random: the same ones each time, with {option:max_files} of "
                "the first."
            ),
        ),
    ]
    sample_seed: Annotated[
        int | None,
        Option(
            kinds.integer(0, 2**63 - 1),
            Section.INPUTS,
            Phrase("Another draw of {option:sample}, another order of {option:shuffle}."),
            default=0,
        ),
    ]
    shuffle: Annotated[
        bool,
        Option(kinds.SWITCH, Section.INPUTS, "Take the inputs in a random order, the same each time."),
    ]
    rows: Annotated[
        PathLike | Given | None,
        Option(
            paths.ROWS,
            Section.INPUTS,
            "Rows of a table as inputs: .csv, .tsv, .jsonl, .json, .parquet; lines of .txt.",
            place="profile",
        ),
    ]
    row_name: Annotated[
        str | None,
        Option(
            kinds.words("COLUMN"),
            Section.INPUTS,
            Phrase("With {option:rows}: the column that names the rows."),
            place="profile",
        ),
    ]
    from_: Annotated[
        str | StoredEvaluation | None,
        Option(
            kinds.EVALUATION,
            Section.INPUTS,
            "Answers of another evaluation as inputs.",
            key="from",
            place="profile",
        ),
    ]
    where: Annotated[
        str | None,
        Option(
            kinds.words("EXPR"),
            Section.INPUTS,
            Phrase(
                "With {option:from_}, and in eval score: only matching answers, such as "
                "'json.relevant = true and output_tokens > 20', 'pass.right = false' or 'score.polite < 0.5'."
            ),
            place="profile",
        ),
    ]
