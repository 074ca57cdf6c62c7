"""The evaluation's store: settings, calls, attempts and answers in SQLite, the answers as text files too."""

from umwelten.store.db import Store
from umwelten.store.grid import Counts
from umwelten.store.read import Reader, evaluations

__all__ = ["Counts", "Reader", "Store", "evaluations"]
