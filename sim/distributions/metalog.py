"""The metalog: a distribution that goes through any three to six quantiles, if a density can."""

import math
from functools import cached_property
from typing import Literal

import numpy as np
from scipy import special

from sim.distributions.ends import Ends, from_line
from sim.distributions.family import (
    LEVELS,
    Continuous,
    Host,
    Number,
    Params,
    Scores,
    Values,
    increasing,
    inside,
    listed,
    ordered,
)
from sim.distributions.tables import interpolated, table_scores

__all__ = ["Metalog"]

FEWEST, MOST = 3, 6
"""Quantiles a metalog can be asked to meet."""
GRID = np.linspace(-8, 8, 4001)
"""Scores at which the density is checked; beyond them it follows its limits, which are checked too."""
FLAT = 1e-9
"""A slope below this share of the steepest is none."""
HEAVIEST = 1.0
"""Index of the heaviest tail beyond a single bound: as heavy as a Cauchy's, the heaviest Student t there is."""
FARTHEST = 37.0
"""Scores beyond this have probabilities that float64 cannot hold."""
HALVINGS = 60


class Metalog(Continuous):
    """A metalog through three to six quantiles, with or without bounds (Keelin 2016, The metalog distributions).

    On the whole line its quantile function is, with y the probability below and L = ln(y / (1 - y)),

        x = a1 + a2 L + a3 (y - 1/2) L + a4 (y - 1/2) + a5 (y - 1/2)^2 + a6 (y - 1/2)^2 L

    with as many terms as quantiles; with bounds x is the logarithm of the distance from one, or the logit between two.
    """

    family: Literal["metalog"]
    p01: Number | None = None
    p02: Number | None = None
    p05: Number | None = None
    p10: Number | None = None
    p20: Number | None = None
    p25: Number | None = None
    p30: Number | None = None
    p40: Number | None = None
    p50: Number | None = None
    p60: Number | None = None
    p70: Number | None = None
    p75: Number | None = None
    p80: Number | None = None
    p90: Number | None = None
    p95: Number | None = None
    p98: Number | None = None
    p99: Number | None = None
    lower: Number | None = None
    upper: Number | None = None

    @property
    def support(self) -> tuple[float, float]:
        """(lower, upper), infinite where there is none."""
        low = -math.inf if self.lower is None else self.lower
        return low, math.inf if self.upper is None else self.upper

    @cached_property
    def natural(self) -> tuple[float, ...]:
        """(a1, ..., a6), 0 from the number of quantiles on."""
        given = {name: getattr(self, name) for name in LEVELS if getattr(self, name) is not None}
        if not FEWEST <= len(given) <= MOST:
            raise ValueError(
                f"a metalog takes {FEWEST} to {MOST} quantiles, got {listed(given) or 'none'}; "
                "give p10, p50 and p90 and what else is known"
            )
        increasing(given)
        low, high = self.support
        ordered(low, high)
        inside(given, low, high)
        solved = _solved(given, Ends(low, high))
        where = _fails(solved)
        if where:
            raise ValueError(
                f"no metalog has {_asked(given, low, high)}: its density would not be positive {where}; "
                + _remedy(given, low, high)
            )
        self._check_tails(given, solved)
        return tuple(solved.tolist())

    def _check_tails(self, given: dict[str, float], solved: Host) -> None:
        """Beyond a single bound the value grows as the odds to the power of the tail's index."""
        lower_index, upper_index = (solved @ _limit(side) for side in (-1, 1))
        low, high = self.support
        if math.isinf(low) == math.isinf(high):
            return
        side, index = ("upper", upper_index) if math.isinf(high) else ("lower", lower_index)
        if index > HEAVIEST:
            raise ValueError(
                f"a metalog with {_asked(given, low, high)} has no mean, so heavy is its {side} tail; "
                f"give {side} too, bring the quantiles closer together, or use lognormal"
            )

    @property
    def _ends(self) -> Ends:
        """The bounds; the median lies at 1 from a single one."""
        first, low, high = self.natural[0], *self.support
        one = math.isinf(low) != math.isinf(high)
        return Ends(low, high, math.exp(first if math.isinf(high) else -first) if one else 1.0)

    def _line(self, z: Host) -> Host:
        """Value on the line of ``_ends`` at each score."""
        first = self.natural[0] if self._ends.scale == 1 else 0.0
        return np.asarray(np.tensordot((first, *self.natural[1:]), _terms(z), 1))

    def ppf(self, u: Host) -> Host:
        """By its definition."""
        return self.at(special.ndtri(u))

    def at(self, z: Host) -> Host:
        """By its definition."""
        return self._ends.off_line(self._line(z))

    def tails(self, x: Host) -> tuple[Host, Host, Host]:
        """By halving an interval of the score."""
        ends = self._ends
        within = (ends.low < x) & (x < ends.high)
        inner = np.where(within, x, self.quantile(0.5))
        target = ends.on_line(inner)
        left, right = np.full_like(inner, -FARTHEST), np.full_like(inner, FARTHEST)
        for _ in range(HALVINGS):
            middle = (left + right) / 2
            is_less = self._line(middle) < target
            left, right = np.where(is_less, middle, left), np.where(is_less, right, middle)
        z = (left + right) / 2
        slope = np.tensordot(self.natural, _slopes(z), 1) / (special.ndtr(z) * special.ndtr(-z))
        below, above = np.where(x <= ends.low, 0.0, 1.0), np.where(x <= ends.low, 1.0, 0.0)
        return (
            np.where(within, special.ndtr(z), below),
            np.where(within, special.ndtr(-z), above),
            np.where(within, ends.slope(inner) / slope, 0.0),
        )

    def params(self) -> tuple[float, ...]:
        """(five numbers of the ends, value on the line at each of the KNOTS scores)."""
        return *self._ends.params(), *self._line(table_scores()).tolist()

    @staticmethod
    def from_normal(z: Scores, params: Params) -> Values:
        """Value = that of table(z) on the line, for its terms may cancel beyond what float32 can carry."""
        y = interpolated(z, params[5:])
        return from_line(y, y, params)


