"""The annual process: hyper-priors, likelihood with the common shock integrated out, and simulation.

    g[b,y] = mu + m[b] + sigma_c * c[y] + sigma_o * t_nu[b,y]

m[b] ~ N(0, tau), c[y] ~ N(0, 1), t of unit variance. A point of the sampler is (mu, log tau, +-sigma_c,
log(sigma_o sqrt((nu - 2) / nu)), log(nu - 2), z[1..company]) with m = tau * z. The density is the same for either sign
of sigma_c, so that a half-normal is the size of a normal without a wall at zero; the scale of the t is better known
than its sd.
"""

from functools import cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64
from scipy.special import gammaln

__all__ = ["HYPER_PRIORS", "NAMES", "Hyper", "log_likelihood", "log_posterior", "simulate", "start", "unpack"]

NAMES = ("mu", "tau", "sigma_c", "sigma_o", "nu")
HYPER_PRIORS = {
    "mu": "normal(0.15, 0.20)",
    "tau": "half-normal(0.10)",
    "sigma_c": "half-normal(0.25)",
    "sigma_o": "half-normal(0.50)",
    "nu": "gamma(2, rate 0.1), above 2",
}
"""What is believed of a large technology company's capex before its record is seen; see docs/fit.md for why."""
MU_MEAN, MU_SD = 0.15, 0.20
TAU_SD, COMMON_SD, OWN_SD = 0.10, 0.25, 0.50
NU_SHAPE, NU_RATE, NU_FLOOR = 2.0, 0.1, 2.0

NODES = 48
"""Gauss-Hermite nodes over a year's common shock; tests hold it against brute force."""
NO_WEIGHT = 1e-13
"""Weight below which a node, more than seven sd out, is left away."""
Chains = Float64[np.ndarray, "dim chain"]


class Hyper(NamedTuple):
    """One set of parameters a chain; ``own`` is m[b]."""

    mu: Float64[np.ndarray, " chain"]  # log growth a year
    tau: Float64[np.ndarray, " chain"]  # sd of the companies' own drifts
    sigma_c: Float64[np.ndarray, " chain"]  # sd a year of the common shock
    sigma_o: Float64[np.ndarray, " chain"]  # sd a year of an own shock
    nu: Float64[np.ndarray, " chain"]  # degrees of freedom of the own shocks, above 2
    own: Float64[np.ndarray, "company chain"]  # drift beyond mu


def unpack(point: Chains) -> Hyper:
    """Parameters of a point of the sampler."""
    nu = NU_FLOOR + np.exp(point[4])
    sigma_o = np.exp(point[3]) * np.sqrt(nu / (nu - 2))
    tau = np.exp(point[1])
    return Hyper(point[0], tau, np.abs(point[2]), sigma_o, nu, tau * point[5:])


def log_likelihood(hyper: Hyper, growth: Float64[np.ndarray, "company year"]) -> Float64[np.ndarray, " chain"]:
    """Log density of the record: the years are independent, each an integral over its common shock.

        p(g) = prod_y integral phi(c) prod_b t_nu(g[b,y] - mu - m[b] - sigma_c c; sd sigma_o) dc

    The t's are multiplied before the logarithm is taken, so that a year costs one logarithm a node.
    """
    nodes, weights = _nodes()
    scale = hyper.sigma_o * np.sqrt(hyper.nu - 2)
    common = nodes[:, None] * (hyper.sigma_c / scale)
    spread = np.ones((growth.shape[1], len(nodes), len(hyper.mu)))
    for company, own in zip(growth, hyper.own, strict=True):
        finite = np.isfinite(company)
        seen = slice(None) if finite.all() else finite
        score = (company[seen, None] - hyper.mu - own) / scale
        apart = score[:, None] - common
        apart *= apart
        apart += 1
        spread[seen] *= apart
    power = np.log(spread, out=spread)
    power *= -(hyper.nu + 1) / 2
    top = power.max(axis=1, keepdims=True)
    power -= top
    inside = np.einsum("k,ykc->yc", weights, np.exp(power, out=power))
    constant = gammaln((hyper.nu + 1) / 2) - gammaln(hyper.nu / 2) - np.log(np.pi) / 2 - np.log(scale)
    return (np.log(inside) + top[:, 0]).sum(axis=0) + np.isfinite(growth).sum() * constant


@cache
def _nodes() -> tuple[Float64[np.ndarray, " node"], Float64[np.ndarray, " node"]]:
    """Nodes and weights for a standard normal, without those that weigh nothing."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(NODES)
    weights = weights / weights.sum()
    kept = weights > NO_WEIGHT
    return nodes[kept], weights[kept]


def log_posterior(point: Chains, growth: Float64[np.ndarray, "company year"]) -> Float64[np.ndarray, " chain"]:
    """Log posterior density of a point of the sampler, up to a constant.

    Three coordinates are logarithms and bring their Jacobians: tau, sigma_o at given nu, and nu.
    """
    hyper = unpack(point)
    prior = (
        -(((hyper.mu - MU_MEAN) / MU_SD) ** 2) / 2
        - (hyper.tau / TAU_SD) ** 2 / 2
        - (hyper.sigma_c / COMMON_SD) ** 2 / 2
        - (hyper.sigma_o / OWN_SD) ** 2 / 2
        + (NU_SHAPE - 1) * np.log(hyper.nu)
        - NU_RATE * hyper.nu
        + point[1]
        + np.log(hyper.sigma_o)
        + point[4]
        - (point[5:] ** 2).sum(axis=0) / 2
    )
    return prior + log_likelihood(hyper, growth)


def start(companies: int, chains: int, rng: np.random.Generator) -> Chains:
    """Points more scattered than the posterior, from which chains begin."""
    scores = rng.standard_normal((5 + companies, chains))
    centre = np.array([MU_MEAN, np.log(TAU_SD / 2), 0, *np.log((OWN_SD / 2, 6.0)), *np.zeros(companies)])
    width = np.array([MU_SD, 0.7, COMMON_SD, 0.5, 0.7, *np.ones(companies)])
    return centre[:, None] + width[:, None] * scores


def simulate(hyper: Hyper, years: int, rng: np.random.Generator) -> Float64[np.ndarray, "company year chain"]:
    """Log growth [1] of years to come, one path a chain."""
    companies, chains = hyper.own.shape
    common = rng.standard_normal((years, chains))
    normal = rng.standard_normal((companies, years, chains))
    own = normal * np.sqrt((hyper.nu - 2) / (2 * rng.standard_gamma(hyper.nu / 2, size=(companies, years, chains))))
    return hyper.mu + hyper.own[:, None] + hyper.sigma_c * common + hyper.sigma_o * own
