"""What `import umwelten` gives: ask models from Python, and read what was answered."""

from umwelten.api.answer import Answer, Failure
from umwelten.api.functions import batch, evaluations, open, run
from umwelten.api.job import Job, NeverRun
from umwelten.api.results import Answers, Results, Summary

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
