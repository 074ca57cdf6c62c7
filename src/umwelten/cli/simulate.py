"""`umwelten simulate`: the lanes against a provider that exists in virtual time only."""

from __future__ import annotations

from pathlib import Path

import click
import msgspec

from umwelten.cli.flag_names import as_flag
from umwelten.cli.json_output import print_json
from umwelten.cli.single_option import option
from umwelten.control.attribution import advice
from umwelten.simulate.chart import chart
from umwelten.simulate.profile import SimulationProfile, load_profile
from umwelten.simulate.run import LaneReport, Report
from umwelten.simulate.run import simulate as run_simulation


@click.command()
@click.argument("profile", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@option(
    "--calls", type=click.IntRange(1, 1_000_000), default=3000, show_default=True, help="Number of calls."
)
@option("--seed", type=int, default=0, show_default=True, help="The same seed gives the same run.")
@option("--json", "as_json", is_flag=True, help="The whole report as JSON.")
@option(
    "--chart",
    "chart_path",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE.svg",
    help="Draw the calls let in and refused over time, beside what was possible, as SVG.",
)
def simulate(profile: Path, calls: int, seed: int, as_json: bool, chart_path: Path | None) -> None:
    """Run CALLS calls against the providers that PROFILE describes, in virtual time."""
    report = run_simulation(_load(profile), calls, seed)
    if chart_path is not None:
        from umwelten.report.output_files import whole_file
        from umwelten.simulate.svg_chart import svg_chart

        with whole_file(chart_path, what="chart") as file:
            file.write(svg_chart(report))
    if as_json:
        print_json(report, compact=True)
        return
    for line in describe(report):
        click.echo(line)


def _load(path: Path) -> SimulationProfile:
    if not path.is_file() and path.parts[:2] != ("/", "dev"):  # there are those of the shell's <(…)
        raise click.UsageError(f"{path} is not a regular file")
    try:
        return load_profile(path)
    except OSError as error:
        raise click.UsageError(f"cannot read {path}: {error.strerror}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise click.UsageError(f"{path}: {error}") from error


def describe(report: Report) -> list[str]:
    """The report in lines of text."""
    head = f"{report.title or 'simulation'}: {report.calls} calls in {report.wall_s:.1f} virtual seconds"
    lines = [f"{head}, computed in {report.cpu_s:.1f} s, status {report.status}"]
    for lane in report.lanes:
        lines += ["", *_lane(lane)]
    return lines


def _lane(lane: LaneReport) -> list[str]:
    shares = ", ".join(
        f"{name} {100 * part:.0f} %" for name, part in lane.attribution.parts().items() if part > 0.005
    )
    return [
        f"{lane.name}  limit found: {lane.kind}",
        f"  efficiency   {lane.efficiency:.3f}   ideal {lane.ideal_s:.1f} s, took {lane.wall_s:.1f} s",
        f"  refused      {lane.refused} of {lane.attempts} attempts, {lane.refused_per_call:.4f} a call",
        f"  latency      p50 {lane.p50_s:.2f} s, p95 {lane.p95_s:.2f} s",
        f"               p95 of a server without a queue {lane.unloaded_p95_s:.2f} s",
        f"  time         {shares}",
        f"  {advice(lane.attribution).spell(as_flag)}",
        "",
        chart(lane),
    ]
