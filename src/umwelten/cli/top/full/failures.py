"""What failed: kinds, the calls of a kind, and a call with its attempts and its answer."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import Screen
from textual.widgets import Static

from umwelten.cli.top import actions
from umwelten.cli.top.full.base import RunApp, RunKeys, said_text, set_text
from umwelten.cli.top.full.dialogs import TextScreen
from umwelten.cli.top.full.row_list import Row, RowList
from umwelten.cli.top.watched import POLL_S, Seen
from umwelten.errors import UmweltenError
from umwelten.live.client import Call, Run, RunError, RunGone
from umwelten.report.queries.call_rows import call_row, call_rows
from umwelten.store.reader import Reader
from umwelten.text import formatting
from umwelten.text.sanitize import one_line, safe

_MOST = 5_000
"""Failed calls that are read: who has more looks at their kinds, not at each."""

_PAGE = 500
_WIDTH = 200


class FailureKinds(Screen[None]):
    """The failures of a run by kind; enter shows the calls of one."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,left", "app.pop_screen", show=False),
        Binding("f5,f", "read", show=False),
        Binding("r", "retry", show=False),
    ]
    TITLES: ClassVar[Sequence[str]] = ("KIND", "FAILED", "MODEL", "MESSAGE")
    KEYS = "enter look  r retry this kind  f read again  escape back  q leave"

    app: RunApp

    def __init__(self, of: RunKeys, seen: Seen) -> None:
        super().__init__()
        self._of, self._seen = of, seen
        self._calls: list[Call] = []
        self._said = ""

    def compose(self) -> ComposeResult:
        """Return its parts."""
        yield Static(id="head")
        yield RowList(self.TITLES, id="rows")
        yield Static(id="said")
        yield Static(Text(self.KEYS, no_wrap=True, overflow="ellipsis"), id="keys")

    def on_mount(self) -> None:
        """Read, and draw what is read."""
        self.action_read()
        self.set_interval(POLL_S, self._draw)

    def action_read(self) -> None:
        """Read the failures, in a thread: there may be many."""
        self._said = "reading …"
        threading.Thread(target=self._read, name="top-failures", daemon=True).start()
        self._draw()

    def _read(self) -> None:
        found: list[Call] = []
        try:
            while len(found) < _MOST:
                page = failed(self._seen.run, found[-1]["call"] if found else 0)
                found += page
                if len(page) == 0:
                    break
            self._said = f"the first {_MOST:,}" if len(found) >= _MOST else ""
        except (RunError, UmweltenError, OSError) as error:
            self._said = str(error)
        self._calls = found

    def _draw(self) -> None:
        if not self.is_current:
            return
        head = f"{one_line(self._seen.run.id, 60)}: {formatting.count(len(self._calls), 'failed call')}"
        set_text(self.query_one("#head", Static), Text(f"{head} {self._said}", "bold", no_wrap=True))
        set_text(self.query_one("#said", Static), said_text(self.app.said))
        self.query_one("#rows", RowList).show(self._rows())

    def _rows(self) -> list[Row]:
        kinds: dict[str, list[Call]] = {}
        for call in self._calls:
            kinds.setdefault(str(call["error_kind"]), []).append(call)
        return [
            Row(
                kind,
                (
                    one_line(kind, _WIDTH),
                    f"{len(calls):,}",
                    _models([call["model"] for call in calls]),
                    one_line(calls[0]["error_message"] or "", _WIDTH),
                ),
            )
            for kind, calls in sorted(kinds.items(), key=lambda item: -len(item[1]))
        ]

    def action_retry(self) -> None:
        """Make the failed calls of the kind again."""
        kind = self.query_one("#rows", RowList).key
        if kind is not None and self._seen.goes_on:
            self._of.ask(self._seen, actions.retry(kind))

    def on_row_list_chosen(self, event: RowList.Chosen) -> None:
        """Show the calls of a kind."""
        calls = [call for call in self._calls if str(call["error_kind"]) == event.key]
        self.app.push_screen(FailedCalls(self._seen.run, event.key, calls))


class FailedCalls(Screen[None]):
    """The failed calls of a kind; enter shows one whole."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape,left", "app.pop_screen", show=False)]
    TITLES: ClassVar[Sequence[str]] = ("CALL", "MODEL", "FILE", "MESSAGE")

    def __init__(self, run: Run, kind: str, calls: Sequence[Call]) -> None:
        super().__init__()
        self._run, self._kind, self._calls = run, kind, calls

    def compose(self) -> ComposeResult:
        """Return its parts."""
        head = f"{one_line(self._kind, 40)}: {formatting.count(len(self._calls), 'failed call')}"
        yield Static(Text(head, "bold", no_wrap=True), id="head")
        yield RowList(self.TITLES, id="rows")
        yield Static(Text("enter attempts and answer  escape back  q leave", no_wrap=True), id="keys")

    def on_mount(self) -> None:
        """Show them."""
        self.query_one("#rows", RowList).show(
            [
                Row(
                    str(call["call"]),
                    (
                        str(call["call"]),
                        *(one_line(call[name] or "", _WIDTH) for name in ("model", "file", "error_message")),
                    ),
                )
                for call in self._calls
            ]
        )

    def on_row_list_chosen(self, event: RowList.Chosen) -> None:
        """Show one."""
        shown = ["reading …"]

        def read() -> None:
            try:
                shown[0] = _whole(one_call(self._run, int(event.key)))
            except (RunError, UmweltenError, OSError) as error:
                shown[0] = str(error)

        threading.Thread(target=read, name="top-call", daemon=True).start()
        text: Callable[[], str] = lambda: shown[0]  # noqa: E731
        self.app.push_screen(TextScreen(f"call {event.key}", text, POLL_S))


def failed(run: Run, after: int) -> list[Call]:
    """Return the next failed calls: of the run, or of what it stored if it has ended."""
    try:
        return run.calls(status="failed", text=1, after=after, limit=_PAGE)
    except RunGone:
        with Reader.open(Path(run.file.folder)) as reader:
            return call_rows(reader, status="failed", after=after, limit=_PAGE, text=True)


def one_call(run: Run, number: int) -> Call | None:
    """Return a call with its attempts and its answer; `None` if there is none."""
    try:
        return run.call(number, text=1)
    except RunGone:
        with Reader.open(Path(run.file.folder)) as reader:
            return call_row(reader, number, text=True)


def _whole(call: Call | None) -> str:
    if call is None:
        return "it is not stored"
    lines = [f"{call['model']}  {call['file'] or ''}", f"{call['status']} {call['error_kind'] or ''}"]
    lines += [call["error_message"]] if call.get("error_message") else []
    for attempt in call["attempts_made"]:
        facts = (
            f"{attempt['outcome']} {attempt['http_status'] or ''} {formatting.seconds(attempt['response_s'])}"
        )
        lines.append(f"\nattempt {attempt['number']}: {facts}")
        lines += [attempt["message"]] if attempt.get("message") else []
    if call.get("answer"):
        lines += ["", "answer:", call["answer"]]
    return safe("\n".join(lines))


def _models(names: Iterable[str]) -> str:
    """Return the model's name, or how many there are: cut, several look like one."""
    different = list(dict.fromkeys(names))
    return one_line(different[0], _WIDTH) if len(different) == 1 else f"{len(different)} models"
