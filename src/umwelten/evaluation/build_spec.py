"""From settled options to the spec of an evaluation, for the command line and the library alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

from umwelten.config import Settings, model_groups
from umwelten.config.concurrency import check_ceilings, max_concurrency
from umwelten.evaluation.preflight import hash_attachments, note_high_caps
from umwelten.evaluation.spec import EvaluationSpec, Limits, Output
from umwelten.inputs.sources import Inputs
from umwelten.phrases import Wording
from umwelten.providers.model_names import parse_models
from umwelten.providers.protocol import Vendor
from umwelten.schema import OutputSchema
from umwelten.types import Parameters, Prompt, RequestSettings


def build_spec(
    kind: Literal["run", "batch"],
    settings: Settings,
    vendors: Mapping[str, Vendor],
    notes: list[Wording],
    *,
    prompts: tuple[Prompt, ...],
    system: str | None,
    output_schema: OutputSchema | None,
    inputs: Inputs | None,
    attach: Iterable[Path],
    id: str | None,
    mode: Literal["new", "resume", "overwrite"],
) -> EvaluationSpec:
    """The spec; what is worth knowing is added to the notes. Raises a `UmweltenError`."""
    models, said = parse_models(settings.get("models"), vendors, model_groups(settings))
    notes.extend(said)
    check_ceilings(settings, vendors)
    stream = settings.get("stream")
    attach = tuple(attach)
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
        ),
        inputs=inputs,
        attach=attach,
        output_schema=output_schema,
        coerce=settings.get("coerce"),
        repeats=settings.get("repeat"),
        stream=kind == "run" if stream is None else stream,
        trace=settings.get("debug"),
        limits=Limits(
            max_concurrency=max_concurrency(settings, notes),
            provider_concurrency=settings.get("provider_concurrency"),
            timeout_s=settings.get("timeout_s"),
            retries=settings.get("retries"),
            max_cost_usd=settings.get("max_cost"),
            max_errors=settings.get("max_errors"),
            max_bytes_in_flight=settings.get("max_bytes_in_flight"),
        ),
        output=Output(id=id, mode=mode, output_dir=settings.get("output_dir")),
    )
    note_high_caps(spec, vendors, notes)
    return spec


def _parameters(settings: Settings) -> Parameters:
    """The sampling settings: each is an option of the same name, but for the fields sent as they are."""
    named = [name for name in Parameters.__struct_fields__ if name != "extra"]
    values: dict[str, Any] = {name: settings.get(name) for name in named}
    return Parameters(**values, extra=settings.get("params"))
