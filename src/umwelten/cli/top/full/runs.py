"""The screens of all runs, and of one."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator
from typing import Any, ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import RichLog, Static

from umwelten.cli.top import cells
from umwelten.cli.top.full.base import RunKeys, set_text
from umwelten.cli.top.full.dialogs import TextScreen
from umwelten.cli.top.full.row_list import Row, RowList
from umwelten.cli.top.full.stream import Stream
from umwelten.cli.top.watched import POLL_S, Seen
from umwelten.evaluation.run_state import LaneState, ModelState, RunState
from umwelten.live.client import Key
from umwelten.text import formatting
from umwelten.text.sanitize import one_line

_ALL = ""
"""The row of all lanes: no lane has such a name."""

_LOGGED = 40
"""Lines that are drawn between two looks; nobody reads faster."""

_LOG_LINES = 1_000
_HISTORY = 60
"""Changes of a lane's limit that are kept to be shown."""


class Overview(RunKeys):
    """All runs of this machine."""

    KEYS = f"enter open  {RunKeys.KEYS}"

    def compose(self) -> ComposeResult:
        """Return its parts."""
        yield RowList(cells.RUN_TITLES, id="runs")
        yield Static(id="said")
        yield Static(Text(self.KEYS, no_wrap=True, overflow="ellipsis"), id="keys")

    def draw(self) -> None:
        """Show how the runs are now."""
        super().draw()
        self.query_one("#runs", RowList).show(
            [
                Row(
                    _name(seen.key),
                    tuple(cells.run_row(seen)),
                    "dim" if seen.end else "red" * bool(seen.trouble),
                )
                for seen in self.app.watcher.look()
            ]
        )

    def target(self) -> Seen | None:
        """Return the run under the cursor."""
        key = self.query_one("#runs", RowList).key
        return next((seen for seen in self.app.watcher.look() if _name(seen.key) == key), None)

    def on_row_list_chosen(self, event: RowList.Chosen) -> None:
        """Open a run."""
        seen = self.target()
        if seen is not None:
            self.app.push_screen(RunScreen(seen))


