"""What was sent, and how: the prompts, the settings, the command, and what was changed while it ran."""

from __future__ import annotations

from typing import Any

import msgspec

from umwelten.report.render.evaluation_part import ReportSection
from umwelten.report.render.markup import details, table, text
from umwelten.report.render.tools_section import settings_of
from umwelten.types import Prompt


def as_html(part: ReportSection) -> str:
    evaluation, settings = part.overview.evaluation, part.overview.settings
    rows = [("repeats", str(settings.repeats))] if settings.repeats > 1 else []
    rows += [(text(name), text(value)) for name, value in settings.parameters]
    rows += [(f"variant {text(one.name)}", text(one.words)) for one in settings.variants or ()]
    rows += [("attachments", text(", ".join(settings.attachments)))] if settings.attachments else []
    rows += [("tools", text(settings_of(settings.tools)))] if settings.tools else []
    rows += [("prices of", text(", ".join(settings.price_lists)))] if settings.price_lists else []
    rows.append(("models", "<br>".join(map(text, evaluation.models))))
    prompts = evaluation.prompts or (Prompt(name="", text=evaluation.prompt),)
    body = "".join(
        f"<h3>{text(f'Prompt {prompt.name}'.rstrip())}</h3><pre>{text(prompt.text)}</pre>\n"
        for prompt in prompts
    )
    if evaluation.system is not None:
        body += f"<h3>System prompt</h3><pre>{text(evaluation.system)}</pre>\n"
    body += "".join(
        f"<h3>System prompt of {text(one.name)}</h3><pre>{text(one.system)}</pre>\n"
        for one in settings.variants or ()
        if one.system
    )
    if part.validation is not None:
        body += f"<h3>Schema</h3><pre>{text(_pretty(part.validation.json))}</pre>\n"
    return details(
        f"What was sent: {part.id}", body + table(("setting", "value"), rows, name="Settings", words=2)
    )


def _pretty(json: dict[str, Any]) -> str:
    return msgspec.json.format(msgspec.json.encode(json)).decode()
