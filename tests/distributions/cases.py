"""Cases of every family, and what each must be: SciPy's distribution, or a formula written again."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from pydantic import TypeAdapter
from scipy import special, stats

from sim.distributions import (
    Beta,
    Distribution,
    Gamma,
    Logistic,
    LogNormal,
    Metalog,
    Mixture,
    Normal,
    Pert,
    StudentT,
    Triangular,
    TruncatedNormal,
    Uniform,
)

ANY = TypeAdapter(Distribution)
LEVELS = {f"p{percent:02}": percent / 100 for percent in range(1, 100)}
TINY = float(np.finfo(np.float32).tiny)
SCORE_REACH = 6.3


def make(family, **fields):
    return ANY.validate_python({"family": family, **fields})


def mixture(*parts):
    weights, components = zip(*parts, strict=True)
    return make("mixture", weights=weights, components=components)


CASES = [
    make("uniform", lower=0, upper=1),
    make("uniform", lower=-3, upper=1e4),
    make("normal", mean=-2, sd=0.1),
    make("normal", p10=1, p90=4),
    make("lognormal", p50=3, sigma=2),
    make("lognormal", p05=22e3, p95=34e3),
    make("lognormal", p10=-1, p50=0, p90=3),
    make("lognormal", p05=1, p50=2, p95=3.01),
    make("truncated_normal", lower=0, mean=0, sd=1),
    make("truncated_normal", lower=5, mean=0, sd=1),
    make("truncated_normal", upper=-20, mean=0, sd=1),
    make("truncated_normal", lower=-1, upper=2, mean=0, sd=30),
    make("truncated_normal", lower=-100, upper=0.5, mean=0, sd=1),
    make("triangular", min=0, mode=0, max=1),
    make("triangular", min=-1, mode=0.5, max=2),
    make("triangular", min=0, mode=1, max=1),
    make("pert", min=0, mode=0, max=1),
    make("pert", min=2, mode=3, max=10),
    make("beta", a=0.2, b=0.2),
    make("beta", a=0.5, b=3),
    make("beta", a=2000, b=3),
    make("beta", mean=30, sd=5, upper=100),
    make("student_t", df=1, location=0, scale=1),
    make("student_t", df=3, p05=1, p95=2),
    make("student_t", df=1e5, location=5, scale=2),
    make("logistic", location=-2, scale=0.1),
    make("logistic", p05=1, p95=4),
    make("gamma", shape=0.05, scale=1),
    make("gamma", shape=0.5, scale=1e4),
    make("gamma", p05=22e3, p95=34e3),
    make("gamma", mean=1, sd=1e-3),
    make("metalog", p10=10, p50=20, p90=40),
    make("metalog", p05=-3, p25=-1, p50=0, p75=1.5, p95=6),
    make("metalog", p10=10, p50=20, p90=35, lower=5),
    make("metalog", p10=1, p50=4, p90=6, upper=8),
    make("metalog", p01=0.05, p10=0.12, p25=0.2, p50=0.3, p75=0.43, p95=0.65, lower=0, upper=1),
    mixture((0.7, make("normal", mean=0, sd=1)), (0.3, make("normal", mean=5, sd=0.5))),
    mixture((0.25, make("uniform", lower=0, upper=1)), (0.75, make("uniform", lower=10, upper=11))),
    mixture((0.999, make("lognormal", p50=3, sigma=0.3)), (0.001, make("lognormal", p50=300, sigma=0.2))),
    mixture((0.5, make("gamma", shape=0.3, scale=1)), (0.5, make("lognormal", p50=3, sigma=0.5))),
    mixture(
        (0.1, make("triangular", min=-1, mode=0, max=4)),
        (0.1, make("pert", min=0, mode=2, max=3)),
        (0.2, make("beta", a=2, b=3, upper=2)),
        (0.1, make("student_t", df=12, location=1, scale=0.2)),
        (0.1, make("logistic", location=3, scale=0.1)),
        (0.1, make("metalog", p10=-1, p50=1, p90=4, lower=-2, upper=8)),
        (0.1, make("truncated_normal", lower=0, mean=0, sd=1)),
        (0.2, make("normal", mean=-3, sd=0.3)),
    ),
]
NAMES = [f"{case.family}-{place}" for place, case in enumerate(CASES)]
each_case = pytest.mark.parametrize("case", CASES, ids=NAMES)


SAME = {Normal: stats.norm, Logistic: stats.logistic, StudentT: stats.t}


def oracle(case):
    """The same distribution in SciPy, built from what the case says of itself."""
    match case:
        case Beta() | Pert():
            low, high = case._window()
            known = stats.beta(*case.natural, low, high - low)
        case LogNormal():
            median, scale, sigma = case.natural
            known = stats.lognorm(sigma, median - scale, scale)
        case Triangular():
            width = case.max - case.min
            known = stats.triang((case.mode - case.min) / width, case.min, width)
        case TruncatedNormal():
            known = case._cut(*case.natural)
        case Uniform():
            known = stats.uniform(case.lower, case.upper - case.lower)
        case Gamma():
            known = stats.gamma(case.natural[0], scale=case.natural[1])
        case Metalog():
            known = OfMetalog(case)
        case Mixture():
            known = OfMixture(case)
        case Normal() | Logistic() | StudentT():
            known = SAME[type(case)](*case.natural)
    return known


class OfMetalog:
    """Keelin's formula, with the probability given as the tail on its own side."""

    def __init__(self, case):
        self.terms, self.low, self.high = case.natural, case.lower, case.upper

    def _bounded(self, x):
        if self.low is None and self.high is None:
            return x
        if self.high is None:
            return self.low + np.exp(x)
        if self.low is None:
            return self.high - np.exp(-x)
        odds = np.exp(-np.abs(x))
        step = (self.high - self.low) * odds / (1 + odds)
        return np.where(x < 0, self.low + step, self.high - step)

    def _at(self, logit, off):
        a1, a2, a3, a4, a5, a6 = self.terms
        return self._bounded(a1 + a2 * logit + a3 * off * logit + a4 * off + a5 * off**2 + a6 * off**2 * logit)

    def ppf(self, tail):
        return self._at(np.log(tail) - np.log1p(-tail), tail - 0.5)

    def isf(self, tail):
        return self._at(np.log1p(-tail) - np.log(tail), 0.5 - tail)

    def cdf(self, x):
        return special.expit(self._logit(x))

    def sf(self, x):
        return special.expit(-self._logit(x))

    def _logit(self, x):
        left, right = np.full(np.shape(x), -60.0), np.full(np.shape(x), 60.0)
        for _ in range(45):
            middle = (left + right) / 2
            less = self._at(middle, special.expit(middle) - 0.5) < x
            left, right = np.where(less, middle, left), np.where(less, right, middle)
        return (left + right) / 2


