"""Families between two bounds without a closed quantile function: beta, PERT and truncated normal."""

import math
from abc import abstractmethod
from functools import cached_property
from typing import Any, Literal

import jax.numpy as jnp
import numpy as np
from scipy import special, stats

from sim.distributions.family import (
    Host,
    Known,
    Number,
    Params,
    Scores,
    Values,
    from_nearer,
    inside,
    is_solution,
    listed,
    middle_and_spread,
    ordered,
    solve,
    three_point,
)
from sim.distributions.tables import KNOTS, REACH, interpolated, table_scores

__all__ = ["Beta", "Bounded", "Pert", "TruncatedNormal"]

PERT_WEIGHT = 4.0
"""Weight of the mode in a PERT's mean (min + 4 mode + max) / 6, by definition."""
SMALLEST_SHAPE = 0.05
"""Shapes of a beta below this put its draws on the bounds, beyond what float32 can tell from them."""
NEWTON_STEPS = 40
"""Most steps to a beta's quantiles; most betas need 6, the most skewed 15."""
NEWTON_CLOSE = 1e-12
"""A step in the logit this small is the last."""


class Bounded(Known):
    """Families between two bounds without a closed quantile function: a table of the logit of the value.

    On the logit scale both ends are smooth in z and keep their relative precision.
    """

    @abstractmethod
    def _window(self) -> tuple[float, float]:
        """Bounds between which the logit is taken."""

    @abstractmethod
    def _logits(self, scores: Host) -> tuple[Host, Host]:
        """Logits at these scores, none above 0, and those of the mirrored distribution."""

    def params(self) -> tuple[float, ...]:
        """(lower, upper, width, logit at each of the KNOTS scores)."""
        low, high = self._window()
        left, mirrored = self._logits(table_scores()[: KNOTS // 2 + 1])
        return low, high, high - low, *left.tolist(), *(-mirrored[-2::-1]).tolist()

    @property
    def support(self) -> tuple[float, float]:
        """The window: a bound beyond the reach of every draw is as good as none."""
        return self._window()

    def at(self, z: Host) -> Host:
        """From the logits, which unlike SciPy's quantiles hold at every tail."""
        low, high = self._window()
        below, above = self._logits(-np.abs(z))
        return np.where(z < 0, low + (high - low) * special.expit(below), high - (high - low) * special.expit(above))

    @staticmethod
    def from_normal(z: Scores, params: Params) -> Values:
        """Value = lower + width / (1 + exp(-logit(z)))."""
        low, high, width = params[:3, ..., None]
        logit = interpolated(z, params[3:])
        odds = jnp.exp(-jnp.abs(logit))
        return from_nearer(logit, low, high, width * (odds / (1 + odds)))


def _beta_logits(scores: Host, a: float, b: float) -> Host:
    """Logits of the quantiles of a beta at these scores, none above 0.

    By Newton on the logarithm of the distribution function, which is concave in the logit, from the closed form for
    small quantiles, which lies on the left, or a normal one if that is nearer. (SciPy's own fails at some tails.)
    """
    target = special.log_ndtr(scores)
    small = (target + np.log(a) + special.betaln(a, b)) / a
    normal = special.psi(a) - special.psi(b) + scores * np.sqrt(special.polygamma(1, a) + special.polygamma(1, b))
    logit: Host = np.maximum(small, normal)
    for _ in range(NEWTON_STEPS):
        left = logit < 0
        log_below = np.empty_like(logit)
        log_below[left] = np.log(special.betainc(a, b, special.expit(logit[left])))
        log_below[~left] = np.log(special.betaincc(b, a, special.expit(-logit[~left])))
        slope = np.exp(a * special.log_expit(logit) + b * special.log_expit(-logit) - special.betaln(a, b) - log_below)
        before, logit = logit, np.maximum(logit + (target - log_below) / slope, small)
        if np.all(np.abs(logit - before) <= NEWTON_CLOSE * (1 + np.abs(logit))):
            break
    return logit


class Beta(Bounded):
    """A beta between ``lower`` and ``upper``, by its shapes, by its mean and sd or by two quantiles."""

    family: Literal["beta"]
    a: Number | None = None
    b: Number | None = None
    mean: Number | None = None
    sd: Number | None = None
    p05: Number | None = None
    p10: Number | None = None
    p90: Number | None = None
    p95: Number | None = None
    lower: Number = 0.0
    upper: Number = 1.0

    forms = ("a b", "mean sd", "p05 p95", "p10 p90")
    unitless = frozenset({"family", "a", "b"})

    @cached_property
    def natural(self) -> tuple[float, ...]:
        """(a, b)."""
        given = self._given()
        ordered(self.lower, self.upper)
        if "a" in given:
            return self._usable(given["a"], given["b"])
        inside(given, self.lower, self.upper)
        return self._by_moments(given) if "sd" in given else self._by_quantiles(given)

    def _by_moments(self, given: dict[str, float]) -> tuple[float, ...]:
        """From a + b = m (1 - m) / v - 1 with mean m and variance v between 0 and 1; a = m (a + b)."""
        width = self.upper - self.lower
        m, v = (given["mean"] - self.lower) / width, (given["sd"] / width) ** 2
        total = m * (1 - m) / v - 1
        if total <= 0:
            raise ValueError(
                f"no beta between {self.lower:g} and {self.upper:g} with mean = {given['mean']:g} has sd = "
                f"{given['sd']:g}; it must be below {width * math.sqrt(m * (1 - m)):g}"
            )
        return self._usable(m * total, (1 - m) * total)

    @staticmethod
    def _usable(a: float, b: float) -> tuple[float, ...]:
        if min(a, b) < SMALLEST_SHAPE:
            raise ValueError(
                f"a beta with a = {a:g} and b = {b:g} has its mass on its bounds; both must be at least "
                f"{SMALLEST_SHAPE:g}, so narrow it or move it away from the bounds"
            )
        return a, b

    def _by_quantiles(self, given: dict[str, float]) -> tuple[float, ...]:
        width = self.upper - self.lower
        unit = {name: (value - self.lower) / width for name, value in given.items()}
        middle, sd = middle_and_spread(unit, special.ndtri)
        total = max(middle * (1 - middle) / sd**2 - 1, 0.5)

        def cdf(x: Host, values: Host) -> tuple[Host, Host]:
            a, b = np.exp(np.clip(x, -10, 30))
            return np.log(special.betainc(a, b, values)), np.log(special.betaincc(a, b, values))

        a, b = np.exp(solve(cdf, np.log([middle * total, (1 - middle) * total]), unit)).tolist()
        self._usable(a, b)
        solved = Beta(family="beta", a=a, b=b, lower=self.lower, upper=self.upper)
        if not is_solution(solved, given):
            raise ValueError(
                f"no usable beta between {self.lower:g} and {self.upper:g} has {listed(given)}; "
                "bring the quantiles closer together or away from the bounds"
            )
        return a, b

    @property
    def known(self) -> Any:
        """By ``scipy.stats.beta``."""
        return stats.beta(*self.natural, self.lower, self.upper - self.lower)

    def _window(self) -> tuple[float, float]:
        return self.lower, self.upper

    def _logits(self, scores: Host) -> tuple[Host, Host]:
        a, b = self.natural
        return _beta_logits(scores, a, b), _beta_logits(scores, b, a)


class Pert(Bounded):
    """A beta between ``min`` and ``max`` with mean (min + 4 mode + max) / 6."""

    family: Literal["pert"]
    min: Number
    mode: Number
    max: Number

    @cached_property
    def natural(self) -> tuple[float, ...]:
        """(a, b) of the beta."""
        three_point(self.min, self.mode, self.max)
        width = self.max - self.min
        return 1 + PERT_WEIGHT * (self.mode - self.min) / width, 1 + PERT_WEIGHT * (self.max - self.mode) / width

    @property
    def _beta(self) -> Beta:
        a, b = self.natural
        return Beta(family="beta", a=a, b=b, lower=self.min, upper=self.max)

    @property
    def known(self) -> Any:
        """By ``scipy.stats.beta``."""
        return self._beta.known

    def _window(self) -> tuple[float, float]:
        return self.min, self.max

    def _logits(self, scores: Host) -> tuple[Host, Host]:
        return self._beta._logits(scores)


class TruncatedNormal(Bounded):
    """A normal cut off below ``lower``, above ``upper`` or both.

    ``mean`` and ``sd`` are those of the normal before it is cut; quantiles are those of the result.
    """

    family: Literal["truncated_normal"]
    lower: Number | None = None
    upper: Number | None = None
    mean: Number | None = None
    sd: Number | None = None
    p05: Number | None = None
    p10: Number | None = None
    p90: Number | None = None
    p95: Number | None = None

    forms = ("mean sd", "p05 p95", "p10 p90")

    @property
    def _bounds(self) -> tuple[float, float]:
        """The bounds, infinite where there is none."""
        low = -math.inf if self.lower is None else self.lower
        return low, math.inf if self.upper is None else self.upper

    @cached_property
    def natural(self) -> tuple[float, ...]:
        """(mean, sd) of the normal before it is cut."""
        given = self._given()
        low, high = self._bounds
        if math.isinf(low) and math.isinf(high):
            raise ValueError("give lower, upper or both; without bounds use family: normal")
        ordered(low, high)
        if "sd" in given:
            return given["mean"], given["sd"]
        inside(given, low, high)
        return self._by_quantiles(given)

    def _by_quantiles(self, given: dict[str, float]) -> tuple[float, ...]:
        middle, spread = middle_and_spread(given, special.ndtri)

        def cdf(x: Host, values: Host) -> tuple[Host, Host]:
            cut = self._cut(middle + spread * x[0], spread * math.exp(np.clip(x[1], -30, 30)))
            return cut.logcdf(values), cut.logsf(values)

        shift, log_scale = solve(cdf, np.zeros(2), given).tolist()
        mean, sd = middle + spread * shift, spread * math.exp(min(log_scale, 30.0))
        solved = TruncatedNormal(family="truncated_normal", lower=self.lower, upper=self.upper, mean=mean, sd=sd)
        if not is_solution(solved, given):
            low, high = self._bounds
            raise ValueError(
                f"no normal cut to {low:g} .. {high:g} has {listed(given)}: they are too wide or too skewed for "
                "these bounds; widen the bounds, or use lognormal, beta or pert"
            )
        return mean, sd

    def _cut(self, mean: float, sd: float) -> stats.rv_continuous:
        low, high = self._bounds
        return stats.truncnorm((low - mean) / sd, (high - mean) / sd, mean, sd)

    @property
    def known(self) -> Any:
        """By ``scipy.stats.truncnorm``."""
        return self._cut(*self.natural)

    def _window(self) -> tuple[float, float]:
        """Bounds that can be reached; a farther one gives way to a point well outside the reach of z."""
        cut = self._cut(*self.natural)
        tail = special.ndtr(-REACH)
        first, last = float(cut.ppf(tail)), float(cut.isf(tail))
        low, high = self._bounds
        return max(low, first - (last - first)), min(high, last + (last - first))

    def _logits(self, scores: Host) -> tuple[Host, Host]:
        cut, tail = self._cut(*self.natural), special.ndtr(scores)
        low, high = self._window()
        below, above = cut.ppf(tail) - low, high - cut.isf(tail)
        return np.log(below / (high - low - below)), np.log(above / (high - low - above))
