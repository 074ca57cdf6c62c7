"""A call's input in the form in which its model takes it, with the values for its prompt's placeholders."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from umwelten.attempts.target import Target
from umwelten.events import Note, NoteLevel, Observer
from umwelten.inputs import Converted, read
from umwelten.inputs.added_values import AddedValues, framed, widened, with_added
from umwelten.inputs.content import Content, Conversion, unframe_text
from umwelten.inputs.files.names import escaped
from umwelten.inputs.questions import converted, question_media, question_values
from umwelten.inputs.workers.pool import ConversionPool
from umwelten.prompts.request_builder import RequestBuilder
from umwelten.threads import run_in_thread
from umwelten.types import FrozenStruct, Input, Part, Text

LARGE_INPUT = 4_000_000
"""Bytes. A larger input is read in a thread: reading and hashing it would keep the other calls waiting."""


class ReadInput(FrozenStruct):
    """The parts and values of a request about an input.

    `origin` is the file that its media come from, as (stored path, hash), where that is not the input itself.
    """

    parts: tuple[Part, ...] = ()
    values: Mapping[str, str] | None = None
    origin: tuple[str, bytes] | None = None


class InputReader:
    """Reads inputs when their calls start, and reports what changed and what was left out.

    `load` first, whose `digest` is the hash of what is sent, then `prepare`. Both raise `InputError`.
    """

    def __init__(
        self,
        builder: RequestBuilder,
        conversions: ConversionPool,
        added: AddedValues | None,
        observer: Observer,
    ) -> None:
        self._builder, self._conversions = builder, conversions
        self._added, self._observer = added, observer
        self._warned: set[str] = set()

    async def close(self) -> None:
        """End the conversions."""
        await self._conversions.close()

    async def load(self, source: Input, target: Target) -> Content:
        """Return an input's content, not converted yet."""
        used = self._builder.places(target.prompt)
        reading = partial(
            read,
            source.path,
            name=source.name,
            stamp=source.stamp,
            part=source.part,
            capabilities=target.capabilities,
            pdf=self._builder.settings.pdf,
            use=widened(self._builder.row_use(target.prompt), self._added, used),
        )
        content = reading() if source.size < LARGE_INPUT else await run_in_thread(reading)
        return with_added(content, self._added, used, source.name, source.path)

    async def prepare(
        self, content: Content, source: Input, target: Target, *, quiet: bool = False
    ) -> ReadInput:
        """Return what is sent of an input that was loaded; `quiet`: without reports."""
        if content.changed and not quiet:
            self._observer(Note(text=f"{source.name} changed since the start; its present bytes are sent"))

        async def convert(conversion: Conversion) -> Converted:
            done = await self._conversions.convert(conversion)
            if not quiet:
                self._report(done, conversion.name)
            return done

        if content.convert is not None or content.question is not None:
            content = await converted(content, convert)
        parts = content.parts
        if self._builder.bare(target.prompt):
            # The prompt says itself where the content begins and ends.
            parts = tuple(Text(text=unframe_text(p.text)) if isinstance(p, Text) else p for p in parts)
        values = {"file.name": source.name, "file.path": escaped(source.path), **content.values}
        values |= question_values(content)
        values = dict(framed(self._added, values))
        media, asked = question_media(content), content.question
        origin = (asked.path, asked.content.digest) if media and asked and asked.content else None
        return ReadInput(parts=(*parts, *media), values=values, origin=origin)

    def _report(self, done: Converted, name: str) -> None:
        """Report what a conversion of this file left out."""
        for text in done.notes:
            self._observer(Note(text=text, level=NoteLevel.DETAIL))
        for text in done.warnings:
            # Thousands of files may have the same: the first one is told.
            level = NoteLevel.DETAIL if text in self._warned else NoteLevel.INFO
            self._warned.add(text)
            self._observer(Note(text=f"{name}: {text}", level=level))
