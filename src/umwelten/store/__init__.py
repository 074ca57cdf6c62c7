"""The evaluation's store: settings, calls, attempts and answers in SQLite, the answers as text files too."""

from umwelten.store.grid import Counts
from umwelten.store.reader import Reader, evaluations
from umwelten.store.store import Store

__all__ = ["Counts", "Reader", "Store", "evaluations"]
