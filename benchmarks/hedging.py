"""What sending the slowest calls once more is worth: time of the last answer, and requests paid for.

    python -m benchmarks.hedging            # virtual time, then real sockets (1 minute)
    python -m benchmarks.hedging --small    # fewer seeds and one round

Virtual time: a call in a hundred takes six times as long as others (`stragglers`), medians of the seeds.
Real sockets: a provider of which one reply in fifty takes fifty times as long, medians of the rounds.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.contestants import UMWELTEN, Work
from benchmarks.provider import Provider, provider
from umwelten.simulate.profile import Latency, SimulationProfile
from umwelten.simulate.profile import Provider as Simulated
from umwelten.simulate.run import simulate

CALLS, SEEDS, ROUNDS = 400, 9, 3
SHARES = (0.0, 0.01, 0.05, 0.2)

USUAL_S, SLOW_S, EVERY = 0.1, 5.0, 50
REAL_CALLS, IN_FLIGHT = 2_000, 100


def simulated(share: float, in_flight: int, sigma: float, calls: int, seeds: int) -> tuple[float, float]:
    """Return the medians of the last answer's time and of the attempts by call."""
    latency = Latency(median_s=2.0, sigma=sigma, stragglers=0.01, factor=6.0)
    profile = SimulationProfile(providers=(Simulated(name="p", latency=latency),), cap=in_flight, hedge=share)
    runs = [simulate(profile, calls, seed) for seed in range(seeds)]
    assert all(run.status == "complete" and not run.lost and not run.twice for run in runs)
    attempts = statistics.median(run.lanes[0].attempts / calls for run in runs)
    return statistics.median(run.wall_s for run in runs), attempts


def real(share: float, server: Provider) -> tuple[float, float]:
    """Return how long a process takes from its start to its end, and the requests by call."""
    latencies = [USUAL_S] * (EVERY - 1) + [SLOW_S]
    server.use({"records": 0, "default": {"latency_s": latencies}})
    with tempfile.TemporaryDirectory() as folder:
        options = ("--progress", "plain", "--hedge", str(share))
        work = Work(
            url=server.url, folder=Path(folder), calls=REAL_CALLS, in_flight=IN_FLIGHT, options=options
        )
        command, env = UMWELTEN.command(work)
        started = time.perf_counter()
        subprocess.run(command, env=env, cwd=folder, check=True, capture_output=True, timeout=120)
        took_s = time.perf_counter() - started
    return took_s, server.ledger()["totals"]["requests"] / REAL_CALLS


def main(seeds: int, rounds: int) -> None:
    """Print both tables."""
    print(f"virtual time: {CALLS} calls, 1 % of them take 6 times as long, medians of {seeds} seeds")
    print(f"{'in flight':>9} {'sigma':>6} {'hedge':>6} {'last answer':>12} {'attempts a call':>16}")
    for in_flight in (20, 100):
        for sigma in (0.2, 0.5):
            for share in SHARES:
                last, attempts = simulated(share, in_flight, sigma, CALLS, seeds)
                print(f"{in_flight:>9} {sigma:>6} {share:>6} {last:>10.1f} s {attempts:>16.3f}")
    print(f"real sockets: {REAL_CALLS} calls, {IN_FLIGHT} in flight, {USUAL_S} s, one in {EVERY} {SLOW_S} s")
    print(f"{'hedge':>6} {'whole run':>12} {'requests a call':>16}")
    with provider() as server:
        found = [[real(share, server) for share in SHARES] for _ in range(rounds)]
    for number, share in enumerate(SHARES):
        took, requests = (statistics.median(row[number][part] for row in found) for part in (0, 1))
        print(f"{share:>6} {took:>10.1f} s {requests:>16.3f}")


if __name__ == "__main__":
    main(3, 1) if "--small" in sys.argv else main(SEEDS, ROUNDS)
