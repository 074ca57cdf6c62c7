"""The text files of a stored evaluation, written to another folder."""

from __future__ import annotations

from pathlib import Path

from umwelten.errors import StoreError
from umwelten.store.database import folder_errors
from umwelten.store.reader import Reader
from umwelten.store.repair import GOOD_TEXTS, answer_text, computed_name
from umwelten.store.text_file_names import is_text_name
from umwelten.store.text_files import TextFiles


def export_texts(folder: Path, target: Path) -> int:
    """Write an evaluation's answers into a folder, under the names that they have or would have in its own.

    Returns how many. Files of these names are replaced, others stay. An answer that comes in meanwhile may
    be among them or not. Raises StoreError.
    """
    with Reader.open(folder) as reader:
        connection = reader.connection
        models = connection.execute("SELECT count(*) FROM models").fetchone()[0]
        named = reader.spec().kind == "run" or models > 1
        with folder_errors(target):
            target.mkdir(parents=True, exist_ok=True)
            files = TextFiles(target)
        written, last = 0, -1
        try:
            while rows := connection.execute(GOOD_TEXTS, (last,)).fetchall():
                last = rows[-1][0]
                for call, stored, _, _ in rows:
                    # The name was read, and the database may come from somebody else.
                    name = stored if is_text_name(stored) else computed_name(connection, call, named)
                    files.write(name, *answer_text(connection, call))
                    written += 1
        except OSError as error:
            raise StoreError(f"cannot write to {target}: {error.strerror or error}") from error
        finally:
            files.close()
    return written
