"""The leaderboard of a suite as a file; the format follows from the ending."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from umwelten.report.comparison.comparison import Comparison
from umwelten.report.output_files import check_report_path, format_of, whole_file
from umwelten.report.render.leaderboard_json import leaderboard_json
from umwelten.scoring.leaderboard import Leaderboard


def check_leaderboard_path(path: Path) -> None:
    """Raises UsageError if no leaderboard can be written there: better before a run than after it."""
    check_report_path(path)


def write_leaderboard(
    board: Leaderboard,
    output_dir: Path,
    path: Path,
    comparisons: Mapping[str, Comparison] | None = None,
    *,
    left_out: Collection[str] = (),
) -> None:
    """Write the board in the format of the file's ending; what stood at `path` is replaced.

    `output_dir` holds the evaluations of the tasks, which `.junit.xml` tells file by file. `comparisons` are
    those with a baseline, by task; CSV and Parquet have none. `left_out` names tasks that were not meant to
    run: in JUnit they are no errors. Raises UsageError, StoreError.
    """
    check_leaderboard_path(path)
    compared = comparisons or {}
    format_ = format_of(path)
    with whole_file(path, what="report") as out:
        # A format's module is loaded when it is asked for.
        if format_ == "json":
            out.write(leaderboard_json(board, compared))
        elif format_ == "csv":
            from umwelten.report.render.leaderboard_tables import write_csv

            write_csv(board, out)
        elif format_ == "parquet":
            from umwelten.report.render.leaderboard_tables import write_parquet

            write_parquet(board, out.buffer)
        elif format_ == "junit":
            from umwelten.report.render.leaderboard_junit import write_junit

            write_junit(board, output_dir, compared, out, left_out=left_out)
        elif format_ == "html":
            from umwelten.report.render.leaderboard_page import write_page

            write_page(board, compared, out)
        else:
            from umwelten.report.render.leaderboard_markdown import write_markdown

            write_markdown(board, compared, out)
