"""Peak memory of a run of the base world against its number of draws, each in a process of its own."""

import subprocess
import sys
from collections.abc import Sequence

from benchmarks.contest import Result, result

__all__ = ["measure"]

RUN = """
import sys, sim
from pathlib import Path
sim.run(sim.load(), draws=int(sys.argv[1]), seed=0)
print(next(line.split()[1] for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM")))
"""
"""VmHWM is the process's own; ``ru_maxrss`` begins at the peak of the one that started it."""


def measure(*, quick: bool, draws: Sequence[int] = (100_000, 1_000_000)) -> Result:
    sizes = (2_048, 4_096) if quick else draws
    if not sys.platform.startswith("linux"):
        return result("Peak memory of sim.run", notes=["needs Linux's /proc: not measured"])
    peaks = {size: _peak(size) for size in sizes}
    facts = {f"{size:,} draws, GB": peak for size, peak in peaks.items()}
    facts["most draws / fewest draws"] = peaks[max(sizes)] / peaks[min(sizes)]
    return result("Peak memory of sim.run on the base world, process by process.", facts=facts)


def _peak(draws: int) -> float:
    """Peak resident memory of a process that runs so many draws [GB]."""
    done = subprocess.run([sys.executable, "-c", RUN, str(draws)], check=True, capture_output=True, text=True)
    return int(done.stdout.split()[-1]) * 1024 / 1e9
