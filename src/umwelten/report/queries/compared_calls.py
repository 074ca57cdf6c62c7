"""What a comparison takes of an evaluation's inputs and calls, row by row."""

from __future__ import annotations

from collections.abc import Iterator

from umwelten.identity import input_part
from umwelten.store.reader import Reader
from umwelten.store.tables import SUCCEEDED, cell_of
from umwelten.types import NANO, FrozenStruct

_ROW = "row "  # with which the part of a row begins


class ComparedCall(FrozenStruct):
    """A call that counts and has ended. `column` numbers its model and prompt.

    `content` is the hash of what was sent of the input, in hex. The rest is None where it is not known.
    """

    file: int
    column: int
    succeeded: bool
    content: str
    cost_usd: float | None
    response_s: float
    input_tokens: int | None
    output_tokens: int | None


def compared_calls(reader: Reader) -> Iterator[ComparedCall]:
    """Yield them by input, model and repeat."""
    for id_, status, content, nano, seconds, tokens_in, tokens_out in reader.connection.execute(
        """SELECT id, status, content, cost_nusd, response_s, input_tokens, output_tokens
        FROM current_calls ORDER BY id"""
    ):
        file, column, _ = cell_of(id_)
        yield ComparedCall(
            file=file,
            column=column,
            succeeded=status == SUCCEEDED,
            content=input_part(content).hex(),
            cost_usd=None if nano is None else nano / NANO,
            response_s=seconds,
            input_tokens=tokens_in,
            output_tokens=tokens_out,
        )


def sent_contents(reader: Reader) -> Iterator[str]:
    """Yield the hash of what was sent of the input, in hex, of every call that counts and has ended."""
    for (content,) in reader.connection.execute("SELECT content FROM current_calls ORDER BY id"):
        yield input_part(content).hex()


def compared_inputs(reader: Reader) -> Iterator[tuple[int, str, str]]:
    """Yield number, name and stamp of the inputs, by number. Only rows of tables have a stamp here.

    That of an earlier answer depends on the prompt, and that of a file on when it was written.
    """
    for id_, name, part, stamp in reader.connection.execute(
        "SELECT id, name, part, stamp FROM inputs WHERE active ORDER BY id"
    ):
        yield id_, name, stamp if part.startswith(_ROW) else ""


def only_prompt(reader: Reader) -> str:
    """Return the prompt where there is one alone."""
    return str(reader.connection.execute("SELECT prompt FROM evaluation").fetchone()[0])
