"""How long a command takes from the start of its process: help, and a cold, a warm and a finished base run."""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.contest import Contender, Result, at_most, contest, result

__all__ = ["measure"]

CHIPCAST = (sys.executable, "-c", "import sys; sys.argv[0] = 'chipcast'; from sim.cli import main; main()")
LAST_LINE = "draws, seed"
"""Stands in the line below the headline table."""


def measure(*, quick: bool) -> Result:
    draws, rounds, runs = (2_048, 1, 1) if quick else (100_000, 9, 3)
    turns = contest(
        [
            Contender("empty Python", lambda: _finish((sys.executable, "-c", "pass")), 1),
            Contender("chipcast --help", lambda: _finish((*CHIPCAST, "--help")), 1),
        ],
        baseline="empty Python",
        rounds=rounds,
        unit="processes",
    )
    facts, warm_table = _runs(draws, runs)
    return result(
        f"chipcast --help, and chipcast run --draws {draws}: programs to compile (cold), cached (warm), run finished.",
        facts=facts,
        **turns | {"goals": {} if quick else {"warm run, start to table, s": at_most(warm_table, 6)}},
    )


def _runs(draws: int, warm_runs: int) -> tuple[dict[str, float], float]:
    """Times of a run with an empty cache folder and medians of those after it; the last is the warm table's."""
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "XDG_CACHE_HOME": str(Path(folder) / "cache")}
        command = (*CHIPCAST, "run", "--draws", str(draws), "--fresh", "--out", str(Path(folder) / "runs"))
        cold = _watch(command, environment)
        warm = [_watch(command, environment) for _ in range(warm_runs)]
        again = [argument for argument in command if argument != "--fresh"]
        finished = [_watch(again, environment) for _ in range(warm_runs)]
    table, end = (statistics.median(each) for each in zip(*warm, strict=True))
    return {
        "cold run, start to table, s": cold[0],
        "cold run, start to exit, s": cold[1],
        "warm run, start to table, s": table,
        "warm run, start to exit, s": end,
        "finished run asked again, start to exit, s": statistics.median(end for _, end in finished),
    }, table


def _finish(command: tuple[str, ...]) -> None:
    subprocess.run(command, check=True, capture_output=True)


def _watch(command: Sequence[str], environment: Mapping[str, str]) -> tuple[float, float]:
    """Seconds until the headline table has been printed, and until the process has ended."""
    began, printed = time.perf_counter(), None
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as running:
        for line in running.stdout or ():
            if printed is None and LAST_LINE in line:
                printed = time.perf_counter() - began
    if running.returncode or printed is None:
        raise RuntimeError(f"{' '.join(command)} ended with {running.returncode} and printed no table; run it by hand")
    return printed, time.perf_counter() - began
