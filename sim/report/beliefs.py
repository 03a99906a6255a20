"""Every prior as a report shows it: its distributions, each told once, its sources, and what it is about."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from sim.book.schema import ELEMENT_DIMS, Prior
from sim.distributions import Distribution, Fixed
from sim.report.cited import Cited, Library
from sim.sensitivity.topics import topic
from sim.world import World

__all__ = ["LEVELS", "SHAPE", "Belief", "Case", "beliefs", "changed"]

LEVELS = {"p05": 0.05, "p50": 0.5, "p95": 0.95}
SHAPE = np.concatenate([[0.005, 0.01, 0.02], np.linspace(0.04, 0.96, 24), [0.98, 0.99, 0.995]])
"""Probabilities at which a distribution is drawn [1]."""


@dataclass(frozen=True)
class Case:
    """One distribution of a prior, for all labels that have it; quantiles in the unit of the prior's file."""

    labels: tuple[str, ...]
    """Empty where it holds for all; else labels, those of several years in one: ``nvidia 2026-2028``."""
    count: int
    """For how many labels it holds."""
    family: str
    given: tuple[tuple[str, str], ...]
    """What its file states of it."""
    figures: dict[str, float]
    shape: tuple[float, ...]
    """Quantiles at ``SHAPE``; of a fixed value that alone."""


@dataclass(frozen=True)
class Belief:
    """A prior with all that its file says of it."""

    name: str
    topic: str
    about: str
    unit: str
    as_of: str
    reasoning: str
    cases: tuple[Case, ...]
    sources: tuple[Cited, ...]

    @property
    def numbers(self) -> int:
        """How many numbers of a draw it gives."""
        return sum(case.count for case in self.cases)


def beliefs(world: World) -> tuple[Belief, ...]:
    """Every prior of a world, in the order of its files."""
    library = Library(world.book)
    return tuple(_belief(prior, library) for prior in world.book.priors.values())


def changed(world: World, than: World) -> tuple[Belief, ...]:
    """The priors of a world whose distributions are not those of another, or that the other does not have."""
    library, before = Library(world.book), than.book.priors
    return tuple(
        _belief(prior, library)
        for name, prior in world.book.priors.items()
        if name not in before or dict(prior.table) != dict(before[name].table)
    )


def _belief(prior: Prior, library: Library) -> Belief:
    return Belief(
        name=prior.name,
        topic=topic(prior.name),
        about=prior.about,
        unit=prior.unit,
        as_of=prior.as_of.isoformat(),
        reasoning=" ".join(prior.reasoning.split()),
        cases=tuple(_cases(prior)),
        sources=tuple(library.told(each) for each in prior.source),
    )


def _cases(prior: Prior) -> Iterator[Case]:
    """Distributions in the order in which they first occur."""
    groups: dict[str, list[tuple[str, ...]]] = {}
    for labels, member in prior.table.items():
        groups.setdefault(member.model_dump_json(), []).append(labels)
    for those in groups.values():
        member = prior.table[those[0]]
        scaled = member if prior.factor == 1 else member.scaled(1 / prior.factor)
        yield Case(
            labels=() if len(groups) == 1 else tuple(_together(prior, those)),
            count=len(those),
            family=scaled.family,
            given=tuple(_given(scaled)),
            figures={key: scaled.quantile(level) for key, level in LEVELS.items()},
            shape=_shape(scaled),
        )


def _together(prior: Prior, labels: list[tuple[str, ...]]) -> Iterator[str]:
    """Labels as text, with the years or quarters that one has as their span."""
    dated = bool(prior.dims) and prior.dims[-1] in ELEMENT_DIMS
    spans: dict[str, list[str]] = {}
    for each in labels:
        spans.setdefault(", ".join(each[:-1] if dated else each), []).append(each[-1] if dated else "")
    for name, times in spans.items():
        span = f"{times[0]}–{times[-1]}" if len(times) > 1 and times[0] != times[-1] else times[0]
        yield f"{name} {span}".strip()


def _given(member: Distribution) -> Iterator[tuple[str, str]]:
    """The fields of a distribution as its file states them."""
    for name, value in member.model_dump(exclude_none=True, exclude={"family"}).items():
        yield name, f"{value:.6g}" if isinstance(value, int | float) else str(value)


def _shape(member: Distribution) -> tuple[float, ...]:
    if isinstance(member, Fixed):
        return (member.value,)
    found: Float64[np.ndarray, " level"] = member.ppf(SHAPE)
    return tuple(float(each) for each in found)