class OfMixture:
    """Sums of the components' probabilities; quantiles by halving between the components' own."""

    def __init__(self, case):
        self.parts = [(weight, oracle(part)) for weight, part in zip(case.natural, case.components, strict=True)]

    def cdf(self, x):
        return sum(weight * part.cdf(x) for weight, part in self.parts)

    def sf(self, x):
        return sum(weight * part.sf(x) for weight, part in self.parts)

    def ppf(self, tail):
        return self._halved([part.ppf(tail) for _, part in self.parts], lambda x: self.cdf(x) < tail)

    def isf(self, tail):
        return self._halved([part.isf(tail) for _, part in self.parts], lambda x: self.sf(x) > tail)

    def _halved(self, quantiles, is_less):
        low, high = np.min(quantiles, axis=0), np.max(quantiles, axis=0)
        for _ in range(50):
            middle = np.where(low > 0, np.sqrt(np.maximum(low, 0)) * np.sqrt(np.maximum(high, 0)), (low + high) / 2)
            less = is_less(middle)
            low, high = np.where(less, middle, low), np.where(less, high, middle)
        return high


def reference(case, z):
    """Quantiles at scores in float64, each tail computed from its own side."""
    z = np.asarray(z, np.float64)
    tail, known = special.ndtr(-np.abs(z)), oracle(case)
    if not isinstance(case, Beta | Pert):
        below, above = known.ppf(tail[z < 0]), known.isf(tail[z >= 0])
        result = np.empty_like(z)
        result[z < 0], result[z >= 0] = below, above
        return result
    a, b = case.natural  # scipy.stats.beta.ppf is off by orders of magnitude at some tails, its cdf is not
    low, high = case._window()
    left, right = bisected(tail, a, b), bisected(tail, b, a)
    return np.where(z < 0, low + (high - low) * left, high - (high - low) * right)


def bisected(tail, a, b):
    """Quantiles of a beta at small probabilities, by halving an interval of the logit."""
    below, above = np.full(np.shape(tail), -700.0), np.full(np.shape(tail), 40.0)
    for _ in range(60):
        middle = (below + above) / 2
        small = special.betainc(a, b, special.expit(middle)) < tail
        below, above = np.where(small, middle, below), np.where(small, above, middle)
    return special.expit(middle)


def evaluate(case, z):
    """``from_normal`` on its own, in float32."""
    params = jnp.asarray(np.array(case.params()), jnp.float32)
    return np.asarray(jax.jit(case.from_normal)(jnp.asarray(z, jnp.float32), params)).astype(np.float64)


def check_elicited(case, asked):
    spread = max(asked.values()) - min(asked.values())
    for name, value in asked.items():
        assert case.quantile(LEVELS[name]) == pytest.approx(value, abs=1e-6 * spread, rel=1e-9)
