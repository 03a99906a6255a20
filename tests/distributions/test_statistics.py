"""A million float32 draws of every family through the real sampler, and of the copula, against what they must be.

Keys are fixed, nothing is tried twice, and each single check fails by chance with probability ALPHA at most. ``BUDGET``
counts the checks of every test here; a test that makes more fails, and so does a budget above FALSE_ALARMS. What is
beyond a million draws, such as the last words of the stream, is compared at every score in test_distributions.py.
"""

import itertools
from typing import NamedTuple

import jax
import numpy as np
import pytest
from scipy import special, stats

from sim import draws
from sim.distributions import Distribution
from sim.draws import Entry
from tests.distributions.cases import CASES, TINY, make, mixture, reference

ALPHA = 1e-6
FALSE_ALARMS = 1e-3
SEED = 20260228
DRAWS = 1_000_000

MORE = [
    make("uniform", lower=1e-6, upper=1e6),
    make("uniform", lower=-1, upper=0),
    make("uniform", lower=1000, upper=1001),
    make("uniform", lower=-5e-4, upper=5e-4),
    make("normal", mean=0, sd=1),
    make("normal", mean=1e6, sd=1e3),
    make("normal", p05=-3e-3, p95=1e-3),
    make("normal", p10=-1, p50=0, p90=1),
    make("lognormal", p50=1e-4, sigma=0.01),
    make("lognormal", p10=1, p90=1000),
    make("truncated_normal", lower=0, upper=8, mean=4, sd=1),
    make("triangular", min=0, mode=1e-3, max=1),
    make("triangular", min=-1e5, mode=0, max=1e5),
    make("triangular", min=10, mode=10.9, max=11),
    make("pert", min=0, mode=1, max=1),
    make("pert", min=-1, mode=0, max=1),
    make("pert", min=0, mode=0.01, max=50),
    make("pert", min=100, mode=150, max=900),
    make("beta", a=0.05, b=0.05),
    make("beta", p05=0.1, p95=0.3),
    make("student_t", df=2, location=0, scale=1),
    make("student_t", df=5, location=0, scale=1e-3),
    make("student_t", df=12, p10=-1, p90=3),
    make("logistic", location=0, scale=1),
    make("logistic", location=1e4, scale=10),
    make("logistic", p10=-1, p90=1),
    make("logistic", location=-50, scale=5),
    make("gamma", shape=0.1, scale=100),
    make("gamma", mean=5, sd=5),
    make("metalog", p10=-1, p50=0, p90=1),
    mixture((0.5, make("normal", mean=-1, sd=0.1)), (0.5, make("normal", mean=1, sd=0.1))),
]
POINTS = {f"{case.family}-{place}": case for place, case in enumerate([*CASES, *MORE])}
FAMILIES = sorted({case.family for case in POINTS.values()})
POINTS_A_FAMILY = 6

DISCRETE = [
    make("discrete", values=[0, 1], probabilities=[0.5, 0.5]),
    make("discrete", values=[2, 3, 5], probabilities=[0.2, 0.5, 0.3]),
    make("discrete", values=[-1e6, 0.1, 7], probabilities=[1e-4, 0.999, 9e-4]),
    make("discrete", values=list(range(32)), probabilities=[1 / 32] * 32),
    make("discrete", values=[1, 2, 3], probabilities=[1e-7, 0.9999998, 1e-7]),
    make("discrete", values=[0, 1e-3, 5], probabilities=[0.9, 0.05, 0.05]),
]

MEMBERS = {
    "a": make("normal", mean=2, sd=3),
    "b": make("beta", a=2, b=5),
    "c": make("uniform", lower=0, upper=1),
    "x[1]": make("lognormal", p05=22e3, p95=34e3),
    "x[2]": make("normal", mean=0, sd=1),
    "x[3]": make("student_t", df=5, location=0, scale=1),
}
RANK = np.eye(6)
RANK[:3, :3] = [[1, 0.6, -0.3], [0.6, 1, 0.2], [-0.3, 0.2, 1]]
RANK[3:, 3:] = np.where(np.eye(3) == 1, 1, 0.5)

