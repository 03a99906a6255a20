"""What a book holds, as frozen models: the world, the priors with their sources, and the correlations."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import date
from functools import cached_property
from typing import Annotated, Literal, TypeAlias, get_args

import numpy as np
from pydantic import Field, SkipValidation, StringConstraints, model_validator

from sim.axes import CONSTRAINTS, TIERS, WORKLOADS
from sim.book.fields import Date, Figure, Link, Model, Quarter, Text
from sim.distributions import Distribution, Fixed

__all__ = [
    "FAMILIES",
    "Book",
    "Buyer",
    "Chip",
    "Citation",
    "Correlation",
    "Judgement",
    "Prior",
    "PriorEntry",
    "Recipe",
    "Reference",
    "Source",
    "Supplier",
    "WorldSpec",
    "stream",
]

ELEMENT_DIMS = frozenset({"time", "year"})
"""Dims along which one stream has several elements; labels of every other dim are part of the stream's name."""

FAMILIES: dict[str, type[Distribution]] = {
    get_args(member.model_fields["family"].annotation)[0]: member for member in get_args(get_args(Distribution)[0])
}

Labelled: TypeAlias = Distribution | dict[str, Distribution | dict[str, Distribution]]
"""One distribution for all labels, or one per label; with two dims a label may hold one per label of the second."""


class Citation(Model):
    """A published source: its key, the place in it, and what it says, with the figure."""

    cite: Text
    where: Text
    says: Figure


class Judgement(Model):
    """Our own or the user's number, with one sentence why."""

    judgement: Text


Source: TypeAlias = Citation | Judgement


class PriorEntry(Model):
    """A prior as a file writes it."""

    about: Text
    unit: Text
    dims: tuple[Text, ...]
    dist: SkipValidation[Labelled]
    source: Annotated[tuple[Source, ...], Field(min_length=1)]
    reasoning: Text
    as_of: Date


class Prior(Model):
    """A prior as the model reads it: one distribution for each combination of labels, in the model's unit."""

    name: str
    group: str
    about: str
    unit: str
    """The unit its file is written in."""
    factor: float
    """What the file's numbers were multiplied by to stand in the model's unit."""
    dims: tuple[str, ...]
    table: Mapping[tuple[str, ...], Distribution]
    source: tuple[Source, ...]
    reasoning: str
    as_of: date

    def stream(self, labels: tuple[str, ...]) -> str:
        """The stream that draws the value at ``labels``; labels of time and year are elements of one stream."""
        return stream(
            self.name, [label for dim, label in zip(self.dims, labels, strict=True) if dim not in ELEMENT_DIMS]
        )

    def by(self, labels: tuple[str, ...], year: str) -> bool:
        """Whether a number is of no later year than a given one, so that it may move what is of that year."""
        dates = [label[:4] for dim, label in zip(self.dims, labels, strict=True) if dim in ELEMENT_DIMS]
        return all(date <= year for date in dates)


class Correlation(Model):
    """A rank correlation within one prior, or between two priors or two of their labels."""

    within: Text | None = None
    between: Annotated[tuple[Text, ...], Field(min_length=2, max_length=2)] | None = None
    rho: Annotated[float, Field(ge=-1, le=1)]
    source: Annotated[tuple[Source, ...], Field(min_length=1)]
    reasoning: Text
    as_of: Date | None = None
    """The book's date, where it is not given."""

    @property
    def subject(self) -> str:
        """What it joins, in words that are the same for the same priors."""
        return subject(self.within, self.between)

    @model_validator(mode="after")
    def _has_one_subject(self) -> "Correlation":
        if (self.within is None) == (self.between is None):
            raise ValueError("it joins nothing, or two things; give either within: NAME or between: [NAME, NAME]")
        return self


class Buyer(Model):
    """Who buys, from whom, and how its spending is known."""

    name: Text
    spending: Literal["reported", "elicited", "direct"]
    buys: Annotated[tuple[Text, ...], Field(min_length=1)]


