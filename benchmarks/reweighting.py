"""An ensemble in memory conditioned: weights, k-hat, effective draws, moved beliefs, weighted quantiles."""

import time

import numpy as np

from benchmarks.contest import Result, at_most, result
from sim.conditioning.observations import log_likelihood
from sim.conditioning.posterior import CARRIED
from sim.conditioning.sample import Sample, moved, statistics
from sim.conditioning.weights import effective_size, thinned, weigh

__all__ = ["measure"]

DRAWS, QUICK = 1_000_000, 20_000
BELIEFS = 1_431
"""Numbers behind a draw of the book of February 2025."""
OBSERVED = 14
ERROR = 2.0
GOAL = 5.0


def measure(*, quick: bool) -> Result:
    """Seconds of each part, on standard normal beliefs of which the first are observed with twice their spread."""
    draws = QUICK if quick else DRAWS
    beliefs = np.random.default_rng(0).standard_normal((BELIEFS, draws), dtype=np.float32)
    residuals = (np.linspace(-1, 1, OBSERVED)[:, None] - beliefs[:OBSERVED]) / ERROR
    laps, clock = [], time.perf_counter
    laps.append(clock())
    weighing = weigh(log_likelihood(residuals))
    laps.append(clock())
    before, after = (_sample(beliefs, weights) for weights in (np.full(draws, 1 / draws), weighing.weights))
    laps.append(clock())
    change = moved(before, after)
    laps.append(clock())
    statistics(after.values, after.weights, after.effective)
    laps.append(clock())
    names = ("weights, k-hat, effective draws", "draws carried", "moved beliefs", "weighted quantiles with errors")
    whole = f"{draws:,} draws of {BELIEFS:,} beliefs conditioned, s"
    return result(
        "An ensemble in memory, reweighted by 14 observations.",
        facts={
            **dict(zip(names, np.diff(laps).tolist(), strict=True)),
            "effective draws": weighing.effective,
            "largest shift, sd": float(np.abs(change.shift).max()),
        },
        goals={whole: at_most(laps[-1] - laps[0], GOAL)},
    )


def _sample(beliefs: np.ndarray, weights: np.ndarray) -> Sample:
    """The draws that stand for all."""
    carried = thinned(weights, CARRIED)
    values = np.take(beliefs, carried.places, axis=1)
    return Sample(values, values[:0], carried.weights, effective_size(carried.weights))
