"""The first request of an evaluation as it would be sent, for a look at it before it is."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import msgspec

from umwelten.attempts.input_reader import InputReader, ReadInput
from umwelten.attempts.target import Target
from umwelten.config.settings import Settings
from umwelten.errors import InputError, StoreError
from umwelten.evaluation.preflight import Preflight, preflight
from umwelten.evaluation.spec import EvaluationSpec
from umwelten.inputs.workers.pool import ConversionPool
from umwelten.phrases import Spelling, by_name
from umwelten.prompts.messages import in_one_text
from umwelten.providers.protocol import Vendor
from umwelten.providers.wires import wires_of
from umwelten.types import FrozenStruct, Input, Media, Message, Text

_TIMEOUT_S = 60.0
"""For the conversion of one file."""


class NamedMedia(FrozenStruct):
    """A picture, recording or document of a request; `size` in bytes as sent."""

    name: str
    type: str
    size: int


class FirstRequest(FrozenStruct):
    """What the first model is asked about the first input. `text` is the user's message, after its media.

    Of a prompt of several messages, it has all of them, each after its role.

    `problem`: why there is none; the call would fail like this.
    """

    model: str
    prompt: str | None
    file: str | None
    system: str | None
    text: str | None
    media: tuple[NamedMedia, ...] = ()
    problem: str | None = None


def first_request(
    spec: EvaluationSpec,
    settings: Settings,
    vendors: Mapping[str, Vendor],
    spelling: Spelling = by_name,
) -> FirstRequest | None:
    """Return the first request, `None` where there is no input. Nothing is sent.

    Raises what preparing the evaluation would raise.
    """
    checked = preflight(spec, settings, vendors)
    source = None
    if spec.inputs is not None:
        found = next(iter(spec.inputs.files()), None)
        if found is None:
            return None
        source = Input(
            id=1, name=found.name, path=found.path, size=found.size, stamp=found.stamp, part=found.part
        )
    return asyncio.run(_first(spec, checked, source, spelling))


async def _first(
    spec: EvaluationSpec, checked: Preflight, source: Input | None, spelling: Spelling
) -> FirstRequest:
    model, prompt = spec.models[0], spec.request.prompts[0].name
    system = spec.request.of(model).system
    begun = FirstRequest(
        model=str(model),
        prompt=prompt or None,
        file=None if source is None else source.name,
        system=system,
        text=None,
    )
    endpoint = checked.endpoints[model.provider][0]
    target = Target(
        model=model,
        endpoint=endpoint,
        wire=wires_of(endpoint, model, spec.request.of(model))[0],
        prompt=prompt,
        capabilities=checked.capabilities[model],
        attached=checked.attached[model],
    )
    try:
        return await _filled(spec, checked, source, target, begun)
    except (InputError, StoreError) as error:
        return msgspec.structs.replace(begun, problem=error.spell(spelling).message)


async def _filled(
    spec: EvaluationSpec, checked: Preflight, source: Input | None, target: Target, begun: FirstRequest
) -> FirstRequest:
    if isinstance(target.attached, InputError):
        raise target.attached
    given = ReadInput()
    if source is not None:
        added = None if spec.inputs is None else spec.inputs.added
        conversions = ConversionPool(_TIMEOUT_S)
        inputs = InputReader(checked.builder, conversions, added, lambda _: None)
        try:
            given = await inputs.prepare(await inputs.load(source, target), source, target, quiet=True)
        finally:
            await conversions.close()
    request = checked.builder.request(
        target.model,
        given.parts,
        stream=False,
        prompt=target.prompt,
        values=given.values,
        attached=target.attached,
    )
    messages = [message for message in request.messages if isinstance(message, Message)]
    question = messages[-1]
    texts = [(message.role, _words(message)) for message in messages]
    return msgspec.structs.replace(
        begun,
        text=in_one_text(texts),
        media=tuple(
            NamedMedia(name=part.name, type=part.mime, size=len(part.data))
            for part in question.parts
            if isinstance(part, Media)
        ),
    )


def _words(message: Message) -> str:
    return "\n\n".join(part.text for part in message.parts if isinstance(part, Text))