class Supplier(Model):
    """Who sells, and how its revenue to date is known."""

    name: Text
    revenue: Literal["reported", "band", "units", "backcast"]
    line: Annotated[Text, StringConstraints(pattern=r"^[a-z0-9_]+\.[A-Za-z0-9_]+$")] | None = None
    """Of a reported supplier: entity and metric of its line in ``history/revenue.csv``."""
    accelerator_line: Annotated[Text, StringConstraints(pattern=r"^[a-z0-9_]+\.[A-Za-z0-9_]+$")] | None = None
    """The part of the line that is accelerators, where it is reported apart from what is sold with them."""
    outlook_line: Annotated[Text, StringConstraints(pattern=r"^[a-z0-9_]+\.[A-Za-z0-9_]+$")] | None = None
    """Entity and metric of the supplier's own outlook for the quarter after the last reported one."""
    fiscal_year_end: Annotated[int, Field(ge=1, le=12)] | None = None
    """Month on whose last Sunday the fiscal year ends, for suppliers reported by fiscal year too."""

    @model_validator(mode="after")
    def _has_a_line(self) -> "Supplier":
        if (self.revenue == "reported") != (self.line is not None):
            raise ValueError("a supplier has line: ENTITY.METRIC exactly if its revenue is reported")
        if self.line is None and (self.accelerator_line or self.fiscal_year_end):
            raise ValueError("accelerator_line: and fiscal_year_end: belong to a supplier whose revenue is reported")
        return self


class Chip(Model):
    """One generation of a supplier; ``follows`` names the chip that a successor is a multiple of."""

    name: Text
    supplier: Text
    follows: Text | None = None
    retires: bool = False


class WorldSpec(Model):
    """Who is in the world, and when."""

    as_of: Date
    start: Quarter
    horizon: Quarter
    buyers: Annotated[dict[str, Buyer], Field(min_length=1)]
    suppliers: Annotated[dict[str, Supplier], Field(min_length=1)]
    chips: Annotated[dict[str, Chip], Field(min_length=1)]
    retrospective: bool = False
    """Whether rows marked retrospective, made later than the book, may inform its history; never in a vintage."""

    @cached_property
    def axes(self) -> dict[str, tuple[str, ...]]:
        """The labels of every axis, in the order of the file."""
        spending = {name: buyer.spending for name, buyer in self.buyers.items()}
        revenue = {name: supplier.revenue for name, supplier in self.suppliers.items()}
        quarters = _quarters(self.start, self.horizon)
        return {
            "buyer": tuple(self.buyers),
            **{f"{kind}_buyer": _where(spending, kind) for kind in ("reported", "elicited", "direct")},
            "capex_buyer": _where(spending, "reported", "elicited"),
            "supplier": tuple(self.suppliers),
            **{f"{kind}_supplier": _where(revenue, kind) for kind in ("reported", "band", "units", "backcast")},
            "chip": tuple(self.chips),
            "catalogue_chip": tuple(name for name, chip in self.chips.items() if chip.follows is None),
            "successor_chip": tuple(name for name, chip in self.chips.items() if chip.follows is not None),
            "retiring_chip": tuple(name for name, chip in self.chips.items() if chip.retires),
            "pair": tuple(f"{name}/{supplier}" for name, buyer in self.buyers.items() for supplier in buyer.buys),
            "time": quarters,
            "year": tuple(dict.fromkeys(quarter[:4] for quarter in quarters)),
            "season": ("Q1", "Q2", "Q3", "Q4"),
            "workload": WORKLOADS,
            "tier": TIERS,
            "constraint": CONSTRAINTS,
        }


class Reference(Model):
    """A publication that priors cite by its key."""

    title: Text
    published: Date
    kind: Literal["primary", "report", "dataset", "secondary", "estimate", "opinion", "low_confidence", "unlinked"]
    publisher: Text | None = None
    url: Link | None = None
    note: Text | None = None


