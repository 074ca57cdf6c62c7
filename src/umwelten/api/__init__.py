"""What `import umwelten` gives: ask models from Python, and read what was answered."""

from umwelten.api.answer import Answer, Failure
from umwelten.api.background_job import NeverRun
from umwelten.api.comparisons import compare
from umwelten.api.functions import batch, evaluations, memory, open, rank, run, suite
from umwelten.api.job import Job
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
    "compare",
    "evaluations",
    "memory",
    "open",
    "rank",
    "run",
    "suite",
]
