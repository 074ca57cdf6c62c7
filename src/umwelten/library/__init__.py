"""What `import umwelten` gives: ask models from Python, and read what was answered."""

from umwelten.library.answer import Answer, Failure
from umwelten.library.asking import batch, evaluations, open, run
from umwelten.library.job import Job, NeverRun
from umwelten.library.results import Answers, Results, Summary

__all__ = [
    "Answer",
    "Answers",
    "Failure",
    "Job",
    "NeverRun",
    "Results",
    "Summary",
    "batch",
    "evaluations",
    "open",
    "run",
]
