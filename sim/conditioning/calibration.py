"""Simulation-based calibration: with data made from a draw, its rank within the posterior must be uniform.

One ensemble serves all repetitions: draw i is the truth, its quantities with noise the data, all other draws are
weighted. Ranks of parameters miss a likelihood that is ignored, the rank of the log-likelihood sees it (Modrak 2023).
``python -m sim.conditioning.calibration`` does it for a book.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64
from scipy.stats import chi2

from sim import devices, world
from sim.book.load import load
from sim.conditioning.observations import Observation, log_likelihood, quantities, read, residuals
from sim.conditioning.weights import weigh
from sim.ensemble import ensemble

__all__ = ["Ranks", "ranks", "uniform"]

BINS = 10
"""Bins that ranks are counted in."""


class Ranks(NamedTuple):
    """Probability integral transforms of each truth within its posterior."""

    parameters: Float64[np.ndarray, "parameter truth"]
    log_likelihood: Float64[np.ndarray, " truth"]
    effective: Float64[np.ndarray, " truth"]


def ranks(
    observations: Sequence[Observation],
    drawn: Float64[np.ndarray, "quantity draw"],
    parameters: Float64[np.ndarray, "parameter draw"],
    truths: int,
    rng: np.random.Generator,
) -> Ranks:
    """Ranks of the first draws, each as the truth in turn, within the posterior of all others.

    The values of the observations are replaced by the truth's quantities with noise; their errors stay.
    """
    error = np.array([each.error for each in observations])
    of_parameters, of_likelihood, effective = np.empty((len(parameters), truths)), np.empty(truths), np.empty(truths)
    for truth in range(truths):
        made = drawn[:, truth] + error * rng.standard_normal(len(error))
        data = [each._replace(value=float(value)) for each, value in zip(observations, made, strict=True)]
        found = log_likelihood(residuals(data, drawn))
        own, others = found[truth], np.delete(found, truth)
        weighing = weigh(others)
        below = np.delete(parameters, truth, axis=1) < parameters[:, truth, None]
        of_parameters[:, truth] = below @ weighing.weights
        of_likelihood[truth] = (others < own) @ weighing.weights
        effective[truth] = weighing.effective
    return Ranks(of_parameters, of_likelihood, effective)


def uniform(ranks: Float64[np.ndarray, " truth"]) -> float:
    """Probability of counts as uneven as these, were the ranks uniform (chi-square of ten bins)."""
    counts = np.histogram(ranks, bins=BINS, range=(0, 1))[0]
    expected = len(ranks) / BINS
    return float(chi2.sf(((counts - expected) ** 2).sum() / expected, BINS - 1))


def main() -> None:
    """Calibrate a book on the quantities and errors of a file, and print how uniform the ranks are."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("observations", type=Path)
    parser.add_argument("--book", default="2025-02-12")
    parser.add_argument("--truths", type=int, default=3_000)
    parser.add_argument("--draws", type=int, default=50_000)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    devices.cache_programs()
    built, observations = world.build(load(asked.book)), read(asked.observations)
    wanted = quantities(built, observations)
    drawn = ensemble(built, wanted, draws=asked.draws, seed=asked.seed).quantities
    found = ranks(observations, drawn, drawn, asked.truths, np.random.default_rng(asked.seed))
    for name, row in zip([*map(str, wanted), "log-likelihood"], [*found.parameters, found.log_likelihood], strict=True):
        print(f"{name:32} p = {uniform(row):.3g}")
    print(f"effective draws: {np.quantile(found.effective, [0.05, 0.5]).round()} (P5, P50) of {asked.draws:,}")


if __name__ == "__main__":
    main()
