"""The report as one HTML file that asks nobody for anything; see `docs/reports.md`.

Figures are written here, in words of `text.formatting`; the script adds the table of calls, the
comparison and the plots from the data embedded behind them. Foreign text is escaped here and put into
the page as text by the script, except for Markdown, which is cleaned of all that could act.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import TextIO

from umwelten.phrases import Spelling, by_name
from umwelten.providers.protocol import Vendor
from umwelten.providers.vendors import VENDORS
from umwelten.report.queries import overviews
from umwelten.report.queries.call_scores import open_scores
from umwelten.report.render import page, sections
from umwelten.report.render.embedded import TEXT_BUDGET, write_data
from umwelten.report.render.evaluation_part import ReportSection
from umwelten.report.render.markup import text
from umwelten.store.reader import Reader


def render_html(
    readers: Sequence[Reader],
    out: TextIO,
    *,
    short: bool = False,
    vendors: Mapping[str, Vendor] = VENDORS,
    spelling: Spelling = by_name,
    text_budget: int = TEXT_BUDGET,
) -> None:
    """Write the report of one evaluation, or of several on one page.

    Short: without the calls. `vendors`, `spelling`: as for `advice`. `text_budget`: characters of all
    answers.
    """
    with ExitStack() as stack:
        for reader in readers:
            stack.enter_context(overviews.snapshot(reader))
        reports = [
            ReportSection(reader, overviews.overview(reader), stack.enter_context(open_scores(reader)))
            for reader in readers
        ]
        style, script = page.style(), page.script()
        title = " · ".join(part.id for part in reports[:3]) + (" …" if len(reports) > 3 else "")
        policy = page.policy(script=script, style=style)
        out.write(page.HEAD.format(policy=policy, title=text(title), style=style))
        for section in sections.all_of(reports, vendors, spelling, short=short):
            out.write(section)
        write_data(reports, out, vendors, short=short, text_budget=text_budget)
        out.write(f'<script type="text/plain" id="licences">{text(page.licences())}</script>\n')
        out.write(f"<script>{script}</script>\n</body>\n</html>\n")
