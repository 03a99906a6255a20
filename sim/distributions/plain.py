"""Families whose quantile function is a formula: fixed, uniform, normal, lognormal, logistic and triangular."""

import math
from functools import cached_property
from typing import Any, Literal

import jax.numpy as jnp
import numpy as np
from scipy import special, stats

from sim.distributions.family import (
    LEVELS,
    Family,
    Host,
    Known,
    Number,
    Params,
    Scores,
    Values,
    from_nearer,
    listed,
    logit,
    lower_tail,
    middle_and_spread,
    ordered,
    positive,
    three_point,
)

__all__ = ["Fixed", "LogNormal", "Logistic", "Normal", "Triangular", "Uniform"]

SYMMETRY = 1e-6
"""Slack of symmetry: of a normal's median, in sd, and of the skew ratio, 1 where symmetric, of a lognormal."""


class Fixed(Family):
    """A known value."""

    family: Literal["fixed"]
    value: Number

    @property
    def natural(self) -> tuple[float, ...]:
        """(value,)."""
        return (self.value,)

    def ppf(self, u: Host) -> Host:
        """``value`` at every u."""
        return np.full(np.shape(u), self.value)

    def params(self) -> tuple[float, ...]:
        """(value,)."""
        return self.natural

    @staticmethod
    def from_normal(z: Scores, params: Params) -> Values:
        """Value = value."""
        return jnp.broadcast_to(params[0][..., None], z.shape)


class Uniform(Known):
    """Every value between ``lower`` and ``upper`` equally likely."""

    family: Literal["uniform"]
    lower: Number
    upper: Number

    @cached_property
    def natural(self) -> tuple[float, ...]:
        """(lower, upper)."""
        ordered(self.lower, self.upper)
        return self.lower, self.upper

    @property
    def known(self) -> Any:
        """By ``scipy.stats.uniform``."""
        return stats.uniform(self.lower, self.upper - self.lower)

    def params(self) -> tuple[float, ...]:
        """(lower, upper, width)."""
        return self.lower, self.upper, self.upper - self.lower

    @staticmethod
    def from_normal(z: Scores, params: Params) -> Values:
        """Value = lower + Phi(z) width."""
        low, high, width = params[..., None]
        return from_nearer(z, low, high, width * lower_tail(z))


class Normal(Known):
    """A normal distribution, by its mean and sd or by two quantiles; a third must be their middle."""

    family: Literal["normal"]
    mean: Number | None = None
    sd: Number | None = None
    p05: Number | None = None
    p10: Number | None = None
    p50: Number | None = None
    p90: Number | None = None
    p95: Number | None = None

    forms = ("mean sd", "p05 p95", "p10 p90", "p05 p50 p95", "p10 p50 p90")

    @cached_property
    def natural(self) -> tuple[float, ...]:
        """(mean, sd)."""
        given = self._given()
        if "sd" in given:
            return given["mean"], given["sd"]
        mean, sd = middle_and_spread(given, special.ndtri)
        if abs(given.get("p50", mean) - mean) > SYMMETRY * sd:
            raise ValueError(
                f"a normal with these outer quantiles has p50 = {mean:g}, not {given['p50']:g}; "
                "drop p50, or use lognormal (right skew), pert or triangular (either)"
            )
        return mean, sd

    @property
    def known(self) -> Any:
        """By ``scipy.stats.norm``."""
        return stats.norm(*self.natural)

    def params(self) -> tuple[float, ...]:
        """(mean, sd)."""
        return self.natural

    @staticmethod
    def from_normal(z: Scores, params: Params) -> Values:
        """Value = mean + sd z."""
        mean, sd = params[..., None]
        return mean + sd * z


