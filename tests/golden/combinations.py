"""The combinations whose identity and requests are written down in `golden.jsonl`, a line each.

Most are drawn: a family, such as `anthropic/rows`, deals its options like cards, so that each is used before
any comes again. The order of the cards follows from names alone; no run of this differs from another. What
is worth a look of its own stands in `SPECIAL`.

    python -m golden.combinations            # compare with the file, with tests/ in PYTHONPATH
    python -m golden.combinations --write    # the same, then add the lines that are not there yet

A line that is there is never changed nor taken away: then nothing is written at all, because whoever has
such an evaluation would pay for it again. New combinations are added at the end of `SPECIAL`, or as a new
family in `FAMILIES`: another option in a deck, or another `count`, would deal differently.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, Literal

from golden.recording import Refusal
from umwelten.choices import RowRule

Answer = str | Refusal
Options = Mapping[str, Mapping[str, Any]]
"""Arguments of the library by the word that says so in a combination's name."""


@dataclass(frozen=True)
class Step:
    """One evaluation. `arguments` are those of `umwelten.run` or `batch`; of a `command`, its words.

    `earlier`: it is about the answers of the step before. `answer` is what the models say to everything;
    several are said in turn, the last one from then on. `row_rule`: it is begun as by a version with this
    rule for rows; see `umwelten.choices.RowRule`.
    """

    kind: Literal["run", "batch", "command"]
    arguments: Mapping[str, Any]
    answer: Answer | tuple[Answer, ...] = "An answer."
    earlier: bool = False
    row_rule: RowRule = 1


@dataclass(frozen=True)
class Combination:
    """One evaluation, or a chain of them. `refused`: some of its calls fail before they are sent."""

    name: str
    steps: tuple[Step, ...]
    refused: bool = False

    @property
    def group(self) -> str:
        """What a test runs at once."""
        return self.name.partition("/")[0]


# --- what is dealt -------------------------------------------------------------------------------

MODELS = {
    "openai": "openai:gpt-4o-mini",
    "google": "google:gemini-2.5-flash",
    "anthropic": "anthropic:claude-sonnet-4-5",
    "ollama": "ollama:gemma3:12b",
}
RELATIVES = {
    "openrouter": "meta-llama/llama-4-scout",
    "lmstudio": "lmstudio:qwen2.5-vl-7b",
    "groq": "groq:llama-3.3-70b-versatile",
}
VENDORS = {
    "mistral": "mistral:mistral-small-latest",
    "deepseek": "deepseek:deepseek-chat",
    "xai": "xai:grok-4",
    "cerebras": "cerebras:llama3.1-8b",
    "fireworks": "fireworks:accounts/fireworks/models/qwen3-8b",
    "together": "together:Qwen/Qwen3-8B",
    "minimax": "minimax:MiniMax-M2",
    "github-models": "github-models:openai/gpt-4.1",
    "vllm": "vllm:Qwen/Qwen3-8B",
    "deepinfra": "deepinfra:Qwen/Qwen3-8B",
    "nvidia": "nvidia:meta/llama-3.1-8b-instruct",
}

_SEVERAL = {"two": {"prompts": {"short": "Sum it up.", "long-one": "Say all – über alles."}}}
PROMPTS: dict[str, Options] = {
    "run": {
        "plain": {"prompt": "Name a river."},
        "unicode": {"prompt": "Nenne einen Fluß 🌊 — 川?\n"},
        "braces": {"prompt": 'Say {x}, {{ 1 + 1 }}, \\{{content}} and {"a": {"b": 1}}.'},
        "file": {"prompt": Path("prompts/one.txt")},
        **_SEVERAL,
        "txt": {"prompts": "prompts/several.txt"},
    },
    "files": {
        "plain": {"prompt": "Sum this up."},
        "content": {"prompt": "Count the words of <<{{content}}>>, please."},
        "name": {"prompt": "Is {{file.name}} at {{ file.path }} a good name? ✓"},
        **_SEVERAL,
        "toml": {"prompts": "prompts/several.toml"},
        "unicode": {"prompt": "Fasse «das» zusammen:\t…"},
    },
    "rows": {
        "row": {"prompt": "Greet {{row.name}} from {{row.city}}: {{row.note}}."},
        "plain": {"prompt": "Sum this up."},
        "toml": {"prompts": "prompts/rows.toml"},
        "content": {"prompt": "{{file.name}} of {{file.path}} is {{content}}"},
    },
    "jsonl": {
        "row": {"prompt": "Who wrote {{row.title}} ({{row.year}}, {{row.tags}}, {{row.of}})?"},
        "plain": {"prompt": "Nenne ein ähnliches Buch."},
        **_SEVERAL,
    },
    "answers": {
        "answer": {"prompt": "Is this polite? {{answer}}"},
        "plain": {"prompt": "Is this polite?"},
        "content": {"prompt": "{{content}} was said about {{file.name}} ({{file.path}})."},
        "toml": {"prompts": "prompts/answers.toml"},
    },
}
ABOUT: Options = {
    "run": {},
    "texts": {"directory": "texts"},
    "mixed": {"directory": "mixed"},
    "pdf": {"directory": "papers", "pdf": "native"},
    "pdf-text": {"directory": "papers", "pdf": "text"},
    "rows": {"rows": "tables/people.csv"},
    "jsonl": {"rows": "tables/books.jsonl", "row_name": "title"},
    "answers": {},
}
_PROMPTS_OF = {
    "run": "run",
    "rows": "rows",
    "jsonl": "jsonl",
    "answers": "answers",
    **dict.fromkeys(("texts", "mixed", "pdf", "pdf-text"), "files"),
}

