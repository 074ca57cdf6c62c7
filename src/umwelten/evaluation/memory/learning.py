"""Learning as an evaluation: `NAME.learn-…` asks a model which facts inputs hold that are worth keeping.

Everything that an evaluation has goes for it: lanes, retries, resume, costs, `eval show`. Its answers become
facts in `collection`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec

from umwelten.config.option_types import PlainText
from umwelten.config.settings import Settings
from umwelten.errors import StoreError, UsageError
from umwelten.evaluation.build_spec import Stdin, build_spec, value_text
from umwelten.evaluation.scoring.jury import spent_nusd
from umwelten.evaluation.spec import EvaluationSpec
from umwelten.inputs.added_values import AddedValues
from umwelten.inputs.content import Content
from umwelten.inputs.recall import RecalledFacts, words_of
from umwelten.inputs.scopes import Scope, is_of_answers, no_scope
from umwelten.phrases import Phrase, Wording
from umwelten.prompts.template import MEMORY, Template
from umwelten.providers.protocol import Vendor
from umwelten.records import Derived, StoredSpec
from umwelten.store.database import has_database
from umwelten.store.derived import LEARN
from umwelten.store.memory.facts import FACT_TYPES
from umwelten.store.memory.tables import check_name
from umwelten.store.reader import Reader
from umwelten.types import NANO, FrozenStruct

SCOPE = "scope"
_ABOUT = "This is about: {{scope}}\n\n"
# Without the input's name: rows that have moved within their table are not asked about again.
_TEXT = "\n\n<text>\n{{content}}\n</text>"
_PROMPT = "Which facts about {{scope}} in this text are worth remembering?"
_KNOWN_BEFORE = f"Known already, and not to be named again:\n{{{{{MEMORY}}}}}"
_SYSTEM = """\
You find facts in a text that are worth remembering beyond it: preferences, plans, work, health, activities, \
people and relations, and whatever else will still matter later.

- Each fact is one short sentence that is understood without the text. Name what it is about.
- No pronouns.
- quote: the words of the text that say it, copied exactly, as few as will do.
- type: the kind of fact.
- Only what the text says. No guesses, no general knowledge, nothing about the text itself.
- An empty list where the text says nothing worth remembering."""
SCHEMA: dict[str, Any] = {
    "title": "facts",
    "type": "object",
    "properties": {
        "facts": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "quote": {"type": "string", "description": "words of the text, copied exactly"},
                    "text": {"type": "string", "description": "the fact, in a sentence of its own"},
                    "type": {"type": "string", "enum": list(FACT_TYPES)},
                },
                "required": ["quote", "text", "type"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["facts"],
    "additionalProperties": False,
}
_STEM = re.compile(r"[^A-Za-z0-9_-]+")


_NOT_LEARNT_WITH = (
    *("prompts", "attach", "stop", "reuse", "overwrite", "coerce"),
    *("recall", "memory", "scope", "recall_now", "recall_limit"),
    *("tools", "mcp", "max_steps", "tool_choice", "tool_timeout_s", "tool_concurrency", "allow", "deny"),
)
"""Options that are of other runs, whatever the settings files say of them."""


class Learning(FrozenStruct):
    """What is learnt into a store: the evaluation, and the scope of its inputs."""

    store: str
    spec: EvaluationSpec
    scope: str
    merge: str = "add"

    @property
    def id(self) -> str:
        """The evaluation's id."""
        assert self.spec.output.id is not None
        return self.spec.output.id

    @property
    def folder(self) -> Path:
        """The evaluation's folder."""
        return self.spec.output.output_dir / self.id


def build_learning(
    store: str,
    settings: Settings,
    vendors: Mapping[str, Vendor],
    notes: list[Wording],
    *,
    prompt: PlainText | Path | str | None = None,
    merge: str = "add",
    stdin: Stdin | None = None,
) -> Learning:
    """Return what the options ask for. Raises a `UmweltenError` for what the user must fix.

    `prompt` says what is worth remembering, in words or as a file, `@FILE` or `-`; `None`: whatever will
    still matter later. `merge` is "add" or "update".
    """
    if settings.get("scope") is None:
        raise no_scope()
    scope, given = Scope(settings.get("scope")), value_text(prompt, "prompt", stdin)
    what, name = _source(settings)
    question = _PROMPT if given is None else given
    id = _id(store, name, [what, scope.template, given])
    return _build(store, settings, vendors, notes, id, scope, question, merge, fixed=given is None)


def learning_after(
    store: str,
    spec: EvaluationSpec,
    folder: Path,
    settings: Settings,
    vendors: Mapping[str, Vendor],
    notes: list[Wording],
) -> Learning:
    """Return what is learnt from the questions and answers of an evaluation that ended, by its first model.

    Its scope is that of what it recalled. Raises a `UmweltenError`, also where the limit of costs is spent.
    """
    assert spec.recall is not None
    left = settings.get("max_cost")
    if left is not None:
        left -= spent_nusd(folder) / NANO
        if left <= 0:
            raise UsageError(Phrase("{option:max_cost} is spent"), argument="max_cost")
    scope, asked = Scope(spec.recall.scope), "{{prompt}}" if spec.inputs is None else "{{input}}"
    id = _id(store, folder.name, ["after", folder.name, scope.template])
    gone = (
        *("directory", "files", "rows", "row_name", "where", "file_pattern", "max_files"),
        # How answers are to be is not how facts are.
        *("temperature", "max_tokens", "top_p", "scorers", "scorer"),
    )
    values: dict[str, Any] = {**dict.fromkeys(gone), "recursive": False, "from_": folder.name}
    values["max_cost"] = left
    values["report"], values["models"] = (), str(spec.models[0].plain)
    # An answer repeats what was recalled for it; learnt from, that would come back in other words, ever more.
    question = f"{_PROMPT}\n\n{_KNOWN_BEFORE}\n\n<text>\n{asked}\n\n{{{{answer}}}}\n</text>"
    facts = RecalledFacts(spec.output.output_dir, spec.recall)
    return _build(
        store, _with(settings, values), vendors, notes, id, scope, question, "add", fixed=True, facts=facts
    )