def _parts(z: Host) -> tuple[Host, Host, Host]:
    """Logit of the probability y below z, y - 1/2 and y (1 - y)."""
    tail = special.ndtr(-np.abs(z))
    return special.log_ndtr(z) - special.log_ndtr(-z), np.sign(z) * (0.5 - tail), tail * (1 - tail)


def _terms(z: Host) -> Host:
    """What a1 to a6 multiply, at each score."""
    log_odds, off, _ = _parts(z)
    return np.stack([np.ones_like(off), log_odds, off * log_odds, off, off**2, off**2 * log_odds])


def _slopes(z: Host) -> Host:
    """Derivatives of the terms in the logit, y (1 - y) times those in y."""
    log_odds, off, both = _parts(z)
    twice = 2 * off * both
    return np.stack(
        [np.zeros_like(off), np.ones_like(off), off + both * log_odds, both, twice, off**2 + twice * log_odds]
    )


def _limit(side: int) -> Host:
    """Derivatives of the terms in the logit far out on one side."""
    return np.array([0, 1, side / 2, 0, 0, 1 / 4])


def _solved(given: dict[str, float], ends: Ends) -> Host:
    """Coefficients of the metalog through the quantiles given, 0 from their number on."""
    terms = _terms(special.ndtri([LEVELS[name] for name in given]))[: len(given)]
    solved: Host = np.zeros(MOST)
    solved[: len(given)] = np.linalg.solve(terms.T, ends.on_line(np.array(list(given.values()))))
    return solved


def _fails(solved: Host) -> str:
    """Where the density is not positive, in words; empty if nowhere."""
    slopes = solved @ _slopes(GRID)
    least = FLAT * np.max(np.abs(slopes))
    is_good = slopes > least
    if not is_good.all():
        first = int(np.argmin(is_good))
        length = int(np.argmax(is_good[first:])) or len(GRID) - first
        start, end = (float(special.ndtr(GRID[place])) for place in (first, first + length - 1))
        if first == 0:
            return f"below the probability {end:.3g}"
        return (
            f"above the probability {start:.6g}"
            if first + length == len(GRID)
            else f"between {start:.3g} and {end:.3g}"
        )
    for side, words in ((-1, "in its lower tail"), (1, "in its upper tail")):
        if solved @ _limit(side) <= least:
            return words
    return ""


def _asked(given: dict[str, float], low: float, high: float) -> str:
    bounds = {"lower": low, "upper": high}
    return listed(given | {name: bound for name, bound in bounds.items() if math.isfinite(bound)})


def _remedy(given: dict[str, float], low: float, high: float) -> str:
    """What would make it feasible: a quantile less, or a bound; each is tried."""
    ends = Ends(low, high)
    if len(given) > FEWEST:
        for name in given:
            fewer = {other: value for other, value in given.items() if other != name}
            if not _fails(_solved(fewer, ends)):
                return f"drop {name}, with which the others agree least, or move it"
    if ends.are_open and min(given.values()) > 0 and not _fails(_solved(given, Ends(low=0.0))):
        return "give lower: 0 if it cannot be negative, or bring the quantiles nearer to even spacing"
    return "bring the quantiles nearer to even spacing, give a bound on the crowded side, or use mixture or lognormal"
