"""Effects of groups of inputs on an output's variance, from pairs of independent draws of which groups are exchanged.

Inputs are normal scores X, in part correlated. With x and x' alike in all groups but u, where x' is drawn anew given
the others, and a and x alike in u only,

    total(u)   = E[(f(x) - f(x'))^2] / (2 V)          (Jansen 1999)
    first(u)   = E[f(x) (f(a) - f(y))] / V            (Saltelli 2002; Sobol' and others 2007), y independent of x
    shapley(u) = E over orders of the groups of total(those up to u) - total(those before u)
                                                      (Song, Nelson and Staum 2016; one order a pair as Goda 2021)

With independent groups first <= shapley <= total; with correlated ones no order holds. Shapley effects sum to one.
A step of an order from a set of groups to one more gives (f(x) - f(one more))^2 / 2 less the same of the set; where
no correlated groups are parted, the pair may be looked at from y too, and the mean of both is
(f(one more) - f(set)) (f(y) - f(x)) / 2, which varies less.
A group is drawn anew given the others by Matheron's rule: x'_u = y_u + S_uk S_kk^-1 (x_k - y_k), with S the
correlation matrix and k the others.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Float64, Int
from scipy.sparse.csgraph import connected_components

__all__ = ["Effects", "Pairs", "Shares", "effects", "shapley"]

Outputs = Float[np.ndarray, "place pair"]
Evaluate = Callable[[Float[np.ndarray, "random pair"]], Outputs]


class Shares(NamedTuple):
    """Shares of variance [1] of each group in each output, and their Monte Carlo standard errors."""

    value: Float64[np.ndarray, "group place"]
    error: Float64[np.ndarray, "group place"]


class Effects(NamedTuple):
    """First-order, total and Shapley effects."""

    first: Shares
    total: Shares
    shapley: Shares


@dataclass(frozen=True)
class Pairs:
    """Pairs of independent draws of the inputs' normal scores."""

    x: Float[np.ndarray, "random pair"]
    y: Float[np.ndarray, "random pair"]
    correlation: Float64[np.ndarray, "member member"]
    """Of the first inputs; the others are independent of them and of each other."""
    group: Int[np.ndarray, " random"]
    """Which group each input is of, counted from 0."""

    @cached_property
    def groups(self) -> int:
        """How many groups there are."""
        return int(self.group.max()) + 1

    @cached_property
    def tied(self) -> Int[np.ndarray, " tied"]:
        """Inputs that hang together, by correlations, with one of another group."""
        _, cluster = connected_components(self.correlation != 0, directed=False)
        owners = self.group[: len(cluster)]
        wide = [each for each in range(len(np.unique(cluster))) if len(np.unique(owners[cluster == each])) > 1]
        return np.flatnonzero(np.isin(cluster, wide))

    @cached_property
    def clusters(self) -> list[Int[np.ndarray, " group"]]:
        """Groups that hang together by these inputs."""
        ties = self.correlation[np.ix_(self.tied, self.tied)] != 0
        _, cluster = connected_components(ties, directed=False)
        owners = self.group[self.tied]
        return [np.unique(owners[cluster == each]) for each in np.unique(cluster)]

    def parted(self, taken: Bool[np.ndarray, "group pair"]) -> Bool[np.ndarray, " pair"]:
        """In which pairs some of the groups that hang together are taken and some not."""
        parts = [taken[each].any(axis=0) & ~taken[each].all(axis=0) for each in self.clusters]
        return np.logical_or.reduce(parts, axis=0) if parts else np.zeros(taken.shape[1], dtype=bool)

    def stands_alone(self, group: int) -> bool:
        """Whether a group is independent of all others."""
        return group not in self.group[self.tied]

    def exchanged(self, taken: Bool[np.ndarray, "group pair"]) -> Float[np.ndarray, "random pair"]:
        """The first of each pair with the groups taken drawn anew, given its others."""
        found = np.where(taken[self.group], self.y, self.x)
        patterns, which = np.unique(taken[self.group[self.tied]], axis=1, return_inverse=True)
        for number, pattern in enumerate(patterns.T):
            new, kept = self.tied[pattern], self.tied[~pattern]
            weights = self.correlation[np.ix_(new, kept)] @ np.linalg.pinv(self.correlation[np.ix_(kept, kept)])
            if weights.any():
                at = np.flatnonzero(which == number)
                gap = self.x[np.ix_(kept, at)] - self.y[np.ix_(kept, at)]
                found[np.ix_(new, at)] += (weights @ gap).astype(found.dtype)
        return found

    def only(self, group: int) -> Bool[np.ndarray, "group pair"]:
        """One group taken in every pair."""
        return np.repeat(np.arange(self.groups)[:, None] == group, self.x.shape[1], axis=1)


def effects(evaluate: Evaluate, pairs: Pairs, seed: int = 0) -> Effects:
    """All effects of each group; 2 + 2 times the groups evaluations of every pair, and one more for each tied group."""
    at_x, at_y = evaluate(pairs.x), evaluate(pairs.y)
    variance = np.concatenate([at_x, at_y], axis=1).var(axis=1)
    first, total = (np.empty((pairs.groups, *at_x.shape)) for _ in range(2))
    for group in range(pairs.groups):
        alike = evaluate(pairs.exchanged(~pairs.only(group)))
        first[group] = (at_x - at_x.mean(axis=1, keepdims=True)) * (alike - at_y)
        if pairs.stands_alone(group):
            total[group] = np.square(at_y - alike) / 2
        else:
            total[group] = np.square(at_x - evaluate(pairs.exchanged(pairs.only(group)))) / 2
    parts = _marginal(evaluate, pairs, at_x, at_y, seed)
    return Effects(_shares(first, variance), _shares(total, variance), _shares(parts, parts.sum(axis=0).mean(axis=-1)))


def shapley(evaluate: Evaluate, pairs: Pairs, seed: int = 0) -> Shares:
    """Shapley effects alone."""
    parts = _marginal(evaluate, pairs, evaluate(pairs.x), evaluate(pairs.y), seed)
    return _shares(parts, parts.sum(axis=0).mean(axis=-1))


def _marginal(
    evaluate: Evaluate, pairs: Pairs, at_x: Outputs, at_y: Outputs, seed: int
) -> Float64[np.ndarray, "group place pair"]:
    """What each group adds to the variance as groups are taken one after another, in an order of each pair's own."""
    count = pairs.x.shape[1]
    order = np.random.default_rng(seed).permuted(np.repeat(np.arange(pairs.groups)[:, None], count, axis=1), axis=0)
    taken = np.zeros((pairs.groups, count), dtype=bool)
    found, before, parted = np.empty((pairs.groups, *at_x.shape)), at_x, pairs.parted(taken)
    for step in order:
        taken[step, np.arange(count)] = True
        at = at_y if taken.all() else evaluate(pairs.exchanged(taken))
        now = pairs.parted(taken)
        from_x = (np.square(at_x - at) - np.square(at_x - before)) / 2
        from_both = (at - before) * (at_y - at_x) / 2
        found[step, :, np.arange(count)] = np.where(parted | now, from_x, from_both).T
        before, parted = at, now
    return found


def _shares(parts: Float64[np.ndarray, "group place pair"], variance: Float64[np.ndarray, " place"]) -> Shares:
    """Means over pairs as shares of a variance; 0 of what does not vary."""
    whole = np.where(variance > 0, variance, np.inf)
    error = parts.std(axis=-1, ddof=1) / np.sqrt(parts.shape[-1])
    return Shares(parts.mean(axis=-1) / whole, error / whole)
