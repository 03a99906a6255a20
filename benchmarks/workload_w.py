"""Reference workload W: the engine's primitives against how the users of other tools write the same model."""

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.contest import Contender, Goal, Result, at_most, contest, optional, result
from benchmarks.w import job as engine
from benchmarks.w import numpy_float32, numpy_float64, scipy_frozen, spec
from benchmarks.w.summary import Summary

__all__ = ["measure", "peers", "quantile_error"]

ENGINE, SIMULATION, MOMENTS = "engine", "engine, simulation only", "engine, mean and sd only"
FLOAT64, FLOAT32, SCIPY = "NumPy float64", "NumPy float32, tuned", "SciPy frozen"
NUMBA, NUMPYRO, SQUIGGLEPY = "numba", "NumPyro Predictive", "squigglepy vectors"
PACKAGED = {
    NUMBA: ("numba", "benchmarks.w.numba_lanes"),
    NUMPYRO: ("numpyro", "benchmarks.w.numpyro_predictive"),
    SQUIGGLEPY: ("squigglepy", "benchmarks.w.squigglepy_vectors"),
}
"""Peers that come with the bench extra: package and module."""

SIZES = {FLOAT64: 50_000, FLOAT32: 200_000, SCIPY: 50_000, NUMBA: 1_000_000, NUMPYRO: 65_536, SQUIGGLEPY: 50_000}
"""Draws of each peer's turn: about a second or two."""
ENGINE_DRAWS, ERROR_DRAWS, QUICK = 2_000_000, 4_000_000, 4_096
GOALS = (Goal(ENGINE, FLOAT64, 30), Goal(ENGINE, NUMPYRO, 30), Goal(ENGINE, SQUIGGLEPY, 35))
MOST_TIME, MOST_ERROR = 0.25, 0.25
"""Of quantiles: their part of the simulation's time, and their error in Monte Carlo standard errors."""

Job = Callable[[int], Summary]


def peers() -> tuple[dict[str, Job], dict[str, str]]:
    """Whole jobs by name, and which packages are missing."""
    skipped: dict[str, str] = {}
    found = {FLOAT64: numpy_float64.job, FLOAT32: numpy_float32.job, SCIPY: scipy_frozen.job}
    for name, (package, module) in PACKAGED.items():
        if (peer := optional(module, package, skipped)) is not None:
            found[name] = peer.job
    return found, skipped


def measure(*, quick: bool) -> Result:
    jobs, skipped = peers()
    own = {ENGINE: engine.job, MOMENTS: engine.moments, SIMULATION: engine.simulation}
    sizes = dict.fromkeys([*own, *jobs], QUICK) if quick else {**dict.fromkeys(own, ENGINE_DRAWS), **SIZES}
    contenders = [
        Contender(name, lambda work=work, draws=sizes[name]: work(draws), sizes[name])
        for name, work in (own | jobs).items()
    ]
    rounds, goals = (1, ()) if quick else (5, GOALS)
    turns = contest(contenders, baseline=FLOAT64, rounds=rounds, unit="draws", goals=goals)
    error = quantile_error(QUICK if quick else ERROR_DRAWS)
    added = _added(turns["contenders"])
    if not quick:
        turns["goals"] |= {"quantiles' time": at_most(added, MOST_TIME), "quantiles' error": at_most(error, MOST_ERROR)}
    facts = {
        "quantiles add to the simulation's time": added,
        "all statistics add to the simulation's time": _added(turns["contenders"], SIMULATION),
        "rms error of quantiles, Monte Carlo standard errors": error,
    }
    about = "W: simulate, then mean, sd and 7 quantiles of 136 outputs; and parts of the engine's job."
    return result(about, skipped=skipped, facts=facts, **turns)


def _added(contenders: dict[str, Any], without: str = MOMENTS) -> float:
    """What the engine's whole job takes more than a part of it, in units of the simulation's time."""
    time = {name: each["seconds"] / each["amount"] for name, each in contenders.items()}
    return (time[ENGINE] - time[without]) / time[SIMULATION]


def quantile_error(draws: int, seed: int = 0) -> float:
    """Root mean square error of the job's quantiles against order statistics of the same draws.

    In units of each quantile's Monte Carlo standard error, itself half the distance between the order statistics one
    binomial standard deviation below and above. Quantiles inside an atom have none and are left out.
    """
    found = engine.job(draws, seed).quantiles
    cells = engine.outputs(draws, seed)
    cells.sort(axis=1)
    size = cells.shape[1]
    level = np.array(spec.PROBABILITIES)
    place, spread = level * (size - 1), np.sqrt(size * level * (1 - level))
    low, middle, high = (cells[:, np.round(each).astype(int)].T for each in (place - spread, place, place + spread))
    error = (high - low) / 2
    return float(np.sqrt(np.mean(((found - middle)[error > 0] / error[error > 0]) ** 2)))
