"""What is measured, each against a baseline in the same process or, for start-up, the same loop of processes."""

import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

import sim

__all__ = ["BENCHMARKS"]

Result = dict[str, float]


def base_world(*, quick: bool) -> Result:
    """A stored run of the base world, programs compiled, against NumPy drawing as many standard normals."""
    draws = 4_096 if quick else 100_000
    world = sim.load("base")
    sim.run(world, draws=2_048)
    variates = sum(entry.distribution.family != "fixed" for entry in world.entries)
    with tempfile.TemporaryDirectory() as folder:
        run = _seconds(lambda: sim.run(world, draws=draws, seed=1, out=Path(folder) / "runs"))
    generator = np.random.default_rng(0)
    block = np.empty((variates, 2_048))
    normals = _seconds(lambda: [generator.standard_normal(out=block) for _ in range(-(-draws // 2_048))])
    return {
        "draws": draws,
        "random numbers a draw": variates,
        "run, s": run,
        "draws a second": draws / run,
        "NumPy normals, s": normals,
        "ratio run / NumPy normals": run / normals,
        "peak memory, GB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
    }


def start_up(*, quick: bool) -> Result:
    """``chipcast --help`` against an empty Python program, medians of interleaved processes."""
    rounds = 1 if quick else 9
    commands = {
        "help": [
            sys.executable,
            "-c",
            "import sys; sys.argv = ['chipcast', '--help']; from sim.cli import main; main()",
        ],
        "empty": [sys.executable, "-c", "pass"],
    }
    times: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            times[name].append(_seconds(lambda c=command: subprocess.run(c, check=True, capture_output=True)))
    medians = {name: statistics.median(found) for name, found in times.items()}
    return {
        "chipcast --help, s": medians["help"],
        "empty Python, s": medians["empty"],
        "ratio help / empty": medians["help"] / medians["empty"],
    }


def _seconds(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


BENCHMARKS: dict[str, Callable[..., Result]] = {"base_world": base_world, "start_up": start_up}
