"""What moves an output: effects of topics over time, single priors, what they rest on, and the worth of knowing them.

Everything is made of a run's own draws: its first ``draws`` as they are, and its first two times ``pairs`` as pairs of
independent draws between which topics are exchanged.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Float32, Float64, Int
from scipy.special import ndtri

from sim import devices, draws, reduce
from sim.address import Cell, parse
from sim.engine import Engine
from sim.errors import BookError
from sim.reduce import Figure
from sim.sensitivity.decisions import Decision, decide, question
from sim.sensitivity.indices import Effects, Pairs, Shares, effects, shapley
from sim.sensitivity.swings import Elasticity, Numbers, Swing, elasticities, swings
from sim.sensitivity.topics import FOOTINGS, TOPICS, footing, topic
from sim.world import World

__all__ = ["DRAWS", "PAIRS", "Effect", "Footing", "Sensitivity", "sensitivity"]

DRAWS = 20_480
PAIRS = 4_096
FEWEST = 512
"""Pairs with fewer of which errors themselves are not known."""
SHOWN = {"p05": 0.05, "p50": 0.5, "p95": 0.95}


@dataclass(frozen=True)
class Effect:
    """Shares [1] of the variance of a cell's normal scores that a topic has."""

    group: str
    first: Figure
    """Of the topic alone."""
    total: Figure
    """Of the topic with all it interacts with."""
    shapley: Figure
    """The same with every interaction divided between those that make it; these sum to one."""


@dataclass(frozen=True)
class Footing:
    """Shapley share [1] of all priors that rest on one kind of ground."""

    kind: str
    share: Figure


@dataclass(frozen=True)
class Sensitivity:
    """What moves one cell, as data; everything is in the order of its size."""

    cell: str
    unit: str
    about: str
    scenario: str
    as_of: str
    seed: str
    draws: int
    pairs: int
    figures: dict[str, Figure]
    effects: tuple[Effect, ...]
    years: tuple[str, ...]
    over_time: dict[str, tuple[float, ...]]
    """Shapley shares of each topic in each forecast year of the same output and label."""
    footing: tuple[Footing, ...]
    swings: tuple[Swing, ...]
    elasticities: tuple[Elasticity, ...]
    decision: Decision | None


def sensitivity(
    world: World,
    cells: Sequence[str],
    *,
    draws: int = DRAWS,
    pairs: int = PAIRS,
    seed: int = 0,
    decision: str | None = None,
    cost: float = 0.5,
    progress: Callable[[int], None] | None = None,
) -> list[Sensitivity]:
    """What moves each of some cells written ``output[label,period]``.

    ``decision`` is an event such as ``revenue[nvidia,2027] < 400``, against which one may take a measure at ``cost``, a
    part of the loss that the event brings. ``progress`` is told how many draws have been evaluated, of ``work`` in all.
    BookError: a cell or an event that cannot be read, too few draws or pairs, or a cell without a value in some draw.
    """
    if pairs < FEWEST or draws < 2 * pairs:
        problem = f"{pairs:,} pairs from {draws:,} draws"
        remedy = f"ask for at least {FEWEST} pairs, and twice as many draws as pairs"
        raise BookError("sensitivity-draws", problem, remedy=remedy)
    asked = [parse(world, text) for text in cells]
    asking = None if decision is None else question(world, decision, cost)
    made = _Made(
        Engine(world, seed, devices.mesh()),
        tuple(dict.fromkeys(_places(world, asked))),
        draws,
        pairs,
        _summed(progress),
    )
    by_topic = effects(made.evaluate, made.pairs_of([list(TOPICS).index(topic(name)) for name, _ in world.named]), seed)
    grounds = {name: FOOTINGS.index(footing(prior)) for name, prior in world.book.priors.items()}
    by_footing = shapley(made.evaluate, made.pairs_of([grounds[name] for name, _ in world.named]), seed)
    worth = None if asking is None else decide(asking, made.cells_of(asking.threshold.place), made.numbers)
    return [_told(made, cell, by_topic, by_footing, worth) for cell in asked]


def _summed(progress: Callable[[int], None] | None) -> Callable[[int], None]:
    """Tells ``progress`` the sum of what it is told."""
    done = 0

    def tell(more: int) -> None:
        nonlocal done
        done += more
        if progress is not None:
            progress(done)

    return tell


def work(draws: int, pairs: int) -> int:
    """Draws that are evaluated for the effects, at least."""
    return draws + pairs * (2 * len(TOPICS) + len(FOOTINGS) + 2)


def _places(world: World, asked: Iterable[Cell]) -> list[int]:
    """Places of the cells and of the same output and label in every forecast year."""
    return [each.place for cell in asked for each in (cell, *_over_time(world, cell).values())]


