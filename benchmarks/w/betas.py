"""A beta of fixed shapes as a polynomial of a standard normal score."""

import functools

import numpy as np
from scipy import special

__all__ = ["logit_polynomial"]

DEGREE = 11
"""With it a variate is right to 1e-5."""
FURTHEST = 6.4
"""Largest score that 32 bits give, a little rounded up."""


@functools.cache
def logit_polynomial(a: float, b: float) -> tuple[float, ...]:
    """Coefficients of logit(quantile of the beta at Phi(z)), lowest power first, fitted over the scores there are."""
    z = FURTHEST * np.cos(np.pi * (np.arange(400) + 0.5) / 400)
    below, above = special.betaincinv(a, b, special.ndtr(z)), special.betaincinv(b, a, special.ndtr(-z))
    logit = np.where(z < 0, np.log(below) - np.log1p(-below), np.log1p(-above) - np.log(above))
    fit = np.polynomial.Chebyshev.fit(z, logit, DEGREE, domain=[-FURTHEST, FURTHEST])
    return tuple(fit.convert(kind=np.polynomial.Polynomial).coef.tolist())
