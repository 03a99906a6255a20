"""W and the base world on a GPU against the CPU of the same machine."""

import os
import subprocess
import sys

from benchmarks import roofline
from benchmarks.contest import Contender, Result, contest, result
from benchmarks.w import job
from sim import devices
from sim.errors import DeviceError

__all__ = ["measure"]

GPU, CPU = "gpu", "cpu"
SIZES = {GPU: 100_000_000, CPU: 1_000_000}
RUNS = {GPU: 1_000_000, CPU: 20_000}
RUN = """
import sys, time, sim
world, draws = sim.load(), int(sys.argv[1])
sim.run(world, draws=draws, seed=0)
began = time.perf_counter()
sim.run(world, draws=draws, seed=1)
print(draws / (time.perf_counter() - began))
"""
JAX_PLATFORM = {GPU: "cuda,cpu", CPU: "cpu"}


def measure(*, quick: bool) -> Result:
    about = "W, whole job, and the base world, whole run, on one GPU against this machine's CPU."
    if not _has_gpu():
        return result(about, notes=["no GPU: not measured"])
    sizes = dict.fromkeys(SIZES, 4_096) if quick else SIZES
    contenders = [Contender(name, lambda name=name: job.job(sizes[name], device=name), sizes[name]) for name in sizes]
    turns = contest(contenders, baseline=CPU, rounds=1 if quick else 5, unit="draws")
    bound = roofline.measure(quick=quick, device=GPU)["facts"]
    runs = {name: _run(name, 2_048 if quick else draws) for name, draws in RUNS.items()}
    facts = {
        "W's simulation on the GPU, fraction of its bound": bound["fraction of the bound"],
        "base world on the GPU, draws/s": runs[GPU],
        "base world on the CPU, draws/s": runs[CPU],
        "base world, GPU / CPU": runs[GPU] / runs[CPU],
    }
    return result(about, facts=facts, **turns)


def _has_gpu() -> bool:
    try:
        return devices.mesh(GPU).size > 0
    except DeviceError:
        return False


def _run(platform: str, draws: int) -> float:
    """Draws a second of a second run of the base world, in a process of its own on that platform."""
    environment = {**os.environ, "JAX_PLATFORMS": JAX_PLATFORM[platform]}
    command = [sys.executable, "-c", RUN, str(draws)]
    return float(subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout)
