"""What judges are shown of what is expected of the answers that are ranked."""

from __future__ import annotations

from pathlib import Path

from umwelten.evaluation.scoring.scoring import EXPECTED_PLACE, check_names
from umwelten.inputs.references import References, read_references
from umwelten.phrases import Wording
from umwelten.store.reader import Reader
from umwelten.store.stored_calls import input_names


def ranking_references(where: str, folder: Path, notes: list[Wording]) -> References:
    """Return the references of the inputs of the evaluation in `folder`.

    Errors: `UsageError` for a form that is none or a placeholder without a value, `InputError` for a file or
    evaluation that is not there, or that knows none of the inputs.
    """
    references = read_references(where, folder.parent)
    with Reader.open(folder) as reader:
        check_names(references.names, reader, EXPECTED_PLACE)
        if (note := references.check(input_names(reader))) is not None:
            notes.append(note)
    return references
