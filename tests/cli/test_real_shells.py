"""Tab in real shells, on a terminal: what a person types and what the command is then called with."""

from __future__ import annotations

import os
import pty
import random
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cli.project import add_evaluation, environment, make_project, telling_command

REQUIRED = os.environ.get("UMWELTEN_TEST_SHELLS") == "required"
READY = "ready-to-type"
START = {
    "bash": (
        ["bash", "--norc", "--noprofile", "-i"],
        "bind 'set enable-bracketed-paste off'; bind 'set bell-style none'; source {script}",
    ),
    "zsh": (
        ["zsh", "-f", "-i"],
        "unsetopt beep zle_bracketed_paste; autoload -Uz compinit; compinit -u -D; source {script}",
    ),
    "fish": (["fish", "--no-config", "-i"], "source {script}"),
}


class Terminal:
    """A shell on a terminal of its own, in a project folder."""

    def __init__(self, shell: str, root: Path, argv: list[str], setup: str) -> None:
        project = make_project(root / "project")
        telling_command(root / "bin")
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.chdir(project)
            os.execvpe(argv[0], argv, environment(root))
        self.seen = ""
        self.send(f"{setup}; echo ready-to''-type\r")
        self.wait(READY)

    def send(self, keys: str) -> None:
        os.write(self.fd, keys.encode())

    def wait(self, pattern: str, timeout_s: float = 60.0) -> str:
        """Read until the pattern is there; what is in front of it and itself is then done with."""
        end = time.monotonic() + timeout_s
        while True:
            found = re.search(pattern, self.seen)
            if found:
                self.seen = self.seen[found.end() :]
                return found[0]
            assert time.monotonic() < end, f"{pattern!r} did not come; the terminal shows:\n{self.seen}"
            if select.select([self.fd], [], [], 0.1)[0]:
                self.seen += os.read(self.fd, 65536).decode(errors="replace")

    def called_with(self, keys: str) -> str:
        """Type, press Enter, and tell the arguments: `<eval><run>`."""
        self.send(f"{keys}\r")
        return self.wait(r"<[^\r\n]*<end>").removesuffix("<end>")

    def close(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.close(self.fd)
        os.waitpid(self.pid, 0)


def _made(root: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "umwelten", "completion", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment(root))
    return done.stdout


@pytest.fixture(params=["bash", "zsh", "fish"])
def shell(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    if shutil.which(name) is None and not (REQUIRED or name == "bash"):
        pytest.skip(f"no {name} here")
    return name


@contextmanager
def terminal(shell: str, root: Path, argv: list[str], setup: str) -> Iterator[Terminal]:
    opened = Terminal(shell, root, argv, setup)
    try:
        yield opened
    finally:
        opened.close()


TYPED = [
    ("umwelten eval run -m mine:so\t", "<eval><run><-m><mine:some-model>"),
    ("umwelten eval run -m local:smollm2,mine:so\t", "<eval><run><-m><local:smollm2,mine:some-model>"),
    ("umwelten eval run --models=mine:so\t", "<eval><run><--models=mine:some-model>"),
    ("umwelten eval run -m mine:m@co\t", "<eval><run><-m><mine:m@cool>"),
    ("umwelten eval run -m local:smollm2,@fast@\t", "<eval><run><-m><local:smollm2,@fast@cool>"),
    # More is to follow, so there is no blank behind.
    ("umwelten eval run -m mycl\tx", "<eval><run><-m><mycluster:x>"),
    (
        "umwelten eval run --provider-concurrency mycl\t3",
        "<eval><run><--provider-concurrency><mycluster=3>",
    ),
    ("umwelten eval show rev\tpage-\t", "<eval><show><reviews-1><page-1.jpg>"),
    ("umwelten eval show reviews-1 page\\ \t", "<eval><show><reviews-1><page 2.jpg>"),
    ("umwelten eval report --for\tparq\t", "<eval><report><--format><parquet>"),
    ("umwelten eval batch --profile ni\t", "<eval><batch><--profile><nightly>"),
    ("umwelten eval batch --directory te\t", "<eval><batch><--directory><texts>"),
    ("umwelten eval batch --directory=te\t", "<eval><batch><--directory=texts>"),
    ("umwelten eval run --attach qu\t", "<eval><run><--attach><question.txt>"),
    ("umwelten eval run -p @qu\t", "<eval><run><-p><@question.txt>"),
    ("umwelten tru\t--f\t", "<trust><--forget>"),
]


def test_tab_completes_as_a_person_expects(shell: str, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    script = tmp_path / "script"
    script.write_text(_made(tmp_path, shell))
    argv, setup = START[shell]
    with terminal(shell, tmp_path, argv, setup.format(script=script)) as opened:
        for typed, called in TYPED:
            # zsh takes the slash away again when the line ends there
            assert opened.called_with(typed).replace("/>", ">") == called, typed


def test_an_installed_script_is_found_by_a_new_shell(shell: str, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    said = _made(tmp_path, shell, "--install").splitlines()
    path = Path(said[0].removeprefix("wrote "))
    assert path.is_file()
    argv, setup = {
        # Where bash-completion is, it reads this file by itself; sourcing it is what is said elsewhere.
        "bash": (["bash", "--norc", "--noprofile", "-i"], f"source {path}"),
        "zsh": (["zsh", "-f", "-i"], "; ".join(line.strip() for line in said[2:])),
        "fish": (["fish", "-i"], "true"),
    }[shell]
    with terminal(shell, tmp_path, argv, setup.replace("compinit &&", "compinit -u &&")) as opened:
        assert opened.called_with("umwelten eval run -m @f\t") == "<eval><run><-m><@fast>"
        assert opened.called_with("umwelten eval show rev\t") == "<eval><show><reviews-1>"


_PIECES = [
    "$(touch PWNED)",
    "`touch PWNED`",
    ";touch${IFS}PWNED;",
    "&touch PWNED&",
    "|",
    "'",
    '"',
    "!",
    "!!",
    "*",
    "?",
]
_PIECES += [
    "\n",
    " ",
    "\\",
    "~",
    "#",
    "$HOME",
    "{a,b}",
    "[a-z]",
    "<",
    ">",
    "(",
    ")",
    ":",
    "=",
    ",",
    "%",
    "^",
    "\x1b",
    "é",
]
_SEED = random.randrange(10**6)


def test_a_hostile_name_runs_nothing_and_arrives_as_it_is(shell: str, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    script = tmp_path / "script"
    script.write_text(_made(tmp_path, shell))
    draw = random.Random(_SEED)
    drawn = ["".join(draw.choices(_PIECES, k=5)) for _ in range(3)]
    names = [
        first + name + "z"
        for first, name in zip("bgjk", ["x$(touch PWNED);`touch PWNED`!", *drawn], strict=True)
    ]
    # Paths are the shell's own in bash and zsh, so what they do to them is not drawn.
    path = "w\n$(touch PWNED)' \"!é;~#"
    names += [path] * 3
    argv, setup = START[shell]
    with terminal(shell, tmp_path, argv, setup.format(script=script)) as opened:
        project = tmp_path / "project"
        add_evaluation(project / "output" / "hostile", [f"mine:{name}" for name in names], names)
        for name in names[:4]:
            (project / name).write_text("")
        add_evaluation(project / "output" / path, [], [])
        add_evaluation(project / "output" / "--output=x", [], [])
        (project / path).mkdir()
        (project / path / path).write_text("")
        command = tmp_path / "bin" / "umwelten"
        show = "import os, sys; os.write(1, ('<' + '><'.join(map(ascii, sys.argv[1:])) + '><end>').encode())"
        command.write_text(
            command.read_text().replace("printf", f'exec {sys.executable} -S -c "{show}" "$@" #')
        )
        for typed, name in zip(
            [
                "eval run -p @{}",
                "eval show hostile {}",
                "eval run --models=mine:{}",
                'eval show hostile "{}',
                "eval batch --from={}",
                "eval batch --from {}",
                "eval run --attach {}",
            ],
            names,
            strict=True,
        ):
            words = [word.replace("{}", name) for word in typed.replace('"', "").split()]
            keys = typed.format(name[0])
            if shell == "fish" and "--attach" in keys:  # what is in the directory of that name
                words[-1], keys = f"{name}/{name}", f"{keys}\tw"
            called = opened.called_with(f"umwelten {keys}\t")
            assert called.replace("/'>", "'>") == f"<{'><'.join(map(ascii, words))}>", (_SEED, typed)
    assert not list(tmp_path.rglob("PWNED*")), (_SEED, names)
