"""Scorers that run in a process of their own: Python functions, programs, and rules that may take long.

Each is a context manager. Entered, it has been tried: what cannot work has raised by then, and nothing was
scored. Left, nothing that it started is there any more. Not for several threads at a time.
"""

from __future__ import annotations

import importlib.util
import json
import os
import pickle
import shutil
import sys
from base64 import b64encode
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Any, Self

import msgspec

from umwelten.child_processes import without_keys
from umwelten.errors import ConfigError, read_error
from umwelten.evaluation.scoring.child import Child, Launch, first_line
from umwelten.evaluation.scoring.exchange import Exchange
from umwelten.evaluation.scoring.replies import Masked
from umwelten.inputs.workers.interpreter import bare_environment
from umwelten.scoring.definition import Definition
from umwelten.scoring.references import EXPECTED, is_missing
from umwelten.scoring.score import Answer, Result, Unscored
from umwelten.scoring.settings import split_function
from umwelten.store.stored_calls import StoredCall
from umwelten.text.sanitize import one_line
from umwelten.types import FrozenStruct
from umwelten.user_folders import expand_home

COSTLY_S = 2.0
"""Seconds for an answer that a rule could not bound: what can be told at all is told sooner."""
_START_S = 120.0
"""Seconds until a scorer is ready: its file may load a model."""
_MEMORY_BYTES = 1 << 30
_FILE_BYTES = 1 << 20


class ScorerInput(FrozenStruct):
    """An answer to score. `reference` is as scorers take it: what it should be, or fields.

    `call` is the answer as it is stored, for scorers in this process.
    """

    answer: Answer
    reference: Mapping[str, Any] = {}
    row: Mapping[str, Any] = {}
    file: str = ""
    model: str = ""
    call: StoredCall | None = None

    @property
    def expected(self) -> Any:
        """The reference as one value: a mapping where it is fields, `None` where there is none."""
        value = self.reference.get(EXPECTED, dict(self.reference) or None)
        return None if is_missing(value) else value


class External:
    """A scorer in a process of its own. `needs_reference` is known once it is entered."""

    def __init__(
        self,
        definition: Definition,
        launch: Launch,
        encode: Callable[[int, ScorerInput], bytes | Unscored],
        *,
        timeout_s: float,
        masked: Masked,
        said: Callable[[str], None],
    ) -> None:
        self.definition, self._launch = definition, launch
        self.needs_reference = definition.type not in ("python", "command")
        self._exchange = Exchange(
            self._start,
            encode,
            timeout_s=timeout_s,
            at_least=definition.at_least,
            masked=masked,
            said=said,
            is_program=bool(launch.words),
        )

    @property
    def digest(self) -> str:
        return self.definition.digest

    @property
    def pid(self) -> int | None:
        """The process, `None` while there is none."""
        return None if self._exchange.child is None else self._exchange.child.pid

    def __enter__(self) -> Self:
        self._exchange.child = self._start()
        return self

    def __exit__(self, *error: object) -> None:
        self._exchange.close()

    def score(self, items: Iterable[ScorerInput]) -> Iterator[Result]:
        """Yield the result of each answer, in order, while others are under way."""
        return self._exchange.score(items)

    def _start(self) -> Child:
        child = Child(self._launch)
        if self._launch.words:
            return child
        try:
            line = first_line(child, _START_S)
            said: Mapping[str, Any] = json.loads(line) if line is not None else {}
        except BaseException:
            child.close()
            raise
        if "ready" in said:
            self.needs_reference = said["ready"].get("needs_reference", self.needs_reference)
            return child
        has_ended = child.has_ended
        status = child.close()
        if "problem" in said:
            raise ConfigError(said["problem"], said.get("hint") or None)
        words = one_line(child.errors.decode(errors="replace").strip().rpartition("\n")[2], 300)
        how = f"ended during its start ({status})" if has_ended else f"was not ready after {_START_S:g} s"
        raise ConfigError(f"scorer {self.definition.name!r} {how}", words or None)


def read_content(definition: Definition, base: Path) -> tuple[Definition, bytes]:
    """Return a Python scorer with the hash of its file, and what the file holds, which is then run.

    The function's name is part of the hash, the file's path is not. Errors: `ConfigError`.
    """
    path, name = function_place(definition, base)
    try:
        code = path.read_bytes()
    except FileNotFoundError:
        raise ConfigError(
            f"scorer {definition.name!r}: no such file: {path}", "Write file.py:function."
        ) from None
    except OSError as error:
        raise ConfigError(str(read_error(path, error).wording)) from error
    hashed = blake2b(name.encode() + b"\0" + code, digest_size=20).hexdigest()
    return msgspec.structs.replace(definition, content=hashed), code


