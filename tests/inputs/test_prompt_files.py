"""Files of several prompts."""

from __future__ import annotations

from pathlib import Path

import pytest

from umwelten.errors import InputError, UmweltenError, UsageError
from umwelten.inputs.prompt_files import read_prompts
from umwelten.prompts.messages import messages_of


def written(folder: Path, name: str, text: str | bytes) -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def pairs(path: Path) -> list[tuple[str, str]]:
    return [(prompt.name, prompt.text) for prompt in read_prompts(path)]


SHORT_AND_LONG = [("short", "Describe it."), ("long", "Describe it\nat length, with {{content}}.")]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.txt", "# short\nDescribe it.\n---\n# long\nDescribe it\nat length, with {{content}}.\n"),
        (
            "a.md",
            "\ufeff# short\r\nDescribe it.\r\n---\r\n\r\n# long\r\n\r\nDescribe it\r\nat length, "
            "with {{content}}.",
        ),
        (
            "a.toml",
            '[prompts]\nshort = "Describe it."\nlong = """\nDescribe it\nat length, with {{content}}."""\n',
        ),
        ("a.json", '{"short": "Describe it.", "long": "Describe it\\nat length, with {{content}}."}'),
        (
            "b.json",
            '[{"name": "short", "text": "Describe it."},'
            ' {"name": "long", "prompt": "Describe it\\nat length, with {{content}}."}]',
        ),
        (
            "a.jsonl",
            '{"name": "short", "text": "Describe it."}\n\n'
            '{"text": "Describe it\\nat length, with {{content}}.", "name": "long"}\n',
        ),
        ("a.csv", 'name,prompt\nshort,Describe it.\nlong,"Describe it\nat length, with {{content}}."\n'),
        ("b.CSV", 'Text;id;NAME\nDescribe it.;1;short\n"Describe it\nat length, with {{content}}.";2;long'),
    ],
)
def test_every_form_gives_the_same_prompts(tmp_path: Path, name: str, text: str) -> None:
    assert pairs(written(tmp_path, name, text)) == SHORT_AND_LONG


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.txt", "One\n---\nTwo\n--- \nThree"),
        ("a.json", '["One", "Two", {"text": "Three"}]'),
        ("a.jsonl", '"One"\n"Two"\n{"prompt": "Three"}\n'),
        ("a.csv", "prompt\nOne\nTwo\nThree\n"),
        ("b.csv", "name,prompt\n,One\n,Two\n,Three\n"),
    ],
)
def test_prompts_without_a_name_are_numbered(tmp_path: Path, name: str, text: str) -> None:
    assert pairs(written(tmp_path, name, text)) == [("p1", "One"), ("p2", "Two"), ("p3", "Three")]


def test_a_name_is_one_word_and_other_headings_belong_to_the_prompt(tmp_path: Path) -> None:
    text = "# The task at hand\nDescribe it.\n---\n## short\nDescribe it.\n--- not a rule\n"
    assert pairs(written(tmp_path, "a.md", text)) == [
        ("p1", "# The task at hand\nDescribe it."),
        ("p2", "## short\nDescribe it.\n--- not a rule"),
    ]


FEW = (
    '[{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"},'
    ' {"role": "user", "content": "c"}]'
)