class LogNormal(Known):
    """A lognormal, by its median and the sd of its logarithm or by two quantiles; three quantiles also shift it.

    The shift is such that all three quantiles are met; the support then starts at median - scale, not at 0.
    """

    family: Literal["lognormal"]
    sigma: Number | None = None
    p05: Number | None = None
    p10: Number | None = None
    p50: Number | None = None
    p90: Number | None = None
    p95: Number | None = None

    forms = ("p50 sigma", "p05 p95", "p10 p90", "p05 p50 p95", "p10 p50 p90")
    unitless = frozenset({"family", "sigma"})

    @cached_property
    def natural(self) -> tuple[float, ...]:
        """(median, scale, sigma): value = median - scale + scale exp(sigma z); scale = median unless shifted."""
        given = self._given()
        if len(given) == 3:
            return self._shifted(given)
        low = min(value for name, value in given.items() if name != "sigma")
        if low <= 0:
            raise ValueError(
                f"a lognormal by {' and '.join(given)} is positive, got {low:g}; "
                "use normal, or give three quantiles for a shifted lognormal"
            )
        if "sigma" in given:
            positive("sigma", given["sigma"])
            return given["p50"], given["p50"], given["sigma"]
        logs = {name: math.log(value) for name, value in given.items()}
        mu, sigma = middle_and_spread(logs, special.ndtri)
        return math.exp(mu), math.exp(mu), sigma

    @staticmethod
    def _shifted(given: dict[str, float]) -> tuple[float, ...]:
        """With r = (high - mid) / (mid - low): sigma = ln r / z_high and scale = (mid - low) / (1 - 1 / r)."""
        low, mid, high = given.values()
        skew = (high - mid) / (mid - low)
        if skew <= 1 + SYMMETRY:
            raise ValueError(
                f"a lognormal leans to the right, but {listed(given)} does not; "
                "use normal without p50 if it is symmetric, pert, beta or triangular if it leans to the left"
            )
        scale = (mid - low) / (1 - 1 / skew)
        return mid, scale, math.log(skew) / float(special.ndtri(LEVELS[list(given)[-1]]))

    @property
    def known(self) -> Any:
        """By ``scipy.stats.lognorm``."""
        median, scale, sigma = self.natural
        return stats.lognorm(sigma, median - scale, scale)

    def params(self) -> tuple[float, ...]:
        """(median, scale, sigma)."""
        return self.natural

    @staticmethod
    def from_normal(z: Scores, params: Params) -> Values:
        """Value = median + scale (exp(sigma z) - 1), in the form that does not cancel."""
        median, scale, sigma = params[..., None]
        shifted = median + scale * jnp.expm1(sigma * z)
        return jnp.where(median == scale, scale * jnp.exp(sigma * z), shifted)


class Logistic(Known):
    """A logistic distribution, by location and scale or by two quantiles: tails heavier than a normal's."""

    family: Literal["logistic"]
    location: Number | None = None
    scale: Number | None = None
    p05: Number | None = None
    p10: Number | None = None
    p90: Number | None = None
    p95: Number | None = None

    forms = ("location scale", "p05 p95", "p10 p90")

    @cached_property
    def natural(self) -> tuple[float, ...]:
        """(location, scale)."""
        given = self._given()
        if "scale" in given:
            positive("scale", given["scale"])
            return given["location"], given["scale"]
        return middle_and_spread(given, special.logit)

    @property
    def known(self) -> Any:
        """By ``scipy.stats.logistic``."""
        return stats.logistic(*self.natural)

    def params(self) -> tuple[float, ...]:
        """(location, scale)."""
        return self.natural

    @staticmethod
    def from_normal(z: Scores, params: Params) -> Values:
        """Value = location + scale logit Phi(z)."""
        location, scale = params[..., None]
        return location + scale * logit(z)


class Triangular(Known):
    """A density that rises in a straight line from ``min`` to ``mode`` and falls to ``max``."""

    family: Literal["triangular"]
    min: Number
    mode: Number
    max: Number

    @cached_property
    def natural(self) -> tuple[float, ...]:
        """(min, mode, max)."""
        three_point(self.min, self.mode, self.max)
        return self.min, self.mode, self.max

    @property
    def known(self) -> Any:
        """By ``scipy.stats.triang``."""
        width = self.max - self.min
        return stats.triang((self.mode - self.min) / width, self.min, width)

    def params(self) -> tuple[float, ...]:
        """(min, max, width, share of the width below the mode, share above it)."""
        low, mode, high = self.natural
        width = high - low
        return low, high, width, (mode - low) / width, (high - mode) / width

    @staticmethod
    def from_normal(z: Scores, params: Params) -> Values:
        """Measured from the end on z's side, with t the probability beyond z and r, f the shares near that end and far.

        distance / width = sqrt(t r) before the mode, 1 - sqrt((1 - t) f) = (r + f t) / (1 + sqrt((1 - t) f)) after it
        """
        low, high, width, rise, fall = params[..., None]
        t, r, f = lower_tail(z), jnp.where(z < 0, rise, fall), jnp.where(z < 0, fall, rise)
        share = jnp.where(t < r, jnp.sqrt(t * r), (r + f * t) / (1 + jnp.sqrt((1 - t) * f)))
        return from_nearer(z, low, high, width * share)