def check_ahead(spec: EvaluationSpec) -> None:
    """Raise `UsageError` where an evaluation's scope could not be told of its answers."""
    if spec.recall is not None and is_of_answers(Scope(spec.recall.scope).names):
        raise UsageError(
            Phrase("the scope {scope} is of the earlier answers, not of these", scope=spec.recall.scope),
            Phrase("Use {option:recall}, and learn from the answers with umwelten memory learn."),
            argument="scope",
        )


def _build(
    store: str,
    settings: Settings,
    vendors: Mapping[str, Vendor],
    notes: list[Wording],
    id: str,
    scope: Scope,
    question: str,
    merge: str,
    *,
    fixed: bool,
    facts: RecalledFacts | None = None,
) -> Learning:
    """`fixed`: the question is ours, so that an evaluation that is there goes on with its own.

    `facts`: what was recalled for what is learnt from.
    """
    check_name(store)
    template = Template(question)
    if SCOPE not in template.names:
        question = _ABOUT + question
    if not template.places_input:
        question += _TEXT
    stored = _stored(settings.get("output_dir") / id)
    if stored is not None and fixed:
        # What an earlier version asked is gone on with: its answers are paid for.
        question = stored.request.prompt
    values = {
        "prompt": PlainText(question),
        "system": PlainText(_SYSTEM if stored is None else stored.request.system or ""),
        "schema": SCHEMA if stored is None or stored.request.schema is None else stored.request.schema.json,
        "id": id,
        "resume": True,
        "repeat": 1,
        "stream": False,
    }
    spec = build_spec("batch", _with(settings, values), vendors, notes, scope=scope)
    if len(spec.models) > 1:
        raise UsageError(
            f"facts are learnt by one model, and {len(spec.models)} are named",
            Phrase("Name one with {option:models}; to compare models, use eval batch with a schema."),
            argument="models",
        )
    assert spec.inputs is not None
    scope.check(spec.inputs.columns, answers=spec.inputs.source == "answers")
    # Nothing else is put into it: what would be expected is no matter here.
    names, of = ((SCOPE,), _Scopes(scope)) if facts is None else ((SCOPE, MEMORY), _Scopes(scope, facts))
    added = AddedValues(names=names, of=of, chained=scope.chained, apart=True)
    spec = msgspec.structs.replace(
        spec,
        inputs=msgspec.structs.replace(spec.inputs, added=added),
        single=True,
        derived=Derived(role=LEARN, of=store, scorer="", definition={"scope": scope.template}),
    )
    return Learning(store=store, spec=spec, scope=scope.template, merge=merge)


class _Scopes(msgspec.Struct, frozen=True):
    """Gives the value of `{{scope}}`, and of `{{memory}}` where something was recalled."""

    scope: Scope
    facts: RecalledFacts | None = None

    def __call__(self, content: Content) -> Mapping[str, str]:
        scope = self.scope.of(content)
        if self.facts is None:
            return {SCOPE: scope}
        # By the words that it was recalled by: the answer's own would find other facts.
        asked = content.question
        assert asked is not None
        about = asked.prompt if asked.content is None else words_of(asked.content)
        return {SCOPE: scope, MEMORY: self.facts.text(scope, about)}


def _with(settings: Settings, values: Mapping[str, Any]) -> Settings:
    """Return the settings with these values; what else asks for memory, prompts or records does not count."""
    gone = dict.fromkeys(_NOT_LEARNT_WITH)
    changed = {
        name: msgspec.structs.replace(settings.values[name], value=value, place=None)
        for name, value in {**gone, **values}.items()
    }
    given = settings.given - changed.keys()
    return msgspec.structs.replace(settings, values={**settings.values, **changed}, given=given)


def _id(store: str, name: str, what: list[Any]) -> str:
    """Return the id: the same source, scope and question are the same evaluation, which goes on."""
    digest = blake2b(msgspec.json.encode(what), digest_size=3).hexdigest()
    stem = _STEM.sub("-", name).strip("-")[:40] or "inputs"
    return f"{store}.learn-{stem}-{digest}"


def _source(settings: Settings) -> tuple[list[str], str]:
    """Return what tells the source of the inputs from any other, and a word for it."""
    rows, from_ = settings.get("rows"), settings.get("from_")
    if rows is not None:
        return ["rows", str(Path(rows).absolute())], Path(rows).stem
    if from_ is not None:
        return ["from", str(from_)], str(from_)
    directory = settings.get("directory") or ()
    directories = [directory] if isinstance(directory, Path) else list(directory)
    if directories:
        return ["directory", *(str(Path(each).absolute()) for each in directories)], Path(directories[0]).name
    files = [str(each) for each in settings.get("files") or ()]
    return ["files", str(Path.cwd()), *files], Path(files[0]).stem if files else ""


def _stored(folder: Path) -> StoredSpec | None:
    if not has_database(folder):
        return None
    try:
        with Reader.open(folder) as reader:
            return reader.spec()
    except StoreError:
        return None  # what is wrong with it is told when it is opened for good
