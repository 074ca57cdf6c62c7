"""Limits that are remembered: lanes begin from what an earlier run of the same account learnt.

What goes wrong with it is a note, and lanes begin as ever. A run that learns nothing leaves nothing behind.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

from umwelten.accounts.account_id import account_ids
from umwelten.accounts.limits_file import Entry, Key, read_limits, update_limits
from umwelten.attempts.target import Target
from umwelten.control.lane import Lane
from umwelten.control.memory import LaneMemory, begin_from, is_refuted, learnt
from umwelten.errors import ConfigError
from umwelten.events import Note, Observer
from umwelten.providers.protocol import Scope
from umwelten.threads import run_in_thread
from umwelten.user_folders import state_folder

SAVE_S = 30.0
"""So much of what was learnt is lost with a run that is killed."""

Served = Sequence[tuple[Lane, Target]]
"""Lanes, each once, with a target at the endpoint that it is of."""


class LimitMemory:
    """The memory of an evaluation's lanes.

    `remember`: whether there is one. `forget`: the first run begins without it, and what is known of its
    accounts goes.
    """

    def __init__(self, *, remember: bool, forget: bool, clock: Callable[[], float]) -> None:
        self._remember, self._forget, self._clock = remember, forget, clock
        self._folder = state_folder() if remember or forget else None
        self._served: Served = ()
        self._before: dict[Key, Entry] = {}
        self._saved: dict[Key, LaneMemory] = {}
        self._told = False

    @asynccontextmanager
    async def of(self, served: Served, tell: Observer, now: Callable[[], float]) -> AsyncIterator[None]:
        """Have the lanes begin from what is remembered, and remember what they learn meanwhile.

        `now` is the lanes' clock.
        """
        if self._folder is None:
            yield
            return
        self._served = served
        await self._begin(self._folder, tell, now)
        saving = asyncio.create_task(self._keep_saving(self._folder, tell)) if self._remember else None
        try:
            yield
        finally:
            if saving is not None:
                saving.cancel()
                with suppress(asyncio.CancelledError):
                    await saving
                # Even if nothing changed: what the account has left depends on when it was last used.
                self._saved = {}
                await self._save(self._folder, tell)

    async def _begin(self, folder: Path, tell: Observer, now: Callable[[], float]) -> None:
        with self._noted(tell):
            if self._forget:
                self._forget = False
                await run_in_thread(self._forget_accounts, folder)
            elif self._remember:
                keys, self._before = await run_in_thread(self._read, folder)
                for lane, _ in self._served if keys else ():
                    if (entry := self._before.get(keys[lane.name])) is not None:
                        at = self._clock()
                        begin_from(lane, entry.learnt, now(), entry.belief(at), max(0.0, at - entry.at))

    async def _keep_saving(self, folder: Path, tell: Observer) -> None:
        while True:
            await asyncio.sleep(SAVE_S)
            await self._save(folder, tell)

    async def _save(self, folder: Path, tell: Observer) -> None:
        found = {lane.name: memory for lane, _ in self._served if (memory := learnt(lane)) is not None}
        refuted = {lane.name for lane, _ in self._served if self._before and is_refuted(lane)}
        if found or refuted:
            with self._noted(tell):
                await run_in_thread(self._write, folder, found, refuted)

    @contextmanager
    def _noted(self, tell: Observer) -> Iterator[None]:
        """Tell the first error as a note."""
        try:
            yield
        except ConfigError as error:
            if not self._told:
                tell(Note(text=f"limits are not remembered: {error.message}"))
            self._told = True

    # --- on a thread -----------------------------------------------------------------------

    def _keys(self, folder: Path) -> dict[str, Key]:
        """What each lane is kept by, by the lane's name."""
        ids = account_ids(folder)
        return {
            lane.name: Key(ids.id(target.endpoint.base_url, target.endpoint.api_key), _kept_as(target))
            for lane, target in self._served
        }

    def _read(self, folder: Path) -> tuple[dict[str, Key], dict[Key, Entry]]:
        entries = read_limits(folder, self._clock())
        # Without a file, none is made of the salt either.
        return (self._keys(folder) if entries else {}), entries

    def _forget_accounts(self, folder: Path) -> None:
        if read_limits(folder, self._clock()):
            accounts = {key.account for key in self._keys(folder).values()}
            update_limits(folder, {}, self._clock(), accounts=accounts)

    def _write(self, folder: Path, found: Mapping[str, LaneMemory], refuted: set[str]) -> None:
        keys = self._keys(folder)
        known = {keys[lane]: memory for lane, memory in found.items()}
        changed = {key: memory for key, memory in known.items() if self._saved.get(key) != memory}
        gone = {keys[lane] for lane in refuted} & self._before.keys()
        if changed or gone:
            update_limits(folder, changed, self._clock(), forgotten=gone)
            self._saved |= changed
            self._before = {key: entry for key, entry in self._before.items() if key not in gone}


def _kept_as(target: Target) -> str:
    """The model or the provider: which of several accounts or servers it is, the account's id tells."""
    vendor = target.endpoint.vendor
    return str(target.model.plain) if vendor.scope is Scope.KEY_AND_MODEL else vendor.name
