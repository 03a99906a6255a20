"""Families of distributions a prior may have: how each is elicited, its quantiles and its draws.

A family is one small class. On the host (float64, SciPy) it checks what the analyst wrote and solves for its
natural parameters; on the device ``from_normal`` turns a standard normal score z into the value whose
probability below it is Phi(z). Every family keeps full relative precision at both of its ends in float32.

To add one, subclass ``Known`` where SciPy has the family, else ``Continuous``, or ``Family`` if it has no density;
give ``natural``, ``params``, ``from_normal`` and what else that class leaves open, and append it to ``Distribution``.
"""

from typing import Annotated

from pydantic import Field

from sim.distributions.bounded import Beta, Pert, TruncatedNormal
from sim.distributions.discrete import Discrete
from sim.distributions.family import Family
from sim.distributions.metalog import Metalog
from sim.distributions.mixture import Component, Mixture
from sim.distributions.plain import Fixed, Logistic, LogNormal, Normal, Triangular, Uniform
from sim.distributions.tailed import Gamma, StudentT

__all__ = [
    "Beta",
    "Component",
    "Discrete",
    "Distribution",
    "Family",
    "Fixed",
    "Gamma",
    "LogNormal",
    "Logistic",
    "Metalog",
    "Mixture",
    "Normal",
    "Pert",
    "StudentT",
    "Triangular",
    "TruncatedNormal",
    "Uniform",
]

Distribution = Annotated[
    Fixed
    | Uniform
    | Normal
    | LogNormal
    | Logistic
    | TruncatedNormal
    | Triangular
    | Pert
    | Beta
    | Gamma
    | StudentT
    | Metalog
    | Mixture
    | Discrete,
    Field(discriminator="family"),
]
"""Any family, told apart by its field ``family``."""