_BOOK, _WORDY = '{"title":"T","year":1912}', 'Here: {"title":"T","year":"1912","mood":"Glad"}'
_PAPER = '{"title":"T","year":1912,"place":{"zip":"1"}}'
_RICH = '{"sender":"A","score":7,"mood":"glad","tags":["a"],"of":{"street":"S","zip":null}}'
SCHEMAS: Options = {
    "words": {},
    "words too": {},
    "fields": {"schema": "title, year? int", "answer": _BOOK},
    "words again": {},
    "json": {"schema": "schemas/paper.json", "answer": _PAPER},
    "coerced": {"schema": "title, year int", "coerce": True, "answer": '{"title":"T","year":"1912"}'},
    "rich": {
        "schema": 'sender "as signed", score int: 1-10, mood: glad|sad,\n'
        "tags array, of object: {street, zip?}",
        "answer": _RICH,
    },
    "words once more": {},
    "json coerced": {"schema": Path("schemas/loose.json"), "coerce": True, "answer": '{"title":"T","n":[]}'},
    "file": {"schema": Path("schemas/fields.txt"), "coerce": True, "answer": _WORDY},
}
ATTACHED: Options = {
    "bare": {},
    "bare too": {},
    "rules": {"attach": "attached/rules.txt"},
    "dot": {"attach": [Path("attached/dot.png")]},
    "bare again": {},
    "both": {"attach": ["attached/dot.png", "attached/rules.txt"]},
}
PARAMETERS: Options = {
    "default": {},
    "t0": {"temperature": 0},
    "short": {"max_tokens": 64},
    "t0.0 seed": {"temperature": 0.0, "seed": 7},
    "top_p": {"top_p": 0.5},
    "default too": {},
    "own": {"params": {"top_k": 40, "stop": ["\n\n", "–"]}},
    "all": {
        "temperature": 1.25,
        "max_tokens": 9,
        "top_p": 1,
        "seed": 0,
        "params": {"z": {"b": None, "a": 1.0}},
    },
}
SYSTEM: Options = {
    "alone": {},
    "system": {"system": "Be brief – always."},
    "alone too": {},
    "system file": {"system": Path("prompts/system.txt")},
    "alone again": {},
}
STREAM: Options = {"usual": {}, "stream": {"stream": True}, "whole": {"stream": False}}
REPEAT: Options = {"once": {}, "once too": {}, "twice": {"repeat": 2}, "once again": {}}
_SAID_BY_ABSENCE = ("words", "bare", "default", "alone", "usual", "once")
"""Cards that add nothing, also when there are more of them; a name leaves them out."""


