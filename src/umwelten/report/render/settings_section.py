"""What was sent, and how: the prompts, the settings, the command, and what was changed while it ran."""

from __future__ import annotations

from typing import Any

import msgspec

from umwelten.phrases import Spelling, by_name
from umwelten.report.models import ReportedPrompt
from umwelten.report.queries.run_conditions import RunConditions, StartOption, run_conditions
from umwelten.report.render.evaluation_part import ReportSection
from umwelten.report.render.markup import details, table, text
from umwelten.report.render.tools_section import settings_of
from umwelten.text import formatting

_SPARE = 2000
"""Characters of a value in the command: a prompt that is longer stands above it anyway."""


def as_html(part: ReportSection, spelling: Spelling, *, opened: bool) -> str:
    """A part that unfolds, or stands open. `spelling`: as for `advice`; a command needs flags."""
    started = run_conditions(part.reader)
    body = table(("setting", "value"), _settings(part, started), name=f"Settings of {part.id}", words=2)
    body += _prompts(part) + _command(started, spelling) + _changes(part)
    if part.validation is not None:
        body += f"<h3>Schema</h3><pre>{text(_pretty(part.validation.json))}</pre>\n"
    return details(part.id, body, opened=opened)


def _settings(part: ReportSection, started: RunConditions) -> list[tuple[str, str]]:
    settings = part.overview.settings
    rows = [("models", "<br>".join(map(text, part.overview.evaluation.models)))]
    if started.place is not None:
        rows.append(("inputs", f"{formatting.count(started.inputs, 'input')} of {text(started.place)}"))
    rows.append(("repeats", str(settings.repeats)))
    rows += [(text(name), text(value)) for name, value in settings.parameters]
    rows += [(f"variant {text(one.name)}", text(one.words)) for one in settings.variants or ()]
    rows += [("attachments", text(", ".join(settings.attachments)))] if settings.attachments else []
    rows += [("tools", text(settings_of(settings.tools)))] if settings.tools else []
    rows += [("prices of", text(", ".join(settings.price_lists)))] if settings.price_lists else []
    limits = {name.removesuffix("_s"): value for name, value in started.limits}
    rows += [(text(name.replace("_", " ")), text(value)) for name, value in limits.items()]
    shown = {name for name, _ in rows} | set(limits) | _ELSEWHERE
    rows += [
        (text(option.name.replace("_", " ")), text(_words(option)))
        for option in started.options
        if option.name not in shown and (option.values or option.withheld)
    ]
    rows += [("runs", str(started.runs))] if started.runs > 1 else []
    rows += [("umwelten", text(started.version))] if started.version else []
    return rows


_ELSEWHERE = frozenset({"prompt", "prompts", "system", "schema", "models", "model", "variants", "repeats"})
"""Options that the page shows in other words."""


def _words(option: StartOption) -> str:
    return "not kept: it may hold a key" if option.withheld else ", ".join(option.values)[:_SPARE]


def _prompts(part: ReportSection) -> str:
    evaluation, settings = part.overview.evaluation, part.overview.settings
    prompts = evaluation.prompts or (ReportedPrompt(name="", text=evaluation.prompt),)
    body = "".join(
        f"<h3>{text(f'Prompt {prompt.name}'.rstrip())}</h3><pre>{text(prompt.text)}</pre>\n"
        for prompt in prompts
    )
    if evaluation.system is not None:
        body += f"<h3>System prompt</h3><pre>{text(evaluation.system)}</pre>\n"
    return body + "".join(
        f"<h3>System prompt of {text(one.name)}</h3><pre>{text(one.system)}</pre>\n"
        for one in settings.variants or ()
        if one.system
    )


def _command(started: RunConditions, spelling: Spelling) -> str:
    """What does it again; nothing where no options were stored, or where they have no flags."""
    given = [option for option in started.options if option.given]
    if started.kind is None or not given or spelling(given[0].name, None) == by_name(given[0].name):
        return ""
    flags = []
    for option in given:
        values = ("…",) if option.withheld or len("".join(option.values)) > _SPARE else option.values
        flags += [spelling(option.name, value) for value in values]
    note = (
        "<p>Where “…” stands, the value was not kept or is long.</p>\n"
        if any("…" in f for f in flags)
        else ""
    )
    line = " ".join(["umwelten eval", started.kind, *flags])
    return f"<h3>To do it again</h3><pre>{text(line)}</pre>\n{note}"


def _changes(part: ReportSection) -> str:
    rows = [
        (text(row.at[:19].replace("T", " ")), text(row.words), text(row.by)) for row in part.overview.changes
    ]
    body = table(("at, UTC", "change", "by"), rows, name=f"Changes to {part.id}", words=3)
    return f"<h3>Changed while it ran</h3>\n{body}" if body else ""


def _pretty(json: dict[str, Any]) -> str:
    return msgspec.json.format(msgspec.json.encode(json)).decode()