def function_place(definition: Definition, base: Path) -> tuple[Path, str]:
    """Return the file of a Python scorer and the function's name. Relative paths are meant from `base`."""
    found = split_function(definition.settings["value"])
    assert found is not None, "as the definition was read"
    return (base / expand_home(Path(found[0]))).absolute(), found[1]


def external_scorer(
    definition: Definition,
    *,
    base: Path = Path(),
    code: bytes | None = None,
    secrets: Collection[str] = (),
    masked: Masked = str,
    said: Callable[[str], None] | None = None,
) -> External:
    """Return the scorer of type python or command, or a rule as a scorer that may take long.

    `base` is the folder from which its paths are meant, and in which it works. `code`: what `read_content`
    returned. Variables that look like keys, or hold one of `secrets`, are not in its environment; what it
    says passes `masked`, and what it prints goes to `said`, by default to stderr.

    Errors: `ConfigError` for a program or file that is not there.
    """
    said = said or _print
    timeout_s = definition.settings.get("timeout", 10.0)
    settings: dict[str, Any]
    folder = base.absolute()
    if definition.type == "command":
        launch = _program(definition, folder, without_keys(os.environ, secrets))
        encode = _program_line
    elif definition.type == "python":
        path, name = function_place(definition, folder)
        if code is None:
            definition, code = read_content(definition, folder)
        settings = {"code": b64encode(code).decode(), "file": str(path), "function": name}
        launch = Launch(settings=settings, environment=without_keys(os.environ, secrets), folder=folder)
        encode = _function_line
    else:
        if definition.type == "math":
            _check_math(definition)
        else:
            timeout_s = COSTLY_S
        settings = {
            "definition": b64encode(pickle.dumps(definition)).decode(),
            "memory_bytes": _MEMORY_BYTES,
            "file_bytes": _FILE_BYTES,
        }
        launch = Launch(settings=settings, environment=bare_environment(), folder=Path(os.sep))
        encode = _rule_line
    return External(definition, launch, encode, timeout_s=timeout_s, masked=masked, said=said)


def _print(text: str) -> None:
    print(text, file=sys.stderr)  # noqa: T201


def _check_math(definition: Definition) -> None:
    if importlib.util.find_spec("math_verify") is None:
        raise ConfigError(
            f"scorer {definition.name!r} needs math-verify, which is not installed",
            "Install it: pip install 'umwelten[math]'",
        )


def _program(definition: Definition, folder: Path, environment: dict[str, str]) -> Launch:
    words: list[str] = definition.settings["value"]
    program = words[0]
    # As the shell does: a word with a slash is a path, from the folder; another is looked for in PATH.
    path = str(folder / program) if os.sep in program else program
    found = shutil.which(path, path=environment.get("PATH"))
    if found is None:
        why = "is not executable" if os.sep in program and Path(path).is_file() else "was not found"
        hint = f"chmod +x {program}" if why == "is not executable" else "Write its path or its name."
        raise ConfigError(f"scorer {definition.name!r}: the program {program!r} {why}", hint)
    # A program in Python that writes to a pipe would keep its lines until it ends.
    environment = environment | {"PYTHONUNBUFFERED": "1"}
    return Launch(settings={}, environment=environment, folder=folder, words=(found, *words[1:]))


# --- lines ---------------------------------------------------------------------------------------


def _program_line(id: int, item: ScorerInput) -> bytes | Unscored:
    return _json_line(_facts(id, item))


def _function_line(id: int, item: ScorerInput) -> bytes | Unscored:
    answer = item.answer
    measures = {
        "finish": answer.finish,
        "cost_nusd": answer.cost_nusd,
        "latency_s": answer.latency_s,
        "tokens": answer.tokens,
    }
    return _json_line(_facts(id, item) | measures)


def _facts(id: int, item: ScorerInput) -> dict[str, Any]:
    return {
        "id": id,
        "answer": item.answer.text,
        "expected": item.expected,
        "row": item.row,
        "file": item.file,
        "model": item.model,
        "record": item.answer.record,
    }


def _rule_line(id: int, item: ScorerInput) -> bytes | Unscored:
    try:
        data = pickle.dumps((item.answer, dict(item.reference)))
    except RecursionError:
        return _too_deep()
    return b'{"id":%d,"pickled":"%b"}\n' % (id, b64encode(data))


_encoder = msgspec.json.Encoder(enc_hook=str, decimal_format="number")


def _json_line(facts: dict[str, Any]) -> bytes | Unscored:
    try:
        try:
            return _encoder.encode(facts) + b"\n"
        except UnicodeEncodeError:  # a lone surrogate, which JSON writes as an escape
            return json.dumps(facts, default=_plain).encode() + b"\n"
    except RecursionError:
        return _too_deep()


def _plain(value: Any) -> Any:
    return json.loads(bytes(value)) if isinstance(value, msgspec.Raw) else str(value)


def _too_deep() -> Unscored:
    return Unscored(kind="scorer_error", message="the record is nested too deeply")
