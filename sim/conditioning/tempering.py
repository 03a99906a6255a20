"""From prior to posterior in small steps, where too few draws of the prior carry the weight (sequential Monte Carlo).

The likelihood is raised to powers that grow from 0 to 1. At each the particles are weighted and drawn again, and then
moved by steps of preconditioned Crank-Nicolson on their independent normal scores, which leave the prior as it is:

    z' = sqrt(1 - b^2) z + b e,   accepted with probability min(1, (L(z') / L(z))^power)

A score to which the observations are sensitive has a small b, one of which they say nothing is drawn anew at once.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Float64, Int64

from sim.conditioning.observations import log_likelihood
from sim.conditioning.weights import effective_size
from sim.errors import RefusedError

__all__ = ["Tempered", "effective", "temper"]

Scores = Float32[np.ndarray, "variate draw"]
Residuals = Float64[np.ndarray, "quantity draw"]
LogLikelihood = Float64[np.ndarray, " draw"]

KEEP = 0.5
"""Part of the particles that is effective after each reweighting."""
BISECTIONS = 50
MOST_STAGES = 60
ACCEPTANCE = 0.3
"""Part of proposals accepted that the step is steered to."""
STEERING = 1.0
"""Change of the step's logarithm for each unit by which acceptance is off."""
ACCEPTED = 4.0
"""Accepted moves of a particle, on average, after each drawing again."""
AT_LAST = 3.0
"""How many times as many at the posterior itself."""
MOST_MOVES = 60
FIRST_STEP = 0.5
"""Standard errors by which a first step changes the observed quantities through each score that moves them."""
LEAST_STEP = 0.01
"""The same below which a particle stays where it is, however often it moves."""

REMEDY = "widen the errors, leave out what contradicts the rest, or condition a book that allows for it"


class Tempered(NamedTuple):
    """Equally weighted particles of the posterior, and how they came to be."""

    scores: Scores
    residuals: Residuals
    ancestors: Int64[np.ndarray, " draw"]
    """The particle of the prior that each descends from."""
    powers: tuple[float, ...]
    acceptance: tuple[float, ...]


def temper(
    scores: Scores,
    residuals_of: Callable[[Scores], Residuals],
    rng: np.random.Generator,
    progress: Callable[[float], None] | None = None,
) -> Tempered:
    """Carry independent standard normal scores from the prior to the posterior.

    ``residuals_of`` gives each observation's distance from what the scores make of it, in standard errors.
    RefusedError: the posterior is not reached, because the particles cannot move there.
    """
    residuals = residuals_of(scores)
    reach = sensitivity(scores, residuals)
    ancestors, step = np.arange(scores.shape[1]), FIRST_STEP
    powers, acceptance = [0.0], list[float]()
    while powers[-1] < 1:
        if len(powers) > MOST_STAGES:
            raise degenerate(f"the {MOST_STAGES} stages reach the power {powers[-1]:.2g} of the likelihood")
        powers.append(next_power(log_likelihood(residuals), powers[-1]))
        chosen = drawn_again((powers[-1] - powers[-2]) * log_likelihood(residuals), rng)
        scores, residuals, ancestors = scores[:, chosen], residuals[:, chosen], ancestors[chosen]
        scores, residuals, step, rate = _moved(scores, residuals, residuals_of, reach, step, powers[-1], rng)
        acceptance.append(rate)
        if progress is not None:
            progress(powers[-1])
    return Tempered(scores, residuals, ancestors, tuple(powers), tuple(acceptance))


def degenerate(problem: str) -> RefusedError:
    """Make the refusal of observations that the draws cannot be brought to."""
    return RefusedError("condition-degenerate", problem, remedy=REMEDY)


def sensitivity(scores: Scores, residuals: Residuals) -> Float64[np.ndarray, " variate"]:
    """Standard errors by which the observations move for a unit of each score: length of the regression slopes."""
    away = residuals - residuals.mean(axis=1, keepdims=True)
    slopes = scores.astype(np.float64) @ away.T / scores.shape[1]
    return np.sqrt((slopes**2).sum(axis=1))


def next_power(found: LogLikelihood, power: float) -> float:
    """The largest power up to 1 at which enough of equally weighted particles stay effective."""

    def kept(next_: float) -> float:
        return effective_size(_weights((next_ - power) * found)) / len(found)

    if kept(1.0) >= KEEP:
        return 1.0
    low, high = power, 1.0
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if kept(middle) >= KEEP else (low, middle)
    return high


def _weights(log_weights: LogLikelihood) -> Float64[np.ndarray, " draw"]:
    raw = np.exp(log_weights - log_weights.max())
    return np.asarray(raw / raw.sum())


def drawn_again(log_weights: LogLikelihood, rng: np.random.Generator) -> Int64[np.ndarray, " draw"]:
    """Systematic resampling: as many particles, each as often as its weight says, by chance only in the last one."""
    upto = np.cumsum(_weights(log_weights))
    at = (np.arange(len(upto)) + rng.random()) / len(upto)
    return np.minimum(np.searchsorted(upto, at, side="right"), len(upto) - 1)


def _moved(
    scores: Scores,
    residuals: Residuals,
    residuals_of: Callable[[Scores], Residuals],
    reach: Float64[np.ndarray, " variate"],
    step: float,
    power: float,
    rng: np.random.Generator,
) -> tuple[Scores, Residuals, float, float]:
    """Move particles until each has accepted enough, and the step and the acceptance that came of it."""
    accepted, moves, found = 0.0, 0, log_likelihood(residuals)
    wanted = ACCEPTED * (AT_LAST if power == 1 else 1)
    while accepted < wanted and moves < MOST_MOVES:
        part = np.minimum(step / np.maximum(reach * np.sqrt(power), step), 1).astype(np.float32)[:, None]
        fresh = rng.standard_normal(scores.shape, dtype=np.float32)
        proposed = np.sqrt(1 - part * part) * scores + part * fresh
        there = residuals_of(proposed)
        gain = power * (log_likelihood(there) - found)
        taken = np.log1p(-rng.random(len(found))) < gain
        scores, residuals = np.where(taken, proposed, scores), np.where(taken, there, residuals)
        found, rate = log_likelihood(residuals), float(taken.mean())
        step *= float(np.exp(STEERING * (rate - ACCEPTANCE)))
        accepted, moves = accepted + rate, moves + 1
    if accepted < wanted or step < LEAST_STEP:
        raise degenerate(f"particles hardly move any more at the power {power:.2g} of the likelihood")
    return scores, residuals, step, accepted / moves


def effective(tempered: Tempered) -> float:
    """Independent draws as exact as the particles for the least exact observed quantity (Chan and Lai, 2013).

    The variance of a mean is told by how far the descendants of each particle of the prior stand off together.
    """
    rows = np.concatenate([tempered.residuals, log_likelihood(tempered.residuals)[None]])
    away = rows - rows.mean(axis=1, keepdims=True)
    families = np.stack([np.bincount(tempered.ancestors, row) for row in away])
    together = (families**2).sum(axis=1)
    alone = (away**2).sum(axis=1)
    return float(away.shape[1] * np.min(alone / np.maximum(together, alone)))
