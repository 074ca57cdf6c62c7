"""`umwelten memory` and `--recall` from outside: what is learnt, recalled, and refused."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import umwelten
from conftest import Cli
from memory.kit import MODEL, answers, profile, says, table
from provider import Provider, provider
from umwelten.cli.memory.facts import import_facts
from umwelten.errors import InputError, UsageError
from umwelten.inputs.recall import RecalledFacts
from umwelten.records import Recall
from umwelten.simulate.faultserver.profile import Behaviour, Rule
from umwelten.store.memory.facts import Fact, NewFact
from umwelten.store.memory.reader import MemoryReader, Ranking
from umwelten.store.memory.store import MemoryStore
from umwelten.store.memory.tables import store_names

CHATS = [
    ("alice", "Hi, I am Alice. I love green tea."),
    ("bob", "My name is Bob and I work as a baker in Lyon."),
    ("alice", "Next week I fly to Oslo. I love green tea!"),
]
FOUND = (
    says(
        ("I love green  tea", "Alice loves green tea."),
        ("I hate tea", "Alice hates tea."),
        prompt="I am Alice",
    ),
    says(("I work as a baker", "Bob is a baker in Lyon.", "professional"), prompt="baker"),
    says(
        ("I fly to Oslo", "Alice flies to Oslo.", "plan"),
        ("I love green tea", "alice loves  green tea!"),
        prompt="Oslo",
    ),
)


@pytest.fixture
def server() -> Any:
    with provider(profile(*FOUND)) as server:
        yield server


def learn(cli: Cli, server: Provider, *more: str, code: int = 0) -> str:
    done = cli(
        "memory",
        "learn",
        "people",
        "--rows",
        "chats.csv",
        "--scope",
        "{{row.user}}",
        "-m",
        MODEL,
        *more,
        env=server.env(),
    )
    assert done.code == code, done.err
    return done.out + done.err


def facts(folder: Path, scope: str | None = None) -> list[Fact]:
    with MemoryReader.open(folder / "output", "people") as reader:
        return list(reader.facts(scope))


def texts(folder: Path) -> list[tuple[str, str]]:
    return [(fact.scope, fact.text) for fact in facts(folder)]


def test_facts_are_learnt_once_with_their_sources_and_only_if_they_are_quoted(
    cli: Cli, server: Provider, tmp_path: Path
) -> None:
    table(tmp_path / "chats.csv", CHATS)
    said = learn(cli, server)
    assert "people: 3 new facts from 3 inputs, 1 known already" in said
    assert "left out: 1 fact whose quote is not in the text" in said
    assert texts(tmp_path) == [
        ("alice", "Alice flies to Oslo."),
        ("alice", "Alice loves green tea."),
        ("bob", "Bob is a baker in Lyon."),
    ]
    assert '"status":"complete"' in learn(cli, server, "--json")
    shown = cli("memory", "list", "people", "--scope", "alice", "--type", "other", "--json").out
    tea = json.loads(shown)
    assert (tea["source_name"], tea["quote"], tea["inputs"]) == ("row-1", "I love green  tea", 2)
    assert tea["source_eval"].startswith("people.learn-chats-")
    assert tea["source_call"].startswith("u1:")
    asked = server.idle().requests
    assert "0 new facts from 0 inputs" in learn(cli, server)
    assert server.idle().requests == asked
    assert len(facts(tmp_path)) == 3
    store = tmp_path / "output" / ".memory" / "people.db"
    assert store.stat().st_mode & 0o077 == 0


def test_rows_that_move_change_nothing_and_a_changed_one_ends_what_it_alone_said(
    cli: Cli, server: Provider, tmp_path: Path
) -> None:
    table(tmp_path / "chats.csv", CHATS)
    learn(cli, server)
    before = texts(tmp_path)
    table(tmp_path / "chats.csv", [("bob", "Hello"), *CHATS])
    server.use(profile(says(prompt="Hello"), *FOUND))
    asked = server.idle().requests
    assert "0 new facts" in learn(cli, server)
    assert server.idle().requests == asked + 1
    assert texts(tmp_path) == before
    server.use(profile(says(("I live in Rome", "Lives in Rome."), prompt="Rome"), *FOUND))
    now = [("bob", "Hello"), ("alice", "I am Alice: I live in Rome"), ("bob", "I live in Rome"), CHATS[2]]
    table(tmp_path / "chats.csv", now)
    assert "1 ended" in learn(cli, server)
    assert texts(tmp_path) == [
        ("alice", "Lives in Rome."),
        ("alice", "Alice flies to Oslo."),
        ("alice", "Alice loves green tea."),  # row 3 says so still
        ("bob", "Lives in Rome."),
    ]
    history = cli("memory", "history", "people", "2")
    assert "ended" in history.out
    assert "its text changed, by 5" in history.out


def test_a_failed_extraction_is_a_failed_call_and_an_input_without_a_scope_fails_by_name(
    cli: Cli, server: Provider, tmp_path: Path
) -> None:
    table(tmp_path / "chats.csv", [*CHATS, ("", "I am nobody")])
    said = learn(cli, server, code=1)
    assert "the scope {{row.user}} of row-4 is empty" in " ".join(said.split())
    assert server.idle().requests == 3
    server.use(profile(answers("I found nothing worth keeping.")))
    table(tmp_path / "chats.csv", [("carol", "I am Carol")])
    assert "0 new facts from 0 inputs" in learn(cli, server, "--retries", "0", code=1)


def recall(cli: Cli, server: Provider, *more: str, code: int = 0) -> str:
    done = cli(
        "eval",
        "batch",
        "-i",
        "replies",
        "--rows",
        "new.csv",
        "-m",
        MODEL,
        *(() if "-p" in more else ("-p", "Known: {{memory}} Asked: {{row.text}}")),
        "--scope",
        "{{row.user}}",
        *more,
        env=server.env(),
    )
    assert done.code == code, done.err
    return done.err


def prompts(server: Provider) -> list[str]:
    return [record.prompt for record in server.idle().records]


def test_a_run_recalls_the_store_of_its_start_and_resumes_with_the_same_text(
    cli: Cli, server: Provider, tmp_path: Path
) -> None:
    table(tmp_path / "chats.csv", CHATS[:2])
    table(tmp_path / "new.csv", [("alice", "What?"), ("bob", "Where?"), ("carol", "Who?")])
    learn(cli, server)
    server.reset()
    recall(cli, server, "--recall", "people")
    assert sorted(prompts(server)) == [
        "Known: (nothing yet) Asked: Who?",
        "Known: - Alice loves green tea. Asked: What?",
        "Known: - Bob is a baker in Lyon. Asked: Where?",
    ]
    table(tmp_path / "chats.csv", CHATS)
    learn(cli, server)
    table(
        tmp_path / "new.csv", [("alice", "What?"), ("bob", "Where?"), ("carol", "Who?"), ("alice", "More?")]
    )
    server.reset()
    recall(cli, server, "--recall", "people", "--resume")
    assert prompts(server) == ["Known: - Alice loves green tea. Asked: More?"]
    server.reset()
    recall(cli, server, "--recall", "people", "--resume", "--recall-now")
    now = "Known: - Alice flies to Oslo.\n- Alice loves green tea. Asked: "
    assert sorted(prompts(server)) == [now + "More?", now + "What?"]
    server.reset()
    recall(cli, server, "--recall", "people", "--resume")
    assert prompts(server) == []


def test_a_prompt_without_a_place_gets_what_is_recalled_before_it(
    cli: Cli, server: Provider, tmp_path: Path
) -> None:
    table(tmp_path / "chats.csv", CHATS)
    table(tmp_path / "new.csv", [("bob", "Where?")])
    learn(cli, server)
    server.reset()
    recall(cli, server, "--recall", "people", "-p", "Answer: {{row.text}}")
    assert prompts(server) == ["What is known from before:\n- Bob is a baker in Lyon.\n\nAnswer: Where?"]
    server.reset()
    done = cli(
        "eval",
        "run",
        "-p",
        "Who is {{memory}}",
        "--recall",
        "people",
        "--scope",
        "bob",
        "-m",
        MODEL,
        env=server.env(),
    )
    assert done.code == 0, done.err
    assert prompts(server) == ["Who is - Bob is a baker in Lyon."]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--recall", "peeple", "--scope", "a"), "Did you mean 'people'?"),
        (("--recall", "peo/ple", "--scope", "a"), "'peo/ple' cannot be the name of a memory store"),
        (("--recall", "people"), "memory needs --scope"),
        (("--recall", "people", "--scope", "{{row.usr}}"), "did you mean {{row.user}}?"),
        (("--recall", "people", "--scope", "a", "--recall-now"), "--recall-now goes with --resume"),
        (("--recall", "people", "--memory", "people", "--scope", "a"), "exclude each other"),
        (("--scope", "a"), "--scope goes with --recall or --memory"),
        ((), "{{memory}} in the prompt: nothing is recalled"),
    ],
)
def test_what_cannot_be_recalled_is_refused(
    cli: Cli, server: Provider, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    table(tmp_path / "new.csv", [("bob", "Where?")])
    (tmp_path / "facts.jsonl").write_text('{"scope": "bob", "text": "Bakes."}\n')
    assert cli("memory", "import", "people", "facts.jsonl").code == 0
    done = cli(
        "eval", "batch", "--rows", "new.csv", "-m", MODEL, "-p", "{{memory}}", *arguments, env=server.env()
    )
    assert done.code == 2
    assert message in done.err
    assert server.idle().requests == 0


def test_facts_are_exported_imported_deleted_and_cleared(cli: Cli, tmp_path: Path) -> None:
    lines = [
        {"scope": "alice", "type": "plan", "text": "Flies to Oslo."},
        {"scope": "alice", "text": "x" * 3000},
        {"scope": "bob", "text": "Bakes."},
        {"scope": "bob", "text": "bakes"},
    ]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    done = cli("memory", "import", "people", "in.jsonl")
    assert done.out == "people: 3 new facts, 1 known already\n"
    assert cli("memory", "search", "people", "flying to oslo").out.splitlines()[1:] == [
        "1\talice\tplan\tFlies to Oslo."
    ]
    assert cli("memory", "export", "people", "-o", "out.jsonl").code == 0
    assert cli("memory", "import", "copy", "out.jsonl").out == "copy: 3 new facts\n"
    assert len(facts(tmp_path, "alice")[0].text) == 1000
    assert "1 fact had more than 1,000 characters" in done.err
    assert cli("memory", "delete", "people", "1").code == 0
    again = cli("memory", "delete", "people", "1", "99")
    assert (again.code, "not known in 'people': 1, 99" in again.err) == (2, True)
    assert "deleted" in cli("memory", "history", "people", "1").out
    refused = cli("memory", "clear", "people", "--scope", "alice")
    assert (refused.code, "add --yes" in refused.err) == (2, True)
    assert cli("memory", "clear", "people", "--scope", "alic", "--yes").code == 2
    assert "2 facts removed" in cli("memory", "clear", "people", "--scope", "alice", "--yes").out
    assert texts(tmp_path) == [("bob", "Bakes.")]
    assert b"Oslo" not in (tmp_path / "output" / ".memory" / "people.db").read_bytes()
    (tmp_path / "in.jsonl").write_text('{"scope": "eve", "text": "Sings."}\n{"scope": "eve"}\n')
    broken = cli("memory", "import", "people", "in.jsonl")
    assert (broken.code, "in.jsonl, line 2" in broken.err) == (2, True)
    assert texts(tmp_path) == [("bob", "Bakes.")]
    listed = cli("memory", "list")
    assert listed.out.splitlines() == ["NAME\tFACTS\tSCOPES", "copy\t3\t2", "people\t1\t1"]


def test_an_import_of_an_export_keeps_order_sources_and_times(
    cli: Cli, server: Provider, tmp_path: Path
) -> None:
    table(tmp_path / "chats.csv", CHATS)
    learn(cli, server)
    exported = cli("memory", "export", "people", "-o", "out.jsonl", "--all")
    assert exported.code == 0
    assert cli("memory", "import", "copy", "out.jsonl").code == 0
    once, again = (
        [
            {key: value for key, value in json.loads(line).items() if key not in ("seq", "inputs")}
            for line in cli("memory", "export", name).out.splitlines()
        ]
        for name in ("people", "copy")
    )
    assert len(once) == 3
    assert once == again


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ({"scope": " ", "text": "Sings."}, "has no scope"),
        ({"scope": "s" * 301, "text": "Sings."}, "has 301 characters"),
        ({"scope": "eve", "text": "..."}, "is empty"),
        ({"scope": "eve", "text": "Sings.", "type": "hobby"}, "no type 'hobby'"),
        ({"scope": "eve", "text": "Sings.", "at": 1e300}, "at"),
    ],
    ids=["blank", "long", "empty", "type", "time"],
)
def test_a_line_that_is_no_fact_is_named_and_nothing_is_added(
    tmp_path: Path, line: dict[str, object], said: str
) -> None:
    (tmp_path / "in.jsonl").write_text('{"scope": "eve", "text": "Sings."}\n' + json.dumps(line))
    with pytest.raises(InputError, match=r"in\.jsonl, line 2: ") as raised:
        import_facts(name="people", file=tmp_path / "in.jsonl", output_dir=tmp_path)
    assert said in str(raised.value)
    assert store_names(tmp_path) == []


def test_a_scope_is_found_however_it_is_written_and_a_damaged_store_hides_no_other(
    cli: Cli, tmp_path: Path
) -> None:
    line = json.dumps({"scope": " e\u0301ve\u00a0 b ", "text": "東京に住んでいます。"})
    done = cli("memory", "import", "people", "-", stdin=line)
    assert done.code == 0, done.err
    for scope in ("\u00e9ve b", "  e\u0301ve b"):
        assert "東京" in cli("memory", "list", "people", "--scope", scope).out
        assert "東京" in cli("memory", "search", "people", "東京都", "--scope", scope).out
    (tmp_path / "output" / ".memory" / "other.db").write_bytes(b"garbage" * 1000)
    listed = cli("memory", "list")
    assert (listed.code, "people\t1\t1" in listed.out, "other.db is" in listed.err) == (1, True, True)


def test_a_judge_and_a_chain_see_what_was_recalled(cli: Cli, server: Provider, tmp_path: Path) -> None:
    table(tmp_path / "chats.csv", CHATS)
    table(tmp_path / "new.csv", [("bob", "Where?")])
    learn(cli, server)
    recall(cli, server, "--recall", "people")
    server.reset()
    judging = ("--scorer", "good=judge:Is it good?", "--judge", MODEL)
    judged = cli("eval", "score", "replies", *judging, env=server.env())
    assert "changed" not in judged.err + judged.out, judged.err
    assert "Known: - Bob is a baker in Lyon. Asked: Where?" in prompts(server)[0]
    prompt = "{{prompt}} {{row.user}}"
    chained = cli("eval", "batch", "--from", "replies", "-p", prompt, "-m", MODEL, env=server.env())
    assert chained.code == 0, chained.err
    assert prompts(server)[-1] == "Known: - Bob is a baker in Lyon. Asked: Where? bob"


def test_what_was_recalled_for_an_answer_is_not_learnt_from_it_again(
    cli: Cli, server: Provider, tmp_path: Path
) -> None:
    with MemoryStore.open(tmp_path / "output", "people") as store:
        store.add([("bob", NewFact("other", "Bob is a baker."))])
    found = (("Bob is a baker.", "Baking is Bob's work."), ("my oven broke", "Bob's oven broke."))
    server.use(profile(says(*found)))
    table(tmp_path / "new.csv", [("bob", "Help, my oven broke!")])
    options = ("--scope", "bob", "--memory", "people", "-m", MODEL)
    batch = ("eval", "batch", "--rows", "new.csv", "-p", "{{row.text}} {{memory}}", *options)
    planned = cli(*batch, "--dry-run", env=server.env())
    assert "learning from the answers at the end" in planned.out + planned.err
    for command in (batch, ("eval", "run", "-p", "Help, my oven broke! {{memory}}", *options)):
        done = cli(*command, env=server.env())
        assert done.code == 0, done.err
        assert texts(tmp_path) == [("bob", "Bob's oven broke."), ("bob", "Bob is a baker.")]
        asked = prompts(server)[-1]
        assert "Known already, and not to be named again:\n" in asked
        assert asked.index("- Bob is a baker.") < asked.index("<text>")


def test_what_is_shown_as_known_is_what_was_recalled_and_not_what_the_answer_would_find(
    cli: Cli, server: Provider, tmp_path: Path
) -> None:
    with MemoryStore.open(tmp_path / "output", "people") as store:
        store.add(("bob", NewFact("other", text)) for text in ("Bob has an oven.", "Bob hears an echo."))
    said = Rule(behaviour=Behaviour(text="Is it an echo that you hear, echo?"))
    server.use(profile(says(), said))
    table(tmp_path / "new.csv", [("bob", "My oven broke!")])
    options = ("--scope", "bob", "--memory", "people", "--recall-limit", "1", "-m", MODEL)
    for source in (("batch", "--rows", "new.csv", "-p", "{{row.text}}"), ("run", "-p", "My oven broke!")):
        done = cli("eval", *source, *options, env=server.env())
        assert done.code == 0, done.err
        for prompt in prompts(server)[-2:]:
            assert ("Bob has an oven." in prompt, "hears" in prompt) == (True, False), prompt


def test_a_sample_that_is_too_small_leaves_nothing_behind(cli: Cli, server: Provider, tmp_path: Path) -> None:
    table(tmp_path / "chats.csv", CHATS)
    assert "too few" in learn(cli, server, "--estimate", "1", code=2)
    assert not (tmp_path / "output").exists()


def test_a_second_process_is_refused_before_anything_is_asked(
    cli: Cli, server: Provider, tmp_path: Path
) -> None:
    table(tmp_path / "chats.csv", CHATS)
    table(tmp_path / "new.csv", [("bob", "Where?")])
    with MemoryStore.open(tmp_path / "output", "people"):
        assert "changes memory store 'people'" in learn(cli, server, code=2)
        assert "changes memory store 'people'" in recall(cli, server, "--memory", "people", code=2)
        assert cli("memory", "list", "people").code == 0
    assert server.idle().requests == 0
    said = recall(cli, server, "--memory", "people")
    assert "people: 0 new facts from 1 input" in said


def test_no_id_is_made_of_what_was_recalled_and_no_system_prompt_has_a_place_for_it(
    cli: Cli, server: Provider, tmp_path: Path
) -> None:
    with MemoryStore.open(tmp_path / "output", "people") as store:
        store.add([("bob", NewFact("health", "Bob is ill."))])
    options = ("--recall", "people", "--scope", "bob", "-m", MODEL)
    for prompt in ("{{memory}} Hello", "Hello"):
        done = cli("eval", "run", "-p", prompt, *options, env=server.env())
        assert (done.code, "Bob is ill." in prompts(server)[-1]) == (0, True), done.err
    ids = sorted(path.name[11:] for path in (tmp_path / "output").glob("2*"))
    assert ids == ["hello", "memory-hello"]
    refused = cli("eval", "run", "-p", "Hello", "--system", "Known: {{memory}}", *options, env=server.env())
    assert (refused.code, "the system prompt has {{memory}}" in refused.err) == (2, True)


def test_threads_that_add_facts_wait_for_each_other(tmp_path: Path) -> None:
    people = umwelten.memory("people", output_dir=tmp_path)
    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(lambda number: people.add(f"Fact {number}.", scope="bob"), range(24)))
    assert people.scopes == {"bob": 24}
    other = umwelten.memory("other", output_dir=tmp_path)
    assert (other.delete(1), other.clear(), store_names(tmp_path)) == ([], 0, ["people"])
    with pytest.raises(UsageError, match="no type 'hobby'"):
        people.facts(type="hobby")
    with pytest.raises(UsageError, match="merge cannot be 'replace'"):
        people.learn(MODEL, files=["x.txt"], scope="bob", merge="replace")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="no type 'hobby'"):
        people.add("Sings.", scope="bob", type="hobby")


@pytest.mark.parametrize("word", ["Straße", "STRASSE", "Κώστας", "İstanbul", "x\u0302y", "Café", "東京"])
def test_a_word_finds_the_fact_that_has_it_in_any_script(word: str) -> None:
    texts = [(1, "Lives in the Strasse."), (2, f"Knows {word}!"), (3, "Has tea.")]
    assert 2 in Ranking(texts).best(word.upper())[:2]


def test_a_scope_of_many_facts_is_read_and_ranked_once_for_all_inputs(tmp_path: Path) -> None:
    with MemoryStore.open(tmp_path, "people") as store:
        store.add(("bob", NewFact("other", f"Fact {number} on thing{number}.")) for number in range(300))
    facts = RecalledFacts(tmp_path, Recall(store="people", scope="bob", limit=20, seq=1))
    for number in (7, 250, 99):
        assert f"- Fact {number} on thing{number}." in facts.text("bob", f"What of thing{number}?")
    assert facts._ranking.cache_info().misses == 1
