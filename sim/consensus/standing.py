"""Where a published point stands among the draws, and how the beliefs of the draws beyond it differ from all.

Beyond a point are the draws at or above it where it is above the median, at or below it where it is below. Beliefs are
compared by the mean of their normal scores (``shares.scores``) over these draws: how many standard deviations of the
prior they lie higher. In a linear Gaussian case that is the correlation of belief and outcome times the inverse Mills
ratio of the point.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Float32, Float64
from scipy.special import ndtri

from sim import history, published
from sim.book.schema import Prior
from sim.consensus.region import Region, region
from sim.distributions import Fixed
from sim.ensemble import Quantity, ensemble, quantity
from sim.errors import BookError
from sim.published import Published
from sim.reduce import Figure
from sim.shares import scores
from sim.world import World

__all__ = ["DRAWS", "FEWEST", "Belief", "Figure", "Standing", "consensus", "share_below"]

DRAWS = 20_480
FEWEST = 100
"""Draws on which a comparison of beliefs rests at least; with fewer beyond it a point is outside."""
LEAST_DRAWS = 10 * FEWEST
CLEAR = 3.0
"""Standard errors by which a shift must exceed 0 to be told from chance, however few beliefs are looked at."""
CHANCE = 0.01
"""Chance that any belief is called clear though none has to do with the point [1]."""
BOXED = 3
"""Beliefs of which a region is sought."""
QUANTILES = (0.05, 0.5, 0.95)


@dataclass(frozen=True)
class Belief:
    """What one prior has to be for a point: its number that differs most, in the unit of its file."""

    prior: str
    entry: str
    """The number meant, ``prior[labels]``."""
    count: int
    """How many numbers of the prior were looked at."""
    unit: str
    shift: Figure
    """By how much it lies higher in the draws beyond the point, in standard deviations of the prior."""
    p05: float
    p50: float
    p95: float
    median: float
    """Among the draws beyond the point, where ``p50`` is that of the prior."""


@dataclass(frozen=True)
class Standing:
    """A published point among the draws of a world."""

    point: Published
    book: str
    as_of: str
    draws: int
    later: bool
    """Whether it was published after the book's date."""
    over: bool
    """Whether its period was over by then, so that ours is a nowcast."""
    below: Figure
    """Part of the draws that lies below it [1]."""
    p05: float
    p50: float
    p95: float
    above: bool
    """Whether the draws beyond it are those at or above it."""
    beyond: int
    """How many draws are beyond it."""
    outside: bool
    """Whether these are fewer than ``FEWEST``, so that as many of the most extreme draws were taken instead."""
    beliefs: tuple[Belief, ...]
    """Priors whose shift is told from chance, the largest first."""
    region: Region | None
    """A box of the first of these beliefs, in the units of their files."""


class Numbers(NamedTuple):
    """The numbers behind the draws that are random: whose they are, their values and normal scores."""

    named: list[tuple[Prior, tuple[str, ...]]]
    values: Float32[np.ndarray, "entry draw"]
    scores: Float32[np.ndarray, "entry draw"]


def consensus(
    world: World,
    *,
    draws: int = DRAWS,
    seed: int = 0,
    points: Sequence[Published] | None = None,
    later: bool = False,
    progress: Callable[[int], None] | None = None,
) -> list[Standing]:
    """Where published points stand: those of a period that the run forecasts, the shipped ones if none are given.

    Points published after the book's date are left out unless asked for with ``later``. BookError: too few draws, or
    a quantity of the points given that the world does not have.
    """
    if draws < LEAST_DRAWS:
        raise BookError("consensus-draws", f"{draws:,} draws are too few", remedy=f"ask for {LEAST_DRAWS:,} or more")
    given = published.read() if points is None else points
    asked = [point for point in given if later or point.date <= world.book.as_of]
    found = [(point, wanted) for point in asked if (wanted := _quantity(world, point, strict=points is not None))]
    if not found:
        return []
    made = ensemble(world, [wanted for _, wanted in found], draws=draws, seed=seed, beliefs=True, progress=progress)
    numbers = _numbers(world, made.beliefs)
    told = zip(found, made.quantities, strict=True)
    return [standing(world, *each, values, numbers) for each, values in told if values.min() < values.max()]


def _quantity(world: World, point: Published, *, strict: bool) -> Quantity | None:
    """What a point is of; nothing where the run has no such period, or the book no such label."""
    try:
        return quantity(world, point.quantity)
    except BookError as error:
        if error.code == "quantity-period" or (error.code == "quantity-label" and not strict):
            return None
        raise BookError(error.code, f"points.{point.key}: {error.problem}", remedy=error.remedy) from None