class RunScreen(RunKeys):
    """One run: its models, its lanes, and what happens."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,left", "back", show=False)]

    def __init__(self, seen: Seen) -> None:
        super().__init__()
        self._key, self._seen = seen.key, seen
        self._stream = Stream(seen.run)
        self._limits: dict[str, deque[str]] = defaultdict(lambda: deque(maxlen=_HISTORY))
        self._logged_end = False

    def compose(self) -> ComposeResult:
        """Return its parts."""
        yield Static(id="head")
        yield RowList(cells.MODEL_TITLES, id="models")
        yield RowList(cells.LANE_TITLES, id="lanes")
        yield RichLog(
            id="log", max_lines=_LOG_LINES, wrap=False, markup=False, highlight=False, auto_scroll=True
        )
        yield Static(id="said")
        yield Static(Text(self.KEYS, no_wrap=True, overflow="ellipsis"), id="keys")

    def on_mount(self) -> None:
        """Begin with the lanes."""
        self.query_one("#log").can_focus = False
        self.query_one("#lanes").focus()

    def on_unmount(self) -> None:
        """Ask no more."""
        self._stream.close()

    def action_back(self) -> None:
        """Go to all runs."""
        self.app.back_to_runs()

    def target(self) -> Seen | None:
        """Return the run."""
        return self._seen

    def part(self) -> LaneState | ModelState | None:
        """Return the lane or model under the cursor."""
        state = self._seen.state
        if state is None:
            return None
        models = self.query_one("#models", RowList)
        if models.has_focus:
            return next((each for each in state.models if each.model == models.key), None)
        lane = self.query_one("#lanes", RowList).key
        return next((each for each in state.lanes if each.name == lane), None)

    # --- drawing -------------------------------------------------------------------------------

    def draw(self) -> None:
        """Show how the run is now."""
        super().draw()
        self.app.watcher.looked_at = self._key
        found = [seen for seen in self.app.watcher.look() if seen.key == self._key]
        self._seen = found[0] if found else self._seen
        first, *more = cells.head(self._seen)
        head = Text(first, "bold red" if self._seen.is_dead else "bold", no_wrap=True, overflow="ellipsis")
        for line in more:
            head.append(f"\n{line}", "not bold")
        set_text(self.query_one("#head", Static), head)
        if self._seen.state is not None:
            self._draw_tables(self._seen.state)
        self._draw_events()

    def _draw_tables(self, state: RunState) -> None:
        self.query_one("#models", RowList).show(
            [Row(model.model, tuple(cells.model_row(model)), cells.style(model)) for model in state.models]
        )
        lanes = [Row(lane.name, tuple(cells.lane_row(lane)), cells.style(lane)) for lane in state.lanes]
        self.query_one("#lanes", RowList).show([Row(_ALL, tuple(_all_lanes(state))), *lanes])

    def _draw_events(self) -> None:
        lines = list(self._lines(self._stream.take()))
        log = self.query_one("#log", RichLog)
        if len(lines) > _LOGGED:
            log.write(Text(f"… {len(lines) - _LOGGED:,} more", "dim"))
        for line in lines[-_LOGGED:]:
            log.write(line)
        if self._seen.end not in ("", "ended") and not self._logged_end:
            self._logged_end = True
            if self._seen.is_dead:
                log.write(Text(cells.phase(self._seen), "bold"))
            log.write(Text("The run has ended; q leaves.", "dim"))

    def _lines(self, events: list[tuple[str, dict[str, Any]]]) -> Iterator[Text]:
        for name, facts in cells.summed_up(events):
            line = cells.event_line(name, facts)
            if line is None:
                continue
            if name in ("limit_changed", "lane_waiting", "lane_resumed", "lane_stopped"):
                at = facts.get("at", facts.get("since"))
                when = f"{cells.clock(at)}  " if isinstance(at, int | float) else "          "
                lines = self._limits[str(facts.get("lane"))]
                if not lines or not lines[-1].endswith(line):
                    lines.append(when + line)
            if name != "limit_changed":
                yield Text(line, "red" if "stopped" in name or name == "call_failed" else "", no_wrap=True)

    def on_row_list_chosen(self, event: RowList.Chosen) -> None:
        """Show why a lane is as it is."""
        if event.rows.id == "lanes":
            name = event.key
            title = f"lane {name}: what it waited for, and its limits" if name else "all lanes"
            self.app.push_screen(TextScreen(title, lambda: self._about(name), POLL_S))

    def _about(self, name: str) -> str:
        state = self._seen.state
        lanes = [] if state is None else [lane for lane in state.lanes if name in (lane.name, _ALL)]
        return "\n".join(line for lane in lanes for line in self._about_lane(lane))

    def _about_lane(self, lane: LaneState) -> Iterator[str]:
        yield f"{one_line(lane.name, cells.WIDTH)}: limit {lane.limit}, ceiling {lane.ceiling}" + (
            f", rate {lane.rate}" if lane.rate else ""
        )
        yield f"  models: {one_line(', '.join(lane.models), cells.WIDTH)}"
        yield f"  now: {one_line(cells.waits(lane), 2 * cells.WIDTH) or 'waits for nothing'}"
        yield from (f"  {line}" for line in reversed(self._limits.get(lane.name, ())))
        yield ""


def _all_lanes(state: RunState) -> Iterator[str]:
    """Yield the sums of the lanes, as a row of theirs."""
    lanes = state.lanes
    yield "all lanes"
    yield f"{state.in_flight:,}"
    yield f"{sum(lane.limit for lane in lanes):,}"
    yield str(state.settings.get("max_concurrency", formatting.UNKNOWN))
    yield f"{sum(lane.ready + lane.waiting for lane in lanes):,}"
    yield formatting.short(state.calls_per_s)
    yield f"{state.failed:,}"
    yield f"{sum(lane.retries for lane in lanes):,}"
    yield "paused" if state.phase == "paused" else ""


def _name(key: Key) -> str:
    return f"{key[0]} {key[1]} {key[2]}"