@dataclass(frozen=True)
class Family:
    """So many combinations of one model with one kind of input."""

    name: str
    model: str
    about: str
    count: int

    def combinations(self) -> Iterator[Combination]:
        """Deal them."""
        decks = {
            "prompt": PROMPTS[_PROMPTS_OF[self.about]],
            "schema": SCHEMAS,
            "attach": ATTACHED,
            "parameters": PARAMETERS,
            "system": SYSTEM,
            "stream": STREAM,
            "repeat": REPEAT,
        }
        dealt = {axis: self._dealt(axis, list(options)) for axis, options in decks.items()}
        for number in range(self.count):
            cards = {axis: hand[number] for axis, hand in dealt.items()}
            arguments: dict[str, Any] = {"models": self.model, **ABOUT[self.about]}
            for axis, card in cards.items():
                arguments |= decks[axis][card]
            words = [card for card in cards.values() if not card.startswith(_SAID_BY_ABSENCE)]
            yield Combination(f"{self.name}/{number + 1:02d} {', '.join(words)}", self._steps(arguments))

    def _steps(self, arguments: dict[str, Any]) -> tuple[Step, ...]:
        answer = arguments.pop("answer", "An answer.")
        if self.about == "run":
            return (Step("run", arguments, answer),)
        if self.about != "answers":
            return (Step("batch", arguments, answer),)
        first = {"prompt": "Reply.", "models": self.model, "directory": "texts", "max_files": 1}
        return (
            Step("batch", first, "Gern, “bald”.\n</content>"),
            Step("batch", arguments, answer, earlier=True),
        )

    def _dealt(self, axis: str, cards: Sequence[str]) -> list[str]:
        """As many cards as are needed, the deck shuffled anew each time that it is used up."""
        hand: list[str] = []
        while len(hand) < self.count:
            seed = f"{self.name} {axis} {len(hand)} "
            hand += sorted(cards, key=lambda card: blake2b((seed + card).encode()).digest())
        return hand


FAMILIES = [
    *(
        Family(f"{name}/{about}", model, about, count)
        for name, model in MODELS.items()
        for about, count in (
            ("run", 10),
            ("texts", 5),
            ("mixed", 2),
            *([("pdf", 3)] if name in ("google", "anthropic") else []),
            ("pdf-text", 3),
            ("rows", 6),
            ("jsonl", 4),
            ("answers", 5),
        )
    ),
    *(
        Family(f"relatives/{name} {about}", model, about, count)
        for name, model in RELATIVES.items()
        for about, count in (
            ("run", 4),
            ("texts", 1),
            *([("pdf", 1)] if name == "openrouter" else []),
            ("pdf-text", 1),
            ("rows", 1),
            ("answers", 1),
        )
    ),
]


# --- what is not -------------------------------------------------------------------------------


def _run(
    name: str,
    prompt: str,
    models: str,
    answer: Answer | tuple[Answer, ...] = "An answer.",
    **arguments: Any,
) -> Combination:
    return Combination(name, (Step("run", {"prompt": prompt, "models": models, **arguments}, answer),))


def _batch(
    name: str, prompt: str | None, models: str, answer: str = "An answer.", **arguments: Any
) -> Combination:
    refused = bool(arguments.pop("refused", False))
    step = Step("batch", {"prompt": prompt, "models": models, **arguments}, answer)
    return Combination(name, (step,), refused)


def _rows(name: str, prompt: str | None, table: str, **arguments: Any) -> Combination:
    given = {"prompt": prompt, "models": "openai:a", "rows": table, **arguments}
    return Combination(f"rows/{name}", (Step("batch", given, row_rule=2),))


def _command(name: str, line: str, answer: str = "An answer.") -> Combination:
    return Combination(f"commands/{name}", (Step("command", {"words": shlex.split(line)}, answer),))


_ALL = ",".join(MODELS.values())
_SHAPE: dict[str, Any] = {"schema": "title, year? int", "answer": _BOOK}
_UNKNOWN = {"google": "Invalid JSON payload received. Unknown name \"{}\" at 'generation_config'."}
_THINKING = {"thinking": {"type": "enabled", "budget_tokens": 1024}}

