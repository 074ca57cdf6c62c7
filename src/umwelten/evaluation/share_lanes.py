"""Lanes of a run that are shared with other runs on this machine, by the ids of their accounts."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from umwelten.accounts.account_id import AccountIds, account_ids
from umwelten.attempts.target import Target
from umwelten.control.pool import Pool
from umwelten.engine.engine import Engine
from umwelten.errors import ConfigError
from umwelten.evaluation.lanes import served
from umwelten.events import Note, NoteLevel, Observer
from umwelten.phrases import Phrase, Spelling
from umwelten.providers.protocol import Endpoint, Scope
from umwelten.sharing.folder import SUPPORTED, SocketFolder, this_machine
from umwelten.sharing.lane_share import RunHooks
from umwelten.sharing.shared_lane import SharedLane
from umwelten.sharing.sharing import Sharing
from umwelten.user_folders import state_folder
from umwelten.version import __version__

_RUN = "run"
"""The folder of sockets, in that of what is remembered."""

_WHY = {
    "version": "another run on this machine uses the same account with {other}, and this is umwelten {own}",
    "clock": "another run on this machine uses the same account, with another clock",
    "full": "too many runs on this machine use the same account",
    "owner": "the run that holds the account's rate limit does not answer",
    "folder": "{detail}",
    "system": "that needs Linux or macOS",
    "home": "the home directory of this user is not known",
}

_LEVELS = {"folder": NoteLevel.INFO, "system": NoteLevel.DETAIL, "home": NoteLevel.DETAIL}
"""There may be no other run at all; where there is one, that is a warning."""


@contextmanager
def shared_lanes(
    targets: Mapping[int, Target], pool: Pool, engine: Engine, tell: Observer, spelling: Spelling
) -> Iterator[None]:
    """Share the lanes of a pool while the block lasts. Where that can't be done, a note says why."""
    sharing = _open(targets, pool, engine, tell, spelling)
    if sharing is None:
        yield
        return
    try:
        sharing.open()
        yield
    finally:
        sharing.close()


def _open(
    targets: Mapping[int, Target], pool: Pool, engine: Engine, tell: Observer, spelling: Spelling
) -> Sharing | None:
    loop = asyncio.get_running_loop()
    told: set[str] = set()

    def note(why: str, detail: str = "") -> None:
        if why in told:
            return
        told.add(why)
        other = f"umwelten {detail}" if detail else "another protocol"
        text = Phrase(
            "rate limits are not shared: {why}. This run goes on alone ({option:share_limits=no})",
            why=_WHY[why].format(other=other, own=__version__, detail=detail),
        )
        tell(Note(text=text.spell(spelling), level=_LEVELS.get(why, NoteLevel.WARNING)))

    folder = state_folder()
    if not SUPPORTED or folder is None:
        note("system" if folder is not None else "home")
        return None
    try:
        lanes = _names(targets, pool, account_ids(folder))
        sockets = SocketFolder(folder / _RUN) if lanes else None
    except ConfigError as error:
        note("folder", str(error))
        return None
    except OSError as error:
        note("folder", f"{folder / _RUN}: {error.strerror or error}")
        return None
    if sockets is None:
        return None
    hooks = RunHooks(
        wake=engine.wake,
        touch=pool.touch,
        ready=pool.startable,
        wake_early=lambda lane, refused: pool.wake_early(lane, loop.time(), refused=refused),
        note=note,
    )
    return Sharing(lanes, sockets, hooks, loop)


def _names(targets: Mapping[int, Target], pool: Pool, accounts: AccountIds) -> list[tuple[str, SharedLane]]:
    """Return the lanes that can be shared with the names of their sockets, which two may have in common.

    A server that swaps models is not shared: its calls go model by model, within one run.
    """
    return [
        (socket_name(accounts, at.endpoint, at.model.model), lane)
        for lane, at in served(targets, pool)
        if at.local is None and not lane.ordered and isinstance(lane, SharedLane)
    ]


def socket_name(accounts: AccountIds, endpoint: Endpoint, model: str) -> str:
    """Return what the socket of a lane is called, of which nobody can read the account: 24 hex digits."""
    place = [this_machine(), accounts.id(endpoint.base_url, endpoint.api_key)]
    if endpoint.vendor.scope is Scope.KEY_AND_MODEL:
        place.append(model)
    return hashlib.blake2b("\n".join(place).encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()
