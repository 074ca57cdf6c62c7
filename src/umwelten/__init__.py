"""Run prompts against many language models and many files at the same time.

    results = umwelten.run("Explain tides", "ollama:gemma3:12b,google:gemini-3.5-flash").wait()

Names are loaded when they are first used, so that `import umwelten` costs next to nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from umwelten.version import __version__

if TYPE_CHECKING:
    from umwelten import statistics
    from umwelten.api import (
        Answer,
        Answers,
        Failure,
        Job,
        NeverRun,
        Results,
        Summary,
        batch,
        compare,
        evaluations,
        memory,
        open,
        rank,
        run,
        suite,
    )
    from umwelten.api.answer_score import AnswerScore
    from umwelten.api.answer_tool_call import AnswerToolCall
    from umwelten.api.leaderboards import Leaderboard
    from umwelten.api.mcp import MCP
    from umwelten.api.memory_store import LearnJob, Memory
    from umwelten.api.rank_job import RankJob
    from umwelten.api.rankings import Ranking
    from umwelten.api.score_job import ScoreJob
    from umwelten.api.scorers import (
        F1,
        Choice,
        Chrf,
        Command,
        Contains,
        ContainsAll,
        ContainsAny,
        Cost,
        Edit,
        Ends,
        Exact,
        Fields,
        Finish,
        Function,
        Json,
        Judge,
        Label,
        Latency,
        Length,
        Math,
        Number,
        Python,
        Regex,
        Rouge1,
        Rouge2,
        RougeL,
        Score,
        Scorer,
        Set,
        Starts,
        Table,
        Tokens,
    )
    from umwelten.api.scores import ScorerFigures, Scores
    from umwelten.api.suite_job import SuiteJob
    from umwelten.choices import Message
    from umwelten.errors import (
        ConfigError,
        EvaluationBusy,
        EvaluationChanged,
        EvaluationExists,
        InputError,
        LocalModelError,
        StoreError,
        UmweltenError,
        UsageError,
    )
    from umwelten.evaluation.memory.collection import Learnt
    from umwelten.evaluation.run_state import Change, RunState
    from umwelten.events import Event
    from umwelten.report.comparison.comparison import Comparison
    from umwelten.store.memory.facts import Fact
    from umwelten.tools.tool import StopCall, ToolContext, ToolError, tool
    from umwelten.types import Usage

__all__ = [
    "F1",
    "MCP",
    "Answer",
    "AnswerScore",
    "AnswerToolCall",
    "Answers",
    "Change",
    "Choice",
    "Chrf",
    "Command",
    "Comparison",
    "ConfigError",
    "Contains",
    "ContainsAll",
    "ContainsAny",
    "Cost",
    "Edit",
    "Ends",
    "EvaluationBusy",
    "EvaluationChanged",
    "EvaluationExists",
    "Event",
    "Exact",
    "Fact",
    "Failure",
    "Fields",
    "Finish",
    "Function",
    "InputError",
    "Job",
    "Json",
    "Judge",
    "Label",
    "Latency",
    "Leaderboard",
    "LearnJob",
    "Learnt",
    "Length",
    "LocalModelError",
    "Math",
    "Memory",
    "Message",
    "NeverRun",
    "Number",
    "Python",
    "RankJob",
    "Ranking",
    "Regex",
    "Results",
    "Rouge1",
    "Rouge2",
    "RougeL",
    "RunState",
    "Score",
    "ScoreJob",
    "Scorer",
    "ScorerFigures",
    "Scores",
    "Set",
    "Starts",
    "StopCall",
    "StoreError",
    "SuiteJob",
    "Summary",
    "Table",
    "Tokens",
    "ToolContext",
    "ToolError",
    "UmweltenError",
    "Usage",
    "UsageError",
    "__version__",
    "batch",
    "compare",
    "evaluations",
    "memory",
    "open",
    "rank",
    "run",
    "statistics",
    "suite",
    "tool",
]

_HOMES = {
    "AnswerScore": "umwelten.api.answer_score",
    "AnswerToolCall": "umwelten.api.answer_tool_call",
    "Change": "umwelten.evaluation.run_state",
    "Comparison": "umwelten.report.comparison.comparison",
    "Event": "umwelten.events",
    "Fact": "umwelten.store.memory.facts",
    "Leaderboard": "umwelten.api.leaderboards",
    "LearnJob": "umwelten.api.memory_store",
    "Learnt": "umwelten.evaluation.memory.collection",
    "Memory": "umwelten.api.memory_store",
    "Message": "umwelten.choices",
    "MCP": "umwelten.api.mcp",
    "RankJob": "umwelten.api.rank_job",
    "Ranking": "umwelten.api.rankings",
    "RunState": "umwelten.evaluation.run_state",
    "ScoreJob": "umwelten.api.score_job",
    "ScorerFigures": "umwelten.api.scores",
    "Scores": "umwelten.api.scores",
    "SuiteJob": "umwelten.api.suite_job",
    "StopCall": "umwelten.tools.tool",
    "ToolContext": "umwelten.tools.tool",
    "ToolError": "umwelten.tools.tool",
    "Usage": "umwelten.types",
    "tool": "umwelten.tools.tool",
}
_ERRORS, _SCORERS = "umwelten.errors", "umwelten.api.scorers"


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module 'umwelten' has no attribute {name!r}")
    import importlib

    if name == "statistics":
        return importlib.import_module("umwelten.statistics")
    home = _HOMES.get(name)
    if home is None:
        homes = (_ERRORS, "umwelten.api", _SCORERS)
        home = next(each for each in homes if hasattr(importlib.import_module(each), name))
    value: object = getattr(importlib.import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
