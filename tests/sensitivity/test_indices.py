"""Effects of groups against closed forms: Ishigami, Sobol' G, and linear functions of correlated Gaussians."""

import itertools
import math

import numpy as np
import pytest
from scipy.special import ndtr, ndtri
from scipy.stats import qmc

from sim.sensitivity.indices import Pairs, effects, shapley

COUNT = 1 << 14
ALONE = np.eye(0)


def even(inputs, count=COUNT, seed=0):
    """Pairs of even points as normal scores [input, pair]."""
    z = ndtri(qmc.Sobol(2 * inputs, seed=seed).random(count)).T
    return z[:inputs], z[inputs:]


def ishigami(z):
    x = (2 * ndtr(z) - 1) * np.pi
    return (np.sin(x[0]) + 7 * np.sin(x[1]) ** 2 + 0.1 * x[2] ** 4 * np.sin(x[0]))[None]


def test_effects__of_ishigami_are_those_of_the_closed_form():
    a, b, pi = 7, 0.1, np.pi
    alone, second, both = (1 + b * pi**4 / 5) ** 2 / 2, a**2 / 8, b**2 * pi**8 * (1 / 18 - 1 / 50)
    whole = alone + second + both
    found = effects(ishigami, Pairs(*even(3), ALONE, np.arange(3)))
    np.testing.assert_allclose(found.first.value[:, 0] * whole, [alone, second, 0], atol=5e-3 * whole)
    np.testing.assert_allclose(found.total.value[:, 0] * whole, [alone + both, second, both], atol=5e-3 * whole)
    shared = [alone + both / 2, second, both / 2]
    np.testing.assert_allclose(found.shapley.value[:, 0] * whole, shared, atol=1e-2 * whole)


def test_effects__of_sobol_g_are_those_of_the_closed_form():
    a = np.array([0, 0.5, 3, 9, 99])
    own = 1 / (3 * (1 + a) ** 2)
    whole = np.prod(1 + own) - 1

    def g(z):
        return np.prod((np.abs(4 * ndtr(z) - 2) + a[:, None]) / (1 + a[:, None]), axis=0)[None]

    found = effects(g, Pairs(*even(5), ALONE, np.arange(5)))
    np.testing.assert_allclose(found.first.value[:, 0], own / whole, atol=5e-3)
    np.testing.assert_allclose(found.total.value[:, 0], own * (whole + 1) / (1 + own) / whole, atol=5e-3)
    assert found.shapley.value.sum() == pytest.approx(1, abs=1e-12)
    between = (found.first.value - 5e-3 <= found.shapley.value) & (found.shapley.value <= found.total.value + 5e-3)
    assert between.all()


CORRELATION = np.array([[1, 0.6, 0, 0], [0.6, 1, 0.3, 0], [0, 0.3, 1, 0], [0, 0, 0, 1]])
SLOPES = np.array([1, 2, -1.5, 0.7])
GROUPINGS = {"each alone": [0, 1, 2, 3], "two together": [0, 0, 1, 2], "all ties inside": [0, 0, 0, 1]}


def unknown(known, group):
    """Variance of a linear function that is left where the groups in ``known`` are known."""
    keep = [i for i, each in enumerate(group) if each in known]
    free = [i for i in range(len(group)) if i not in keep]
    rest = CORRELATION[np.ix_(free, free)]
    if keep and free:
        cross = CORRELATION[np.ix_(free, keep)]
        rest = rest - cross @ np.linalg.solve(CORRELATION[np.ix_(keep, keep)], cross.T)
    return SLOPES[free] @ rest @ SLOPES[free]


def in_closed_form(group):
    """First-order, total and Shapley effects of the groups of a linear function."""
    players = sorted(set(group))
    whole = unknown((), group)
    first = [1 - unknown((player,), group) / whole for player in players]
    total = [unknown([each for each in players if each != player], group) / whole for player in players]
    parts = []
    for player in players:
        others = [each for each in players if each != player]
        sets = [set(chosen) for size in range(len(players)) for chosen in itertools.combinations(others, size)]
        weights = [
            math.factorial(len(s)) * math.factorial(len(others) - len(s)) / math.factorial(len(players)) for s in sets
        ]
        gains = [unknown(s, group) - unknown(s | {player}, group) for s in sets]
        parts.append(np.dot(weights, gains) / whole)
    return first, total, parts


@pytest.mark.parametrize("group", GROUPINGS.values(), ids=GROUPINGS)
def test_effects__of_correlated_gaussians_are_those_of_the_closed_form(group):
    root = np.linalg.cholesky(CORRELATION)
    x, y = (root @ each for each in even(4))
    pairs = Pairs(x, y, CORRELATION, np.array(group))
    found = effects(lambda z: (SLOPES @ z)[None], pairs, seed=1)
    first, total, parts = in_closed_form(group)
    np.testing.assert_allclose(found.first.value[:, 0], first, atol=5e-3)
    np.testing.assert_allclose(found.total.value[:, 0], total, atol=5e-3)
    np.testing.assert_allclose(found.shapley.value[:, 0], parts, atol=1e-2)
    np.testing.assert_allclose(shapley(lambda z: (SLOPES @ z)[None], pairs, seed=1).value, found.shapley.value)


def test_exchanged__keeps_the_joint_distribution_and_the_others():
    root = np.linalg.cholesky(CORRELATION)
    x, y = (root @ each for each in np.random.default_rng(3).standard_normal((2, 4, 200_000)))
    pairs = Pairs(x, y, CORRELATION, np.arange(4))
    taken = np.random.default_rng(4).random((4, 200_000)) < 0.5
    found = pairs.exchanged(taken)
    np.testing.assert_array_equal(found[~taken], x[~taken])
    np.testing.assert_allclose(np.corrcoef(found), CORRELATION, atol=5 * 200_000**-0.5)
    for sign in (True, False):  # and given whichever groups were taken
        at = taken[1] == sign
        np.testing.assert_allclose(np.corrcoef(found[:, at]), CORRELATION, atol=5 * 100_000**-0.5)


def test_error__is_how_far_the_effects_scatter():
    def of(seed):
        x, y = np.random.default_rng(seed).standard_normal((2, 3, 2_000))
        return effects(ishigami, Pairs(x, y, ALONE, np.arange(3)), seed)

    found = [of(seed) for seed in range(60)]
    for name in ("total", "shapley"):
        values = np.array([getattr(each, name).value[:2, 0] for each in found])
        told = np.array([getattr(each, name).error[:2, 0] for each in found]).mean(axis=0)
        # a standard deviation of 60 values is known to a tenth; the error leaves out what the variance itself adds
        assert (values.std(axis=0, ddof=1) / told > 0.6).all()
        assert (values.std(axis=0, ddof=1) / told < 1.6).all()


def test_effects__of_what_does_not_vary_are_nothing():
    found = effects(lambda z: np.zeros((1, z.shape[1])), Pairs(*even(2, 1 << 9), ALONE, np.arange(2)))
    assert all((each.value == 0).all() for each in found)
