"""What says that two evaluations ask about the same input."""

from __future__ import annotations

from array import array
from hashlib import blake2b

from umwelten.report.queries.compared_calls import compared_inputs
from umwelten.store.reader import Reader


def input_keys(reader: Reader) -> array[int]:
    """Return a number for each input of the plan, by number, that is equal where inputs of evaluations are.

    They are if name and path are, of rows the contents too. Rows of another table are other inputs, even with
    the same names, which may be no more than numbers.
    """
    paths = reader.connection.execute("SELECT path FROM inputs WHERE active ORDER BY id")
    keys = array("Q")
    for (_, name, stamp), (path,) in zip(compared_inputs(reader), paths, strict=True):
        digest = blake2b("\0".join((path, name, stamp)).encode(errors="surrogatepass"), digest_size=8)
        keys.append(int.from_bytes(digest.digest()))
    return keys