GRID = np.linspace(-8, 8, 4001)
"""Scores at which distribution functions are compared and over which moments are summed."""
WEIGHT = stats.norm.pdf(GRID) * (GRID[1] - GRID[0])
TAILS = (1e-5, 1e-4, 1e-2, 0.25)
"""Probabilities beyond the quantiles at which draws are counted, on either side."""
LAST = 6.338
"""Score of the last of the 2^32 words."""
Z = np.unique(np.concatenate([GRID, special.ndtri(TAILS), -special.ndtri(TAILS), [-LAST, LAST]]))
SKEWEST = 15
"""Skewness up to which the mean of a million is as good as normal 4.9 standard errors out."""
SLACK = 2e-5
"""What a family may be off, as a share of its values."""
ZEROS = ("gamma", "beta")
"""Families of which some draws are too small for float32."""
BUDGET = {
    "kolmogorov": (1, len(POINTS)),
    "counts": (2 * len(TAILS), len(POINTS)),
    "far out": (2, len(FAMILIES)),
    "moments": (2, len(POINTS)),
    "zeros": (1, sum(case.family in ZEROS for case in POINTS.values())),
    "discrete": (1, sum(len(case.values) for case in DISCRETE)),
    "spearman": (1, len(MEMBERS) * (len(MEMBERS) - 1) // 2),
    "margins": (1, len(MEMBERS)),
    "bits": (3, 1),
}
"""For each kind of check, how many are made of one thing, and of how many things in all."""


def check(kind, p_values, things):
    """Every p-value above ALPHA, and no more of them than the budget allows for so many things."""
    each, _ = BUDGET[kind]
    assert len(p_values) <= each * things
    assert not {what: p for what, p in p_values.items() if not p > ALPHA}


def test_budget__false_alarms_are_rare_by_construction():
    assert sum(each * things for each, things in BUDGET.values()) * ALPHA <= FALSE_ALARMS


def test_points__are_six_of_every_family():
    for family in FAMILIES:
        assert sum(case.family == family for case in POINTS.values()) >= POINTS_A_FAMILY


def drawn(entries, correlated=(), rank=None):
    """A million draws of each entry from one jitted program [entry, draw]."""
    plan = draws.plan(entries, correlated, rank)

    @jax.jit
    def program(keys, numbers, low):
        return draws.values(plan.layout, numbers, draws.normals(keys, numbers.elements, low, DRAWS))

    return np.asarray(program(draws.keys(plan.streams, SEED), plan.numbers, np.uint32(0)))


class Point(NamedTuple):
    """One distribution, its draws and its exact quantiles at ``Z``."""

    case: Distribution
    sample: np.ndarray  # float32, sorted
    exact: np.ndarray

    def counted(self, scores):
        """Fewest and most draws that may lie below quantiles of ``Z``: float32 cannot tell its neighbours apart."""
        edge = self.exact[np.searchsorted(Z, scores)].astype(np.float32)
        tiny = np.where(np.abs(edge) <= TINY, np.float32(TINY), np.float32(0))
        below = np.nextafter(edge - tiny, np.float32(-np.inf))
        above = np.nextafter(edge + tiny, np.float32(np.inf))
        return np.searchsorted(self.sample, below, side="left"), np.searchsorted(self.sample, above, side="right")


@pytest.fixture(scope="module", params=FAMILIES)
def points(request):
    """The points of a family by name. (Tests of one family run together, so that it is drawn once.)"""
    cases = {name: case for name, case in POINTS.items() if case.family == request.param}
    rows = drawn([Entry(name, 0, case) for name, case in cases.items()])
    return as_points(cases, rows)


def as_points(cases, rows):
    """Points by name."""
    exact = {name: reference(case, Z) for name, case in cases.items()}
    return {name: Point(cases[name], np.sort(row), exact[name]) for name, row in zip(cases, rows, strict=True)}


def test_draws__follow_the_distribution_function(points):
    """Kolmogorov and Smirnov's distance: sees 0.3 % of probability anywhere, an atom of as much among it."""
    check("kolmogorov", {name: kolmogorov(point) for name, point in points.items()}, len(points))


def kolmogorov(point):
    """P-value of the largest distance; on a grid it is smaller than the statistic whose distribution is used."""
    levels = special.ndtr(GRID)
    fewest, most = point.counted(GRID)
    distance = max(np.max(fewest / DRAWS - levels), np.max(levels - most / DRAWS))
    return stats.kstwobign.sf(distance * np.sqrt(DRAWS))


def test_draws__lie_beyond_each_quantile_as_often_as_they_must(points):
    """Binomial: sees 1 % of the draws beyond P25 or P75, 5 % beyond P1, a half more at 1e-4, thrice as many at 1e-5."""
    p_values = {}
    for name, point in points.items():
        for tail, score in zip(TAILS, special.ndtri(TAILS), strict=True):
            fewest, most = point.counted(np.array([score, -score]))
            p_values[name, tail] = binomial(fewest[0], most[0], tail)
            p_values[name, 1 - tail] = binomial(DRAWS - most[1], DRAWS - fewest[1], tail)
    check("counts", p_values, len(points))


def test_draws__of_a_family_lie_far_out_as_often_as_they_must(points):
    """Binomial over all its points, beyond the quantiles at 1e-5: sees one cut off, 60 % too thin or 70 % too heavy."""
    outer = special.ndtri(TAILS[0])
    fewest, most = np.sum([point.counted(np.array([outer, -outer])) for point in points.values()], axis=0)
    n = DRAWS * len(points)
    check(
        "far out",
        {
            "lower": binomial(fewest[0], most[0], TAILS[0], n),
            "upper": binomial(n - most[1], n - fewest[1], TAILS[0], n),
        },
        1,
    )


def binomial(fewest, most, probability, n=DRAWS):
    """P-value of a number of draws known to lie between two, each of n draws being one with this probability."""
    count = stats.binom(n, probability)
    return min(1.0, 2 * min(count.cdf(most), count.sf(fewest - 1)))


def test_draws__have_the_mean_and_the_variance(points):
    """Where the sum of a million is as good as normal: sees 0.5 % of a sd in a normal's mean, and its sd to 0.4 %."""
    p_values = {}
    for name, point in points.items():
        sample, values = point.sample.astype(np.float64), point.exact[np.searchsorted(Z, GRID)]
        mean = np.sum(WEIGHT * values)
        p_values[name, "mean"] = of_mean(sample, values)
        p_values[name, "variance"] = of_mean((sample - mean) ** 2, (values - mean) ** 2)
    check("moments", {what: p for what, p in p_values.items() if p is not None}, len(points))


def of_mean(sample, values):
    """P-value of a sample's mean, with SLACK of its sd for what a family may be off; None where it is not normal."""
    mean = np.sum(WEIGHT * values)
    spread = np.sqrt(np.sum(WEIGHT * (values - mean) ** 2))
    if np.abs(np.sum(WEIGHT * ((values - mean) / spread) ** 3)) > SKEWEST:
        return None
    off = max(abs(sample.mean() - mean) - SLACK * (spread + abs(mean)), 0)
    return 2 * special.ndtr(-off / spread * np.sqrt(DRAWS))


def test_draws__stay_in_the_support_and_are_many_values(points):
    """Not a matter of chance: none beyond what the first and last word give, nine in ten of the grid's values."""
    for name, (_, sample, exact) in points.items():
        low, high = exact[np.searchsorted(Z, [-LAST, LAST])]
        slack = SLACK * max(abs(low), abs(high))
        assert low - slack <= sample[0], name
        assert sample[-1] <= high + slack, name
        told_apart = len(np.unique(exact.astype(np.float32)))
        assert np.count_nonzero(np.diff(sample)) + 1 > 0.9 * told_apart, name


def test_draws__are_0_only_where_float32_has_no_smaller_number(points):
    """The trap of a gamma of shape 0.05, of which samplers make zeros for want of bits: sees 0.06 % too many."""
    p_values = {}
    for name, (case, sample, _) in points.items():
        if case.family in ZEROS and case.support[0] == 0:
            zeros = int(np.searchsorted(sample, 0, side="right"))
            p_values[name] = stats.binom.sf(zeros - 1, DRAWS, case.known.cdf(TINY))
    check("zeros", p_values, len(points))


@pytest.fixture(scope="module")
def discrete():
    return drawn([Entry(f"discrete-{place}", 0, case) for place, case in enumerate(DISCRETE)])


@pytest.mark.parametrize("place", range(len(DISCRETE)))
def test_draws__of_a_discrete_have_its_values_as_often_as_asked(place, discrete):
    """Binomial for each value: sees 0.5 % of a probability of a half, 15 % of one of 1e-3."""
    case = DISCRETE[place]
    values, counts = np.unique(discrete[place], return_counts=True)
    assert set(values.tolist()) <= set(np.float32(case.values).tolist())
    found = {value: int(counts[values == np.float32(value)].sum()) for value in case.values}
    asked = zip(found.items(), case.natural, strict=True)
    check("discrete", {value: stats.binomtest(count, DRAWS, p).pvalue for (value, count), p in asked}, len(found))


@pytest.fixture(scope="module")
def tied():
    """Draws of the copula's members [member, draw]: three mixed by a matrix, three that share a factor."""
    return drawn([Entry(name, 0, case) for name, case in MEMBERS.items()], tuple(MEMBERS), RANK)


def test_copula__has_the_rank_correlations_asked(tied):
    """Spearman's rho, the standard error of which is 1 / sqrt(n) at most: sees 0.005, and any wrong sign."""
    rho = np.corrcoef([stats.rankdata(row) for row in tied])
    pearson = 2 * np.sin(np.pi / 6 * RANK)
    np.fill_diagonal(pearson, 1)
    target = 6 / np.pi * np.arcsin(pearson / 2)
    p_values = 2 * special.ndtr(-np.abs(rho - target) * np.sqrt(DRAWS))
    pairs = list(itertools.combinations(range(len(MEMBERS)), 2))
    check("spearman", {pair: p_values[pair] for pair in pairs}, len(pairs))


def test_copula__leaves_margins_alone(tied):
    """Kolmogorov and Smirnov's distance: sees 0.3 % of probability anywhere."""
    members = as_points(MEMBERS, tied)
    check("margins", {name: kolmogorov(point) for name, point in members.items()}, len(members))


def test_bits__are_balanced_and_unrelated():
    """All 32 bits, and all pairs of seeds, streams, elements, next draws and high words: sees 1.3 % in any one."""
    n = 1 << 18
    words = np.concatenate(
        [
            bits_of("s", 0, 0, n),
            bits_of("s", 0, 0, n, seed=SEED + 1),
            bits_of("s", 0, 0, n, seed=-SEED),
            bits_of("t", 0, 0, n),
            bits_of("s", 1, 0, n),
            bits_of("s", 0, 1, n),
            bits_of("s", 0, 2**32, n),
        ]
    )
    ones = np.stack([np.sum((words >> np.uint32(place)) & 1, axis=1) for place in range(32)]).ravel()
    uniform = (words + 0.5) / 2**32 - 0.5
    pairs = np.triu_indices(len(words), 1)
    balance = np.sum((ones - n / 2) ** 2 / (n / 4))
    related = [n * np.sum(np.corrcoef(uniform**power)[pairs] ** 2) for power in (1, 2)]
    p_values = [stats.chi2.sf(balance, len(ones)), *stats.chi2.sf(related, len(pairs[0]))]
    check("bits", dict(zip(("balance", "correlation", "of squares"), p_values, strict=True)), 1)


compiled_bits = jax.jit(draws.bits, static_argnames="n")


def bits_of(stream, element, first, n, seed=SEED):
    high, low = draws.words(first, n)
    return np.asarray(compiled_bits(draws.keys([stream], seed, high), np.array([element], np.uint32), low, n))
