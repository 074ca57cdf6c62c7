"""Walks over what a program gives: lists, generators, async iterators, and tables of other libraries.

Nothing is imported for it: whoever has a data frame has its library.
"""

from __future__ import annotations

import sys
import time
from collections.abc import AsyncIterable, Callable, Iterable, Iterator, Mapping, Sized
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from umwelten.errors import InputError, UmweltenError, UsageError
from umwelten.phrases import Phrase
from umwelten.store.background_iterator import BackgroundIterator

if TYPE_CHECKING:
    import asyncio

_ROWS_A_BATCH = 1_000
"""Rows of an Arrow table that are objects of Python at a time."""

_POLL_S = 0.1
"""How long an iterator that gives nothing is waited for before it is seen whether the job was stopped."""

_QUICK_S, _MOST_AT_ONCE = 0.01, 256
"""Items of an async iterator are asked for together while they come within that time; at most so many."""


class GivenData:
    """What a program gave as `rows` or `inputs`.

    `loop`: that of the program, where it waits for the job in a coroutine; an async iterator is asked there.
    `stopped`: whether the job was.
    """

    def __init__(self, option: str, data: object) -> None:
        self.option, self.data = option, data
        self.loop: asyncio.AbstractEventLoop | None = None
        self.stopped: Callable[[], bool] = lambda: False

    def __repr__(self) -> str:
        return f"{self.option} of a program"

    @property
    def is_at_hand(self) -> bool:
        """Whether all is there already, so that looking ahead takes no time."""
        return isinstance(self.data, Sized | Path) and not isinstance(self.data, AsyncIterable)

    def items(self) -> Iterator[Any]:
        """Yield the items. Raises `UsageError` at once for what has none.

        What the program raises on the way is the cause of an `InputError`.
        """
        items = self._found()
        if self.is_at_hand:
            return _told(items, self.option)
        return _told(self._pulled(items), self.option)

    def _found(self) -> Iterator[Any]:
        data = self.data
        table = _table_rows(data)
        if table is not None:
            return table
        if isinstance(data, AsyncIterable):
            return _from_async(data, self)
        is_one = self.option == "rows" and isinstance(data, Mapping | str | bytes)
        if self.option == "inputs" and isinstance(data, str | bytes | bytearray | Path):
            return iter([data])
        if isinstance(data, Iterable) and not isinstance(data, type) and not is_one:
            return iter(data.items() if isinstance(data, Mapping) else data)
        raise UsageError(
            Phrase(
                "{option:{name}} cannot be {what} of type {kind}",
                name=self.option,
                what="a single value" if is_one else "a value",
                kind=type(data).__name__,
            ),
            _HINTS[self.option],
            argument=self.option,
        )

    def _pulled(self, items: Iterator[Any]) -> Iterator[Any]:
        """In a thread of its own, so that a stop need not wait for an iterator that is stuck."""
        background = BackgroundIterator(_with_errors(items))
        try:
            last = False
            while not last:
                step = background.take(_POLL_S)
                if step is None:
                    if self.stopped():
                        raise InputError(f"the job was stopped while it waited for its {self.option}")
                    continue
                found, last = step
                for error, item in found:
                    if error is not None:
                        raise error
                    yield item
        finally:
            background.stop()


_HINTS: Mapping[str, str | Phrase] = {
    "rows": Phrase(
        "Give the path of a table, a list or an iterator of rows such as {option:rows}=[{{'name': 'Ada'}}], "
        "or a data frame."
    ),
    "inputs": Phrase(
        "Give a list or an iterator of texts, bytes and paths, or a dict with their names: "
        "{option:inputs}={{'note': 'a text'}}."
    ),
}


def _with_errors(items: Iterator[Any]) -> Iterator[tuple[BaseException | None, Any]]:
    """Yield the items, and what the iterator raised as the last of them: it is raised as it is."""
    try:
        for item in items:
            yield None, item
    except Exception as error:  # noqa: BLE001 - it is raised where the items are used
        yield error, None


def _told(items: Iterator[Any], option: str) -> Iterator[Any]:
    number = 0
    try:
        for item in items:
            yield item
            number += 1
    except UmweltenError:
        raise
    except Exception as error:
        raise InputError(
            Phrase(
                "{option:{name}}: after {number} of them, the iterator raised {kind}: {text}",
                name=option,
                number=number,
                kind=type(error).__name__,
                text=str(error),
            ),
            Phrase("The answers until then are stored. Continue with {option:resume}."),
        ) from error


# --- tables of other libraries -----------------------------------------------------------------


def _table_rows(data: Any) -> Iterator[dict[str, Any]] | None:
    """Yield the rows of a data frame or an Arrow table; `None` for anything else."""
    module = type(data).__module__.partition(".")[0]
    if module not in ("pandas", "polars", "pyarrow") or module not in sys.modules:
        return None
    name = type(data).__name__
    if module == "pandas" and name == "DataFrame":
        return _pandas_rows(data)
    if module == "polars" and name == "DataFrame":
        return cast("Iterator[dict[str, Any]]", data.iter_rows(named=True))
    if module == "polars" and name == "LazyFrame":
        raise UsageError(Phrase("{option:rows} is a LazyFrame"), "Give frame.collect().", argument="rows")
    if module == "pyarrow" and name in ("Table", "RecordBatch", "RecordBatchReader"):
        return _arrow_rows(data)
    return None


def _pandas_rows(frame: Any) -> Iterator[dict[Any, Any]]:
    columns = list(frame.columns)
    if len(set(columns)) < len(columns):
        twice = next(name for name in columns if columns.count(name) > 1)
        raise UsageError(
            Phrase("{option:rows}: the data frame has two columns {name!r}", name=twice), argument="rows"
        )
    return (dict(zip(columns, values, strict=True)) for values in frame.itertuples(index=False, name=None))


def _arrow_rows(table: Any) -> Iterator[dict[str, Any]]:
    batches = [table] if type(table).__name__ == "RecordBatch" else table
    for batch in batches.to_batches() if hasattr(batches, "to_batches") else batches:
        for start in range(0, batch.num_rows, _ROWS_A_BATCH):
            yield from batch.slice(start, _ROWS_A_BATCH).to_pylist()


# --- async iterators ---------------------------------------------------------------------------


def _from_async(data: AsyncIterable[Any], given: GivenData) -> Iterator[Any]:
    """Ask the program's own loop where it is free, else one of our own."""
    import asyncio  # here, because lists and reports import this module and need no loop

    source, most = data.__aiter__(), 1
    own = None if given.loop is not None else asyncio.new_event_loop()
    try:
        ended = False
        while not ended:
            began = time.monotonic()
            asked = _take(source, most)
            if own is not None:
                items, error, ended = own.run_until_complete(asked)
            else:
                assert given.loop is not None
                items, error, ended = asyncio.run_coroutine_threadsafe(asked, given.loop).result()
            yield from items
            if error is not None:
                raise error
            quick = time.monotonic() - began < _QUICK_S
            most = min(2 * most, _MOST_AT_ONCE) if quick else 1
    finally:
        if own is not None:
            with suppress(Exception):
                own.run_until_complete(own.shutdown_asyncgens())
            own.close()


async def _take(source: Any, most: int) -> tuple[list[Any], Exception | None, bool]:
    items: list[Any] = []
    try:
        while len(items) < most:
            items.append(await source.__anext__())
    except StopAsyncIteration:
        return items, None, True
    except Exception as error:  # noqa: BLE001 - it is raised after the items before it
        return items, error, True
    return items, None, False
