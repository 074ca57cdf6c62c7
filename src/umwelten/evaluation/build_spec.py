"""From settled options to the spec of an evaluation, for the command line and the library alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal

import msgspec

from umwelten.choices import ROW_RULE, RowRule
from umwelten.config.concurrency import check_ceilings, max_concurrency
from umwelten.config.demands import used_demands
from umwelten.config.option_types import PlainText
from umwelten.config.overwriting import refuse_overwriting
from umwelten.config.rates import given_rates
from umwelten.config.settings import Settings, model_groups
from umwelten.errors import StoreError, UmweltenError, UsageError
from umwelten.evaluation.engine_choice import (
    check_workers,
    note_idle_engine,
    note_idle_workers,
    note_open_cluster,
    read_engine,
)
from umwelten.evaluation.given import given_of
from umwelten.evaluation.preflight import (
    hash_attachments,
    note_addresses,
    note_high_caps,
    note_idle_api,
    note_idle_rates,
    note_idle_variants,
    note_prices,
)
from umwelten.evaluation.recalling import check_systems, wanted_memory, with_recalled
from umwelten.evaluation.spec import EvaluationSpec, Limits, Output
from umwelten.evaluation.system_messages import split_system
from umwelten.evaluation.tools import open_tools
from umwelten.inputs import expand
from umwelten.inputs.drawn import drawn
from umwelten.inputs.prompt_files import name_prompts, read_prompts
from umwelten.inputs.references import (
    FILE_VALUES,
    References,
    expected_value,
    file_values,
    read_references,
)
from umwelten.inputs.scopes import Scope
from umwelten.inputs.sources import InputChoice, Inputs, select_inputs
from umwelten.phrases import Phrase, Wording
from umwelten.prompts.template import EXPECTED, ROW, Template
from umwelten.providers.model_names import parse_models
from umwelten.providers.protocol import Vendor
from umwelten.schema import OutputSchema, load_schema
from umwelten.store.database import has_database
from umwelten.store.reader import Reader
from umwelten.store.stored_calls import input_names
from umwelten.store.tags import check_tags
from umwelten.types import ModelRef, Parameters, Prompt, RequestSettings, VariantSettings
from umwelten.user_folders import expand_home

Stdin = Callable[[], str]


def build_spec(
    kind: Literal["run", "batch"],
    settings: Settings,
    vendors: Mapping[str, Vendor],
    notes: list[Wording],
    *,
    stdin: Stdin | None = None,
    join: Callable[[tuple[Prompt, ...]], tuple[Prompt, ...]] | None = None,
    scope: Scope | None = None,
) -> EvaluationSpec:
    """What the options ask for. What is worth knowing is added to the notes.

    `stdin` gives the text that `-` stands for, `None` where it is a text like any other. `join` returns the
    prompts with what else is to be part of them. `scope` is to be
    filled in for each input besides its prompts. Raises a `UmweltenError` for options that do not go together
    and for files that can't be read.
    """
    output = _output(settings)
    models = _models(settings, vendors, notes)
    variants = list(dict.fromkeys(model.variant for model in models if model.variant))
    demands = used_demands(kind, settings, [vendors[model.provider] for model in models], variants)
    settings.trust.require(demands)
    # That of the schema: scorers, which run later, have code as well.
    code = next((demand.code for demand in demands if demand.kind == "run" and demand.code is not None), None)
    check_ceilings(settings, vendors)
    engine = read_engine(settings)
    check_workers(engine, models)  # before servers of tools are started; judges have theirs in `preflight`
    memory = None if scope is not None else wanted_memory(kind, settings)
    prompts = asked = _prompts(settings, stdin)
    if join is not None:
        prompts = asked = join(prompts)
    system, prompts = split_system(prompts, _text(settings, "system", stdin))
    if memory is not None:
        scope = memory.scope
    of_scope = () if scope is None else scope.chained
    inputs = _inputs(settings, _row_rule(output), prompts, of_scope, notes) if kind == "batch" else None
    recall, prompts, inputs, output = with_recalled(memory, settings, output, kind, prompts, inputs)
    output_schema = _output_schema(settings.get("schema"), code)
    attach = tuple(path for item in settings.get("attach") or () for path in _paths(item))
    stream = settings.get("stream")
    spec = EvaluationSpec(
        kind=kind,
        models=models,
        request=RequestSettings(
            prompts=prompts,
            system=system,
            parameters=_parameters(settings),
            schema=None if output_schema is None else output_schema.schema,
            attachments=hash_attachments(attach),
            pdf=settings.get("pdf"),
            source="files" if inputs is None else inputs.source,
            row_rule=1 if inputs is None else inputs.row_rule,
            variants=tuple(read_variant(name, settings) for name in sorted(variants)),
        ),
        inputs=inputs,
        attach=attach,
        output_schema=output_schema,
        coerce=settings.get("coerce"),
        recall=recall,
        repeats=settings.get("repeat"),
        reuse=settings.get("reuse") or (),
        keep_inputs=settings.get("keep_inputs"),
        text_files=settings.get("texts"),
        stream=kind == "run" if stream is None else stream,
        trace=settings.get("debug"),
        limits=read_limits(settings, vendors, notes),
        engine=engine,
        output=output,
        tags=check_tags(settings.get("tags") or ()),
    )
    if recall is not None:
        check_systems(spec.request)
    spec = msgspec.structs.replace(spec, given=given_of(kind, settings, spec, asked))
    _add_notes(spec, settings, vendors, variants, notes)
    return _with_tools(spec, settings, notes)


def _models(settings: Settings, vendors: Mapping[str, Vendor], notes: list[Wording]) -> tuple[ModelRef, ...]:
    if not settings.get("models"):
        raise UsageError(
            "no model is named",
            Phrase("Give {option:models=provider:model}, or put it in umwelten.toml."),
            argument="models",
        )
    try:
        models, found = parse_models(
            settings.get("models"), vendors, model_groups(settings), settings.variants
        )
    except UmweltenError as error:
        error.argument = error.argument or "models"  # says where it stands: a flag, a line of a file
        raise
    notes.extend(found)
    return models


def _add_notes(
    spec: EvaluationSpec,
    settings: Settings,
    vendors: Mapping[str, Vendor],
    variants: Sequence[str],
    notes: list[Wording],
) -> None:
    if "variants" in settings.given:
        note_idle_variants(settings.get("variants"), variants, notes)
    note_high_caps(spec, vendors, notes)
    note_idle_rates(spec, settings, notes)
    note_idle_api(spec, settings, vendors, notes)
    note_idle_engine(spec.engine, settings, notes)
    note_open_cluster(spec.engine, notes)
    note_idle_workers(spec.engine, spec.limits, notes)
    note_addresses(spec, settings, vendors, notes)
    note_prices(spec, settings, notes)


def _with_tools(spec: EvaluationSpec, settings: Settings, notes: list[Wording]) -> EvaluationSpec:
    """The spec with its tools: last, so that what is wrong with the rest is said before servers start."""
    tools = open_tools(settings, notes)
    if tools is None:
        return spec
    try:
        offered = tools.toolbox.settings(settings.get("tool_choice"), settings.get("max_steps"))
    except BaseException:
        tools.toolbox.close()
        raise
    request = msgspec.structs.replace(spec.request, tools=offered)
    return msgspec.structs.replace(spec, request=request, tools=tools)


# --- what is sent ----------------------------------------------------------------------------


def _prompts(settings: Settings, stdin: Stdin | None) -> tuple[Prompt, ...]:
    several, text = settings.get("prompts"), _text(settings, "prompt", stdin)
    if several is not None and text is not None:
        raise _exclusive("prompt", "prompts")
    if several is not None:
        if isinstance(several, PlainText):
            return (Prompt(name="", text=several.text),)
        return name_prompts(several) if isinstance(several, Mapping) else read_prompts(several)
    if text is None or not text.strip():
        raise UsageError(
            "the prompt is empty",
            Phrase("Give {option:prompt} a text or a file that holds it, or several with {option:prompts}."),
            argument="prompt",
        )
    return (Prompt(name="", text=text),)


def _text(settings: Settings, name: str, stdin: Stdin | None) -> str | None:
    """Return the text of an option, that of a file where it is a path or begins with `@`."""
    return value_text(settings.get(name), name, stdin)


def value_text(value: Any, name: str, stdin: Stdin | None) -> str | None:
    """Return the text that the value of an option stands for."""
    match value:
        case None:
            return None
        case PlainText():
            return value.text
        case Path():
            return _read(value, name)
        case "-" if stdin is not None:
            return stdin()
    text = str(value)
    return _read(expand_home(Path(text[1:])), name) if text.startswith("@") else text


def _read(path: Path, name: str) -> str:
    try:
        return path.read_text("utf-8-sig")
    except UnicodeDecodeError:
        message = Phrase("{option:{name}}: {path} is not UTF-8 text", name=name, path=path)
        raise UsageError(message, argument=name) from None
    except OSError as error:
        raise UsageError(
            Phrase(
                "{option:{name}}: cannot read {path}: {error}", name=name, path=path, error=error.strerror
            ),
            "A text that starts with @ goes in a file of its own.",
            argument=name,
        ) from None


def _parameters(settings: Settings) -> Parameters:
    """The sampling settings: each is an option of the same name, but for the fields sent as they are."""
    named = [name for name in Parameters.__struct_fields__ if name != "extra"]
    values: dict[str, Any] = {name: settings.get(name) for name in named}
    return Parameters(**values, extra=_checked(settings.get("params"), "params"))


def _checked(extra: Mapping[str, Any], option: str) -> dict[str, Any]:
    """Return the fields that are sent as they are. `UsageError` for one that no request has."""
    if "api" in extra:
        raise UsageError(
            Phrase("{option:{name}}: api is not a field of a request", name=option),
            Phrase("Choose the API with {option:api}: auto, chat or responses."),
            argument=option,
        )
    return dict(extra)


def read_variant(name: str, settings: Settings) -> VariantSettings:
    """Return the settings of a variant; those that it leaves out are those of all models."""
    values = {option: row.value for option, row in settings.variants[name].items()}
    extra = _checked(values.pop("params", {}), "variants")
    system = value_text(values.pop("system", None), "variants", None)
    return VariantSettings(name=name, system=system, parameters=Parameters(**values, extra=extra))


def _output_schema(given: object, code: bytes | None) -> OutputSchema | None:
    """The schema that a class, a JSON Schema, a file or the fields in words stand for.

    `code`: what was trusted of a Python file, whatever it holds by now.
    """
    match given:
        case None:
            return None
        case type():
            from umwelten.schema.pydantic_models import class_shape

            return class_shape(given)
        case Mapping():
            from umwelten.schema.definitions import schema_of

            name = str(given.get("title", "answer"))
            return OutputSchema(schema_of(dict(given), name=name, source="", where="schema"))
        case Path():
            return load_schema(str(given) if given.suffix.lower() == ".json" else f"@{given}")
    return load_schema(str(given), code=code)


# --- about what, how fast, where to ----------------------------------------------------------


def _row_rule(output: Output) -> RowRule:
    """How rows are read: an evaluation that was begun by an earlier version keeps its rule."""
    folder = output.output_dir / (output.id or "")
    if output.mode != "resume" or not has_database(folder):
        return ROW_RULE
    try:
        with Reader.open(folder) as reader:
            return reader.spec().request.row_rule
    except StoreError:
        return ROW_RULE  # what is wrong with it is told when it is opened for good


def _inputs(
    settings: Settings,
    row_rule: RowRule,
    prompts: tuple[Prompt, ...],
    further: tuple[str, ...],
    notes: list[Wording],
) -> Inputs:
    """`further` are placeholders that are filled in besides those of the prompts (`RowUse.chained`)."""
    values = {name: settings.get(name) for name in InputChoice.__struct_fields__}
    if not values["directory"]:
        # What a settings file says of directories is no mistake where there is none.
        unasked = {"file_pattern": None, "recursive": False}
        values |= {name: value for name, value in unasked.items() if name not in settings.given}
    directory = values["directory"]
    directories = (directory,) if isinstance(directory, Path) else directory or ()
    lists = {"directory": directories, "files": values["files"] or ()}
    templates = [Template(prompt.text) for prompt in prompts]
    chained = dict.fromkeys((*(name for each in templates for name in each.chained), *further))
    choice = InputChoice(**{**values, **lists})
    references = None
    if choice.from_ is not None and any(EXPECTED in template.names for template in templates):
        references = _references(settings)
        chained |= dict.fromkeys(_of_rows(references))
    # The stamp of a row tells of its values already.
    beside = None if references is None or _of_rows(references) else partial(_expected_text, references)
    wanted = [name.removeprefix(ROW) for each in templates for name in each.names if name.startswith(ROW)]
    inputs = select_inputs(
        choice, notes.append, row_rule=row_rule, chained=tuple(chained), wanted=wanted, beside=beside
    )
    inputs = drawn(
        inputs,
        sample=settings.get("sample"),
        seed=settings.get("sample_seed"),
        shuffle=settings.get("shuffle"),
    )
    if references is None or choice.from_ is None:
        return inputs
    Template("".join(f"{{{{{name}}}}}" for name in references.names)).check(
        FILE_VALUES, inputs.columns, place="what is expected"
    )
    with Reader.open(choice.output_dir / choice.from_) as reader:
        note = references.check(input_names(reader))
    notes.extend([note] if note is not None else [])
    return msgspec.structs.replace(inputs, added=expected_value(references, _of_rows(references)))


def _references(settings: Settings) -> References | None:
    where = settings.get("expected")
    return None if where is None else read_references(where, settings.get("output_dir"))


def _expected_text(references: References, name: str, path: str) -> str:
    return repr(references.of(name, file_values(name, path)))


def _of_rows(references: References | None) -> tuple[str, ...]:
    """Return the placeholders that a row at the beginning of a chain fills in."""
    names = () if references is None else references.names
    return tuple(name for name in names if name.startswith(ROW))


def _paths(item: str | Path) -> list[Path]:
    return [item] if isinstance(item, Path) else expand(item, Path())


def read_limits(settings: Settings, vendors: Mapping[str, Vendor], notes: list[Wording]) -> Limits:
    """Return how fast and how far the options let calls go."""
    return Limits(
        max_concurrency=max_concurrency(settings, notes),
        provider_concurrency=settings.get("provider_concurrency"),
        rates=given_rates(settings, vendors),
        remember=settings.get("remember_limits"),
        forget=settings.get("forget_limits"),
        timeout_s=settings.get("timeout_s"),
        retries=settings.get("retries"),
        max_wait_s=settings.get("max_wait_s"),
        hedge=settings.get("hedge") or 0.0,
        max_cost_usd=settings.get("max_cost"),
        max_errors=settings.get("max_errors"),
        max_bytes_in_flight=settings.get("max_bytes_in_flight"),
        share=settings.get("share_limits") is not False,
    )


def _output(settings: Settings) -> Output:
    resume, overwrite = settings.get("resume"), settings.get("overwrite")
    if resume and overwrite:
        raise _exclusive("resume", "overwrite")
    if (resume or overwrite) and settings.get("id") is None:
        raise UsageError(
            Phrase("{option:resume} and {option:overwrite} need an {option:id}"),
            "`umwelten eval list` shows the ids.",
            argument="id",
        )
    refuse_overwriting(settings)
    return Output(
        id=settings.get("id"),
        mode="resume" if resume else "overwrite" if overwrite else "new",
        output_dir=settings.get("output_dir"),
        reports=_reports(settings.get("report"), scored=resume or _scored(settings)),
    )


def _scored(settings: Settings) -> bool:
    return bool(settings.get("scorers") or settings.get("scorer"))


def _reports(paths: tuple[Path, ...], *, scored: bool) -> tuple[Path, ...]:
    if paths:
        # Slow to import, and most evaluations want none.
        from umwelten.report.output_files import check_report_path, format_of

        for path in paths:
            check_report_path(path)
            if not scored and format_of(path) == "junit":
                raise UsageError(
                    f"the report {path}: JUnit is made of scores, and nothing is scored",
                    Phrase(
                        "Give a scorer: {option:scorer=exact} with {option:expected}, or {option:scorers}."
                    ),
                    argument="report",
                )
    return paths


def _exclusive(one: str, other: str) -> UsageError:
    return UsageError(
        Phrase("{option:{one}} and {option:{other}} exclude each other", one=one, other=other),
        "Give the one that you mean.",
        argument=other,
    )