@pytest.mark.parametrize(
    ("name", "text", "called"),
    [
        ("a.json", f'{{"few": {FEW}, "one": "c"}}', ["few", "one"]),
        ("a.json", f'[{{"name": "few", "messages": {FEW}}}, "c"]', ["few", "p2"]),
        ("a.json", FEW, [""]),
        ("a.jsonl", f'{{"messages": {FEW}}}\n"c"\n', ["p1", "p2"]),
        (
            "a.toml",
            '[[prompts.few]]\nrole = "user"\ncontent = "a"\n[[prompts.few]]\nrole = "assistant"\n'
            'content = "b"\n[[prompts.few]]\nrole = "user"\ncontent = "c"\n',
            ["few"],
        ),
    ],
)
def test_a_prompt_may_be_a_list_of_messages(tmp_path: Path, name: str, text: str, called: list[str]) -> None:
    prompts = read_prompts(written(tmp_path, name, text))
    assert [prompt.name for prompt in prompts] == called
    assert [words for _, words in messages_of(prompts[0].text)] == ["a", "b", "c"]
    assert [prompt.text for prompt in prompts[1:]] == ["c"] * (len(prompts) - 1)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.txt", "", "has no prompts"),
        ("a.txt", " \n\n", "has no prompts"),
        ("a.txt", "One\n---\n\n---\nThree", "prompt 2 is empty"),
        ("a.txt", "One\n---\n", "prompt 2 is empty"),
        ("a.txt", "# short\n---\nTwo", "prompt 1 ('short') is empty"),
        ("a.txt", "# a/b\nOne", "the name of prompt 1, 'a/b', can't be part of a file's name"),
        ("a.txt", "# .hidden\nOne", "the name of prompt 1, '.hidden'"),
        ("a.txt", f"# {'x' * 41}\nOne", "the name of prompt 1, 'xxx"),
        ("a.txt", "# a\nOne\n---\n# A\nTwo", "two prompts are called 'A'"),
        ("a.txt", "# p2\nOne\n---\nTwo", "two prompts are called 'p2'"),
        ("a.toml", "[prompt]\n", "has no table [prompts]"),
        ("a.toml", "[prompts]\n", "has no prompts"),
        ("a.toml", "[prompts]\na = 3", "prompt 1 ('a') is not text"),
        ("a.toml", "[prompts", "is not valid TOML"),
        ("a.json", "{}", "has no prompts"),
        ("a.json", "3", "neither an object nor a list"),
        ("a.json", '{"a": ""}', "prompt 1 ('a') is empty"),
        ("a.json", '{"a": "\\ud800"}', "prompt 1 ('a') contains a lone surrogate"),
        ("a.json", '[{"name": "a"}]', "prompt 1 must have one text"),
        ("a.json", '[{"text": "a", "prompt": "b"}]', "prompt 1 must have one text"),
        ("a.json", '[{"text": "a", "titel": "b"}]', "prompt 1 has 'titel'"),
        ("a.json", '[{"text": "a", "name": 3}]', "the name of prompt 1, 3"),
        ("a.json", "[3]", "prompt 1 is not text"),
        ("a.json", '[{"role": "user"}]', "a.json: message 1 must have a role and a content"),
        ("a.json", '{"a": [{"role": "bot", "content": "x"}]}', "prompt 1 ('a'): message 1: there is no role"),
        ("a.jsonl", '{"text": "a", "messages": []}', "line 1 must have one text"),
        ("a.json", "[", "is not valid JSON"),
        ("a.json", "[" * 100_000, "nested too deeply"),
        ("a.jsonl", '"a"\n{"text"', "line 2 is not valid JSON"),
        ("a.csv", "name,titel\na,b\n", "needs one column 'prompt' or 'text'; it has name, titel"),
        ("a.csv", "text,prompt\na,b\n", "needs one column 'prompt' or 'text'"),
        ("a.csv", "prompt\nSay hello, please\n", "row 1: 2 values for 1 column"),
        ("a.yaml", "a: b", "cannot read prompts from"),
        ("a.txt", b"\x89PNG\r\n\x1a\n\x00\x00", "is not text"),
    ],
)
def test_an_error_names_the_prompt(tmp_path: Path, name: str, text: str | bytes, said: str) -> None:
    with pytest.raises(UmweltenError) as error:
        read_prompts(written(tmp_path, name, text))
    assert said in error.value.message


def test_a_thousand_prompts_are_taken_and_no_more(tmp_path: Path) -> None:
    path = written(tmp_path, "a.txt", "\n---\n".join(["Do it."] * 1000))
    assert len(read_prompts(path)) == 1000
    with pytest.raises(UsageError, match="more than 1,000"):
        read_prompts(written(tmp_path, "b.txt", "\n---\n".join(["Do it."] * 1001)))


def test_a_missing_file_is_an_error_with_the_nearest(tmp_path: Path) -> None:
    written(tmp_path, "prompts.txt", "One")
    with pytest.raises(InputError) as error:
        read_prompts(tmp_path / "promts.txt")
    assert "prompts.txt" in str(error.value.hint)


def test_prompts_in_other_encodings_are_read(tmp_path: Path) -> None:
    assert pairs(written(tmp_path, "a.txt", "Zähl die Bäume".encode("utf-16"))) == [("p1", "Zähl die Bäume")]
