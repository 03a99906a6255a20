"""Worlds compared on the same random numbers: the first with each of the others."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32

from sim import address, devices
from sim.compare import waterfall
from sim.compare.beliefs import Changed, beliefs, history
from sim.compare.differences import Common, Difference, common, difference, headline_cells, waterfall_cells
from sim.compare.waterfall import Waterfall
from sim.engine import Engine
from sim.errors import BookError
from sim.origin import names
from sim.world import World

__all__ = ["DRAWS", "Comparison", "compare"]

DRAWS = 20_480
FEWEST = 256
"""Fewest draws that are compared."""

Progress = Callable[[int], None]
Drawn = dict[int, Float32[np.ndarray, " draw"]]
"""Some cells of a world by their place."""


@dataclass(frozen=True)
class Comparison:
    """The first world beside each of the others, draw by draw."""

    names: tuple[str, ...]
    """Of the worlds, the first one first."""
    draws: int
    seed: int
    as_of: tuple[str, ...]
    beliefs: tuple[tuple[Changed, ...], ...]
    """For each world after the first, how it differs from that."""
    differences: tuple[Difference, ...]
    waterfalls: tuple[Waterfall, ...]


class _Pair(NamedTuple):
    """The first world and another: their names, the cells compared and those taken apart, and what is exchanged."""

    names: tuple[str, str]
    first: Engine
    second: Engine
    cells: list[Common]
    asked: list[Common]
    none: str
    listed: list[str]


class _Progress:
    """Tells how many draws are done, on average over all times that they are simulated."""

    def __init__(self, times: int, tell: Progress | None) -> None:
        self._times, self._tell, self._done = times, tell, 0

    def __call__(self, draws: int) -> None:
        self._done += draws
        if self._tell is not None:
            self._tell(self._done // self._times)


def compare(
    worlds: Sequence[World],
    *,
    of: Sequence[str] = (),
    draws: int = DRAWS,
    seed: int = 0,
    progress: Progress | None = None,
) -> Comparison:
    """The first world compared with each of the others; draw i of all comes from the same random numbers.

    ``of`` are the cells taken apart prior by prior, a few of the headline where none is asked. ``progress`` is called
    with how many draws are done, on average over the work. BookError: fewer than two worlds or 256 draws, or a cell
    that one of them lacks. DeviceError: too little memory on the device.
    """
    _check(worlds, draws)
    pairs = _pairs(worlds, of, seed)
    tell = _Progress(len(worlds) + sum(max(len(pair.listed) - 1, 0) for pair in pairs), progress)
    first = _drawn(pairs[0].first, (cell.place for pair in pairs for cell, _ in pair.cells), draws, tell)
    differences: list[Difference] = []
    waterfalls: list[Waterfall] = []
    for pair in pairs:
        second = _drawn(pair.second, (cell.place for _, cell in pair.cells), draws, tell)
        found = (difference(pair.names, a, first[a.place], second[b.place]) for a, b in pair.cells)
        differences += [each for each in found if each is not None]
        waterfalls += _waterfalls(pair, first, second, tell)
    return Comparison(
        names=names(worlds),
        draws=draws,
        seed=seed,
        as_of=tuple(world.book.as_of.isoformat() for world in worlds),
        beliefs=tuple((*beliefs(worlds[0].book, each.book), *history(worlds[0], each)) for each in worlds[1:]),
        differences=tuple(differences),
        waterfalls=tuple(waterfalls),
    )


def _check(worlds: Sequence[World], draws: int) -> None:
    """BookError: nothing to compare, or too few draws to say anything."""
    if len(worlds) < 2:
        raise BookError("compare-one", "a comparison needs two worlds or more", remedy="name another one")
    if draws < FEWEST:
        raise BookError("compare-draws", f"{draws} draws are too few to compare", remedy=f"ask for {DRAWS}")


def _pairs(worlds: Sequence[World], of: Sequence[str], seed: int) -> list[_Pair]:
    """What is compared. BookError: a cell asked that one of the worlds lacks."""
    first, *others = (Engine(world, seed, devices.mesh()) for world in worlds)
    named = names(worlds)
    return [_pair((named[0], name), first, other, of) for name, other in zip(named[1:], others, strict=True)]


def _pair(named: tuple[str, str], first: Engine, second: Engine, of: Sequence[str]) -> _Pair:
    both = first.world, second.world
    if of:
        asked = [(address.parse(both[0], text), address.parse(both[1], text)) for text in of]
    else:
        asked = list(common(*both, waterfall_cells(both[0])))
    headline, none = headline_cells(*both), waterfall.unlike(*both)
    compared = [*headline, *(each for each in asked if each not in headline)]
    return _Pair(named, first, second, compared, asked, none, [] if none else waterfall.steps(*both))


def _drawn(engine: Engine, places: Iterable[int], draws: int, tell: Progress) -> Drawn:
    """Some cells in every draw."""
    wanted = sorted(set(places))
    found = np.empty((len(wanted), draws), np.float32)
    for start, made in engine.cells_of(engine.blocks_of(0, draws), draws):
        found[:, start : start + made.shape[1]] = made[wanted]
        tell(made.shape[1])
    return dict(zip(wanted, found, strict=True))


def _waterfalls(pair: _Pair, first: Drawn, second: Drawn, tell: Progress) -> list[Waterfall]:
    """What was asked, taken apart; the draws' own cells are the ends of every path."""
    draws, places = len(next(iter(first.values()))), [cell.place for cell, _ in pair.asked]
    middle = np.empty((0, len(places), draws), np.float32)
    if len(pair.listed) > 1:
        middle = np.concatenate(list(waterfall.paths(pair.first, pair.second, places, draws, tell)), axis=2)
    found = []
    for i, (a, b) in enumerate(pair.asked):
        path = np.concatenate([first[a.place][None], middle[:, i], second[b.place][None]])
        found.append(waterfall.taken_apart(pair.names, a, pair.listed, path, pair.none))
    return found