SPECIAL = [
    # What vendors call differently, or take differently.
    *(
        _run(f"vendors/{name} settings", "Hi.", model, seed=3, max_tokens=9)
        for name, model in VENDORS.items()
    ),
    *(
        _run(f"vendors/{name} record", "Hi.", model, stream=False, **_SHAPE)
        for name, model in VENDORS.items()
    ),
    *(
        _run(f"vendors/own provider, wire {wire}", "Hi.", f"own-{wire}:some/model:1", system="Be brief.")
        for wire in ("openai", "gemini", "anthropic", "ollama")
    ),
    _run("vendors/openai reasoning", "Hi.", "openai:o3", params={"reasoning_effort": "low"}, max_tokens=9),
    _run(
        "vendors/openrouter routing", "Hi.", "openai/gpt-4o", params={"provider": {"sort": "price"}}, **_SHAPE
    ),
    _run("vendors/google thinks", "Hi.", MODELS["google"], params={"thinkingConfig": {"thinkingBudget": 0}}),
    _run(
        "vendors/google beside the config",
        "Hi.",
        MODELS["google"],
        params={"safetySettings": [], "topK": 3, "cachedContent": "c/1"},
    ),
    _run("vendors/google tuned", "Hi.", "google:tunedModels/ours v1", temperature=2),
    _run("vendors/google gemma", "Hi.", "google:gemma-3-27b-it", attach="attached/dot.png"),
    _run("vendors/anthropic thinks", "Hi.", MODELS["anthropic"], params=_THINKING, max_tokens=2048),
    _run("vendors/anthropic thinks, record", "Hi.", MODELS["anthropic"], params=_THINKING, **_SHAPE),
    _run(
        "vendors/ollama beside the options", "Hi.", MODELS["ollama"], params={"think": False, "num_ctx": 8192}
    ),
    _run("vendors/ollama keeps", "Hi.", MODELS["ollama"], params={"keep_alive": "5m"}, temperature=0),
    # Several models at once.
    _run("several/four wires", "Name a river.", _ALL, temperature=0),
    _run("several/four wires, record", "Name a river.", _ALL, system="Be brief.", **_SHAPE),
    _run("several/one twice", "Name a river.", "openai:a,openai:b,openai:a", repeat=2),
    _run("several/four wires, picture", "What is it?", _ALL, attach="attached/dot.png", stream=False),
    _batch(
        "several/models, prompts and repeats",
        None,
        "openai:a,ollama:b",
        prompts="prompts/several.toml",
        files="texts/ebb.txt",
        repeat=2,
    ),
    _batch("several/four wires, text", "Sum this up.", _ALL, directory="texts", max_files=1),
    _batch("several/four wires, rows", "Greet {{row.name}}.", _ALL, rows="tables/people.csv", max_files=1),
    # Files by name, and by what is in them.
    _batch("files/by pattern", "Sum this up.", "openai:a", directory="texts", file_pattern="*.{md,rst}"),
    _batch("files/below", "At {{file.path}}:", "openai:a", directory="deep", recursive=True),
    _batch(
        "files/below by pattern",
        "Sum up.",
        "openai:a",
        directory="deep",
        recursive=True,
        file_pattern="sub/**",
    ),
    _batch("files/hidden", "Sum up.", "openai:a", directory="deep", file_pattern=".*"),
    _batch("files/the first", "Sum up.", "openai:a", directory="deep", recursive=True, max_files=2),
    _batch(
        "files/globs", "{{file.name}}, {{file.path}}", "openai:a", files=["deep/*.txt", Path("texts/ebb.txt")]
    ),
    _batch("files/a list", "Sum up.", "google:g", files="texts/ebb.txt,deep/sub/c.md"),
    _batch("files/odd", "Sum this up.", "openai:a", directory="odd"),
    _batch("files/odd, as content", "{{content}}|{{file.name}}", "anthropic:a", directory="odd"),
    _batch("files/odd, with a record", "Sum up.", "google:g", directory="odd", max_files=3, **_SHAPE),
    _batch("files/json", "Sum up.", "ollama:o", files="mixed/record.json", **_SHAPE),
    _batch("files/media", "What is it?", "openrouter:google/gemini-2.5-pro", directory="media"),
    _batch("files/sound", "Write it down.", "google:g", files="media/beep.wav"),
    _batch("files/sound that is refused", "Write it down.", "anthropic:a", directory="media", refused=True),
    _batch("files/picture, named", "{{content}} is {{file.name}}", "openai:gpt-4o", files="media/dot.gif"),
    _batch("files/picture for the blind", "What is it?", "ollama:llama3.2", directory="mixed", refused=True),
    _batch(
        "files/pdf whole that is refused", "Sum up.", "groq:g", directory="papers", pdf="native", refused=True
    ),
    _batch("files/pdf, auto", "Sum up {{content}}", "openai:a", directory="papers"),
    _batch("files/pdf, auto and said", "Sum up {{content}}", "google:g", directory="papers", pdf="auto"),
    _batch(
        "files/pdf attached",
        "Sum up.",
        "anthropic:a",
        directory="texts",
        max_files=1,
        attach="attached/page.pdf",
    ),
    _batch(
        "files/pdf attached as text",
        "Sum up.",
        "openai:a",
        directory="texts",
        max_files=1,
        pdf="text",
        attach="attached/page.pdf",
    ),
    _batch(
        "files/attached twice",
        "Sum up.",
        "google:g",
        files="papers/page.pdf",
        attach=["attached/rules.txt", "attached/rules.txt"],
    ),
    # Tables.
    _batch("tables/semicolons", "{{row.Hafen}}: {{row.Höhe in m}}", "openai:a", rows="tables/ports.csv"),
    _batch("tables/semicolons, named", "Sum up.", "openai:a", rows="tables/ports.csv", row_name="Hafen"),
    _batch("tables/json", "{{row.title}} {{row.n}}", "openai:a", rows="tables/list.json"),
    _batch(
        "tables/names that are the same", "{{row.n}}", "openai:a", rows="tables/twice.tsv", row_name="name"
    ),
    _batch("tables/jsonl whole", "Sum up.", "google:g", rows="tables/books.jsonl", **_SHAPE),
    _batch("tables/the first", "Sum up.", "ollama:o", rows="tables/people.csv", max_files=1),
    # Prompts.
    _batch("prompts/json", None, "openai:a", prompts="prompts/several.json", files="texts/ebb.txt"),
    _batch("prompts/jsonl", None, "google:g", prompts="prompts/several.jsonl", files="texts/ebb.txt"),
    _batch("prompts/csv", None, "ollama:o", prompts="prompts/several.csv", files="texts/ebb.txt"),
    _batch(
        "prompts/toml, record",
        None,
        "anthropic:a",
        prompts=Path("prompts/several.toml"),
        files="texts/ebb.txt",
        **_SHAPE,
    ),
    _batch("prompts/one by name", None, "openai:a", prompts={"only": "Sum up."}, files="texts/ebb.txt"),
    _batch("prompts/the same words", "Sum up.", "openai:a", files="texts/ebb.txt"),
    _batch("prompts/blank system", "Sum up.", "openai:a", files="texts/ebb.txt", system=" "),
    _batch("prompts/empty system", "Sum up.", "openai:a", files="texts/ebb.txt", system=""),
    _run("prompts/at", "@prompts/one.txt", "openai:a"),
    _run("prompts/line ends", "one\r\ntwo\tthree\u00a0four\x00", "openai:a"),
    # Settings that look alike.
    _run("settings/t1", "Hi.", "openai:a", temperature=1),
    _run("settings/t1.0", "Hi.", "openai:a", temperature=1.0),
    _run("settings/no parameters", "Hi.", "openai:a", params={}),
    _run("settings/parameters in order", "Hi.", "openai:a", params={"a": 1, "b": 2}),
    _run("settings/parameters the other way", "Hi.", "openai:a", params={"b": 2, "a": 1}),
    _run("settings/a parameter of ours", "Hi.", "openai:a", params={"temperature": 0.5}, temperature=1),
    _run(
        "settings/what a parameter takes",
        "Hi.",
        "openai:a",
        params={"n": None, "t": True, "f": 1e-7, "i": 2**53, "s": "ß\u0000", "l": [[], {}]},
    ),
    _run(
        "settings/a dict as schema",
        "Hi.",
        "openai:a",
        _BOOK,
        schema={
            "title": "Own",
            "type": "object",
            "properties": {"year": {"type": "integer"}, "title": {"type": "string"}},
            "required": ["title"],
        },
    ),
    _run("settings/a schema in another order", "Hi.", "openai:a", _BOOK, schema="year? int, title"),
    _run(
        "settings/a schema with dates and ranges",
        "Hi.",
        "openai:a",
        '{"when":"2026-11-24","share":0.5,"open":true,"years":[1]}',
        schema="when date, share float: 0-1, open bool, years array: int, more? array: {name, n? int}",
    ),
    # Chains.
    Combination(
        "chains/three steps, only some",
        (
            Step(
                "batch",
                {"prompt": "Read.", "models": "openai:a", "directory": "texts", "schema": "title, year? int"},
                _BOOK,
            ),
            Step(
                "batch",
                {"prompt": "{{answer}}", "models": "google:g", "where": "json.year > 1900 and file ~ ebb"},
                "Ja – so.",
                earlier=True,
            ),
            Step("batch", {"prompt": "Is it so?", "models": "ollama:o", "repeat": 2}, earlier=True),
        ),
    ),
    Combination(
        "chains/two models and repeats",
        (
            Step(
                "batch",
                {"prompt": "Read.", "models": "openai:a,ollama:b/c", "files": "texts/ebb.txt", "repeat": 2},
            ),
            Step("batch", {"prompt": "{{file.name}}: {{answer}}", "models": "openai:a"}, earlier=True),
        ),
    ),
    Combination(
        "chains/from a run",
        (
            Step("run", {"prompt": "Name a river.", "models": "openai:a,google:g"}, "Elbe"),
            Step(
                "batch",
                {"prompt": "Is {{answer}} long? ({{file.name}})", "models": "anthropic:a"},
                earlier=True,
            ),
        ),
    ),
    Combination(
        "chains/rows, prompts",
        (
            Step(
                "batch", {"prompts": "prompts/rows.toml", "models": "openai:a", "rows": "tables/people.csv"}
            ),
            Step(
                "batch",
                {"prompt": "Polite?", "models": "openai:a", "schema": "polite bool", "max_files": 3},
                '{"polite":true}',
                earlier=True,
            ),
        ),
    ),
    # What is sent when the answer was not what was asked for, or a field was refused.
    *(
        _run(
            f"again/{name} record",
            "Hi.",
            model,
            ('{"title":"T","year":"long ago"}', '{"year":1}', _BOOK),
            schema="title, year int",
            stream=False,
        )
        for name, model in MODELS.items()
    ),
    *(
        _run(
            f"again/{name} without {field}",
            "Hi.",
            model,
            (Refusal(400, _UNKNOWN.get(name, "Unsupported parameter: '{}'").format(field)), _BOOK),
            schema="title, year? int",
            temperature=0,
            seed=7,
            params={"top_k": 3},
            repeat=2,
        )
        for name, model in MODELS.items()
        for field in ("temperature", "response_format")
    ),
    # The command line: what it reads differs from what Python gives.
    _command("run", "run -p 'Name a river.' -m openai:a,ollama:b -t 0 --seed 7"),
    _command(
        "run, all flags",
        "run -p @prompts/one.txt -s @prompts/system.txt -m google:gemini-2.5-flash --max-tokens 9"
        """ --top-p 1 --param topK=40 --param stop='["a"]' --param x=y --attach attached/*.txt"""
        " --no-stream --repeat 2",
    ),
    _command(
        "batch",
        "batch -p 'Sum up {{content}}' -m anthropic:claude-sonnet-4-5"
        " --directory mixed --file-pattern '*.{txt,png}' --schema schemas/paper.json --coerce --stream",
        _PAPER,
    ),
    _command(
        "batch, prompts",
        "batch --prompts prompts/several.txt -m openai:a --files texts/ebb.txt,papers/page.pdf --pdf text"
        " --schema @schemas/fields.txt --coerce",
        _WORDY,
    ),
    _command(
        "rows",
        "batch -p 'Greet {{row.name}}' -m meta-llama/llama-4-scout --rows tables/people.csv --row-name name"
        " -t 0.5 --max-tokens 64",
    ),
    # Rows by what is sent of them, alike in every form of the table.
    *(
        _rows(f"{form}, {what}", prompt, table, **more)
        for form, table in (("csv", "tables/ports.csv"), ("other csv", "tables/ports-2.csv"))
        for what, prompt, more in (
            ("a column", "{{row.Hafen}}!", {}),
            ("two columns", "{{row.Höhe in m}} in {{row.Hafen}}, {{row.Hafen}}", {"row_name": "Hafen"}),
        )
    ),
    *(
        _rows(f"{form}, {what}", prompt, table)
        for form, table in (("json", "tables/list.json"), ("object", "tables/list-2.json"))
        for what, prompt in (
            ("whole", "Sum up."),
            ("content", "{{content}}"),
            ("a column", "{{row.n}}"),
        )
    ),
    _rows("no header", "{{row.column_1}} {{row.a_2}}", "tables/index.csv"),
    _rows("lines", "Answer.", "tables/questions.txt"),
    _rows("lines, placed", "Answer: {{row.line}}", "tables/questions.txt"),
    _rows("prompts", None, "tables/people.csv", prompts="prompts/rows.toml"),
]

COMBINATIONS = [
    *(combination for family in FAMILIES for combination in family.combinations()),
    *SPECIAL,
]

if __name__ == "__main__":
    from golden.replaying import main

    sys.exit(main(sys.argv[1:]))