def _over_time(world: World, cell: Cell) -> dict[str, Cell]:
    """The same output and label in every year after the hand-over, if the cell is of a calendar year."""
    if cell.table[0] != "year":
        return {}
    years = world.book.axes["year"]
    cells = {year: parse(world, f"{cell.output}[{cell.label},{year}]") for year in years if year >= _first(world)}
    return {year: each for year, each in cells.items() if each.ahead}


def _first(world: World) -> str:
    """The first year that is not wholly reported."""
    return world.book.axes["time"][world.record.handover + 1][:4]


@dataclass(frozen=True)
class _Made:
    """A run's draws, and the evaluation of others in the terms of its distribution."""

    engine: Engine
    places: tuple[int, ...]
    draws: int
    count: int
    tell: Callable[[int], None]
    """Told of every draw evaluated."""

    @cached_property
    def latent(self) -> Float32[np.ndarray, "random draw"]:
        """Correlated scores of every random number in the run's first draws."""
        return self.engine.latent(0, self.draws)

    @cached_property
    def found(self) -> dict[int, Float32[np.ndarray, " draw"]]:
        """The cells in the run's first draws, by their place."""
        values = self.engine.evaluated(self.latent, self.places, scores=True)
        undefined = ~np.isfinite(values).all(axis=1)
        if undefined.any():
            problem = f"{undefined.sum()} of the cells, or of their years, have no value in some draws"
            raise BookError("sensitivity-undefined", problem, remedy="ask for another output, label or period")
        self.tell(values.shape[1])
        return dict(zip(self.places, values, strict=True))

    @cached_property
    def ranked(self) -> Float32[np.ndarray, "place draw"]:
        """The same in the order of their size."""
        return np.sort(np.stack([self.found[place] for place in self.places]), axis=1)

    def evaluate(self, latent: Float[np.ndarray, "random pair"]) -> Float64[np.ndarray, "place pair"]:
        """Normal scores, by the run's own distribution, of the cells of given scores of the inputs."""
        values = self.engine.evaluated(latent.astype(np.float32), self.places, scores=True)
        self.tell(values.shape[1])
        sides = [
            [np.searchsorted(*each, side) for side in ("left", "right")]
            for each in zip(self.ranked, values, strict=True)
        ]
        rank = np.array(sides).mean(axis=1) / self.draws
        return ndtri(np.clip(rank, 0.5 / self.draws, 1 - 0.5 / self.draws))

    def pairs_of(self, group: Sequence[int]) -> Pairs:
        """The run's first draws in pairs, their numbers in groups given by entry."""
        _ = self.found  # a cell without a value is told before anything else is done
        order = np.array(self.engine.plan.layout.order)
        by_row: Int[np.ndarray, " random"] = np.empty(len(order), int)
        by_row[order] = group
        x, y = (self.latent[:, start : start + self.count] for start in (0, self.count))
        return Pairs(x, y, draws.correlation(self.engine.plan), by_row[: len(x)])

    @cached_property
    def numbers(self) -> Numbers:
        """The random numbers of the run's first draws."""
        return Numbers.of(self.engine, self.latent)

    def cells_of(self, place: int) -> Float32[np.ndarray, " draw"]:
        """Any cell in the run's first draws."""
        return self.found[place] if place in self.found else self.engine.evaluated(self.latent, [place], scores=True)[0]


def _told(made: _Made, cell: Cell, topics: Effects, grounds: Shares, decision: Decision | None) -> Sensitivity:
    """What was found of one cell."""
    world, at = made.engine.world, made.places.index(cell.place)
    found = [
        Effect(key, *(Figure(float(each.value[i, at]), float(each.error[i, at])) for each in topics))
        for i, key in enumerate(TOPICS)
    ]
    years = {year: made.places.index(each.place) for year, each in _over_time(world, cell).items()}
    rest = [
        Footing(kind, Figure(float(grounds.value[i, at]), float(grounds.error[i, at])))
        for i, kind in enumerate(FOOTINGS)
    ]
    moved = swings(world, cell, made.found[cell.place], made.numbers)
    told = reduce.of_draws(made.found[cell.place])
    levels = {key: reduce.LEVELS.index(level) for key, level in SHOWN.items()}
    return Sensitivity(
        cell=str(cell),
        unit=cell.declared.unit,
        about=cell.declared.long_name,
        scenario=world.book.name,
        as_of=world.book.as_of.isoformat(),
        seed=str(made.engine.seed),
        draws=made.draws,
        pairs=made.count,
        figures={key: Figure(float(told.quantiles[i]), float(told.quantile_error[i])) for key, i in levels.items()},
        effects=tuple(sorted(found, key=lambda each: -each.shapley.value)),
        years=tuple(years),
        over_time={
            key: tuple(float(topics.shapley.value[i, place]) for place in years.values())
            for i, key in enumerate(TOPICS)
        },
        footing=tuple(rest),
        swings=moved,
        elasticities=elasticities(made.engine, cell, [each.prior for each in moved]),
        decision=decision,
    )