def _numbers(world: World, beliefs: Float32[np.ndarray, "entry draw"]) -> Numbers:
    """The random numbers of a world with their draws."""
    named = [(world.book.priors[name], labels) for name, labels in world.named]
    rows = [row for row, (prior, labels) in enumerate(named) if not isinstance(prior.table[labels], Fixed)]
    values = beliefs[rows]
    return Numbers([named[row] for row in rows], values, scores(values))


def standing(
    world: World,
    point: Published,
    of: Quantity,
    drawn: Float64[np.ndarray, " draw"],
    numbers: Numbers,
) -> Standing:
    """One point among the draws of its quantity."""
    p05, p50, p95 = (float(each) for each in np.quantile(drawn, QUANTILES))
    above = bool(point.value > p50)
    beyond = drawn >= point.value if above else drawn <= point.value
    chosen = beyond if beyond.sum() >= FEWEST else _extreme(drawn, above=above)
    last = world.book.axes["time"][int(np.flatnonzero(of.weights)[-1])]
    rows = [row for row, (prior, labels) in enumerate(numbers.named) if prior.by(labels, last[:4])]
    beliefs, first = _beliefs(numbers, rows, chosen)
    factors = np.array([[numbers.named[row][0].factor] for row in first])
    return Standing(
        point=point,
        book=world.book.name,
        as_of=world.book.as_of.isoformat(),
        draws=len(drawn),
        later=point.date > world.book.as_of,
        over=history.quarter_span(last)[1] <= world.book.as_of,
        below=share_below(drawn, point.value),
        p05=p05,
        p50=p50,
        p95=p95,
        above=above,
        beyond=int(beyond.sum()),
        outside=bool(beyond.sum() < FEWEST),
        beliefs=beliefs,
        region=region(numbers.values[first] / factors, chosen) if first else None,
    )


def share_below(drawn: Float[np.ndarray, " draw"], value: float) -> Figure:
    """Part of the draws below a value, and its error: never 0, since no count of draws proves a chance of none."""
    below, draws = int((drawn < value).sum()), len(drawn)
    part = (below + 1) / (draws + 2)
    return Figure(below / draws, float(np.sqrt(part * (1 - part) / (draws + 3))))


def _extreme(drawn: Float64[np.ndarray, " draw"], *, above: bool) -> Bool[np.ndarray, " draw"]:
    """The ``FEWEST`` greatest or least draws."""
    chosen = np.zeros(len(drawn), bool)
    order = np.argsort(drawn, kind="stable")
    chosen[order[-FEWEST:] if above else order[:FEWEST]] = True
    return chosen


def shifts(
    scored: Float32[np.ndarray, "entry draw"], chosen: Bool[np.ndarray, " draw"]
) -> tuple[Float64[np.ndarray, " entry"], Float64[np.ndarray, " entry"]]:
    """Mean normal score of each number over the draws chosen [standard deviations of the prior], and its error."""
    taken = scored[:, chosen].astype(np.float64)
    return taken.mean(axis=1), taken.std(axis=1, ddof=1) / np.sqrt(taken.shape[1])


def _beliefs(
    numbers: Numbers, rows: list[int], chosen: Bool[np.ndarray, " draw"]
) -> tuple[tuple[Belief, ...], list[int]]:
    """Clear beliefs, one a prior, the largest shift first; and the rows of those of which a region is sought."""
    shift, error = shifts(numbers.scores[rows], chosen)
    by_chance = np.maximum(error, 1 / np.sqrt(chosen.sum()))
    least = max(CLEAR, -float(ndtri(CHANCE / 2 / len(rows)))) * by_chance
    found = []
    for name, group in _groups(numbers, rows).items():
        at = max(group, key=lambda each: abs(shift[each]))
        if abs(shift[at]) > least[at]:
            found.append((Figure(float(shift[at]), float(error[at])), rows[at], len(group), name))
    found.sort(key=lambda each: -abs(each[0].value))
    told = tuple(_belief(numbers, row, count, moved, chosen) for moved, row, count, _ in found)
    return told, [row for _, row, _, _ in found[:BOXED]]


def _groups(numbers: Numbers, rows: Iterable[int]) -> dict[str, list[int]]:
    """Places among ``rows`` of the numbers of each prior."""
    groups: dict[str, list[int]] = {}
    for place, row in enumerate(rows):
        groups.setdefault(numbers.named[row][0].name, []).append(place)
    return groups


def _belief(numbers: Numbers, row: int, count: int, shift: Figure, chosen: Bool[np.ndarray, " draw"]) -> Belief:
    prior, labels = numbers.named[row]
    p05, p50, p95 = (prior.table[labels].quantile(p) / prior.factor for p in QUANTILES)
    return Belief(
        prior=prior.name,
        entry=f"{prior.name}[{','.join(labels)}]" if labels else prior.name,
        count=count,
        unit=prior.unit,
        shift=shift,
        p05=p05,
        p50=p50,
        p95=p95,
        median=float(np.median(numbers.values[row][chosen])) / prior.factor,
    )