class Recipe(Model):
    """How a book was asked for, so that it can be asked for again."""

    names: tuple[str, ...]
    as_of: Date | None = None
    overrides: Mapping[str, str | int | float | bool] = {}


class Book(Model):
    """Everything a run believes: immutable, checked, in the model's units."""

    name: str
    about: str
    world: WorldSpec
    priors: Mapping[str, Prior]
    correlated: Mapping[tuple[str, str], float]
    """Rank correlation of each correlated pair of streams."""
    correlations: tuple[Correlation, ...]
    references: Mapping[str, Reference]
    recipe: Recipe | None = None
    """None where other priors than the shipped ones were underneath, or values set that are no plain ones."""

    @property
    def as_of(self) -> date:
        """The date whose knowledge the book holds."""
        return self.world.as_of

    @property
    def axes(self) -> dict[str, tuple[str, ...]]:
        """The labels of every axis."""
        return self.world.axes

    @property
    def correlation(self) -> tuple[list[str], np.ndarray]:
        """The streams that are correlated, sorted, and their matrix of rank correlations; fixed ones have none."""
        fixed = {
            prior.stream(labels)
            for prior in self.priors.values()
            for labels, member in prior.table.items()
            if isinstance(member, Fixed)
        }
        return rank_matrix({pair: rho for pair, rho in self.correlated.items() if not fixed & set(pair)})

    def config(self) -> dict[str, object]:
        """All that determines a run's numbers, for JSON: no prose, no file names, no order of priors."""
        no_names = {"__all__": {"name"}}
        return {
            "axes": {name: list(labels) for name, labels in self.axes.items()},
            "world": self.world.model_dump(
                mode="json",
                exclude={"retrospective": True, **dict.fromkeys(("buyers", "suppliers", "chips"), no_names)},
            ),
            "priors": {name: _table_config(prior) for name, prior in sorted(self.priors.items())},
            "correlations": [[*pair, rho] for pair, rho in sorted(self.correlated.items())],
        }

    @cached_property
    def digest(self) -> str:
        """SHA-256 of ``config``, in hexadecimal."""
        text = json.dumps(self.config(), sort_keys=True, separators=(",", ":"), allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()


def subject(within: object, between: Sequence[object] | None) -> str:
    """What a correlation joins: ``within price``, or ``between drift and price[h100]`` in the alphabet's order."""
    return f"within {within}" if between is None else f"between {' and '.join(sorted(map(str, between)))}"


def stream(name: str, labels: Sequence[str]) -> str:
    """The name of a stream: ``price[h100]``, or the prior's own name where it has no labels."""
    return f"{name}[{','.join(labels)}]" if labels else name


def rank_matrix(correlated: Mapping[tuple[str, str], float]) -> tuple[list[str], np.ndarray]:
    """Sorted stream names and the matrix of rank correlations [1] of the pairs given, 0 elsewhere."""
    streams = sorted({name for pair in correlated for name in pair})
    index = {name: position for position, name in enumerate(streams)}
    matrix = np.eye(len(streams))
    for (first, second), rho in correlated.items():
        matrix[index[first], index[second]] = matrix[index[second], index[first]] = rho
    return streams, matrix


def _where(kinds: Mapping[str, str], *wanted: str) -> tuple[str, ...]:
    return tuple(name for name, kind in kinds.items() if kind in wanted)


def _quarters(start: str, horizon: str) -> tuple[str, ...]:
    """Every quarter from ``start`` to ``horizon``."""
    years = range(int(start[:4]), int(horizon[:4]) + 1)
    quarters = [f"{year}Q{number}" for year in years for number in (1, 2, 3, 4)]
    return tuple(quarter for quarter in quarters if start <= quarter <= horizon)


def _table_config(prior: Prior) -> dict[str, object]:
    return {",".join(labels): member.model_dump(exclude_none=True) for labels, member in prior.table.items()}
