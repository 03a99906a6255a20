"""The tuned contender's random numbers: float32, draws last, every family in a few passes over contiguous rows."""

from typing import NamedTuple

import numpy as np
from scipy import special
from scipy.sparse.csgraph import connected_components

from benchmarks.base_world_numpy.cells import product
from sim.axes import INPUTS
from sim.distributions import Distribution, Fixed, LogNormal, Normal
from sim.distributions.family import Known
from sim.world import World

__all__ = ["Sampler", "sampler_of"]

REACH, KNOTS = 6.7, 1024  # of the tables of values by score
ROWS = 32  # pairs of rows made at once, so that they stay in cache
WORD = 32
HALF_TURN = np.float32(np.pi / 2 ** (WORD - 1))
ORDER = (Normal, LogNormal, "table", Fixed)


class Sampler(NamedTuple):
    """Rows of a draw: normal, then lognormal, then tabulated, then an unused one if they are odd, then fixed."""

    normal: int  # how many rows
    lognormal: int
    tabled: int
    scale: np.ndarray  # [row, 1] of normal and lognormal rows; of the logarithm for the latter
    middle: np.ndarray
    start: np.ndarray  # [row * knot] value at each knot of the tabulated rows
    slope: np.ndarray  # and its difference to the next
    fixed: np.ndarray  # [row, 1]
    groups: list[tuple[np.ndarray, np.ndarray]]  # rows that are correlated, and the root [row, row] of how
    places: dict[str, tuple[tuple[int, ...], np.ndarray]]  # by input: shape and rows

    @property
    def variates(self) -> int:
        """Rows that are drawn, an even number."""
        used = self.normal + self.lognormal + self.tabled
        return used + used % 2

    def buffer(self, count: int) -> np.ndarray:
        """Room [row, draw] for a chunk, its fixed rows filled once and for all."""
        rows = np.empty((self.variates + len(self.fixed), count), np.float32)
        rows[self.variates :] = self.fixed
        return rows

    def __call__(self, rng: np.random.Generator, rows: np.ndarray) -> dict[str, np.ndarray]:
        """Beliefs [*dims, draw] by name, drawn into ``rows``: views of it, but for the few priors of mixed families."""
        fill_normals(rng, rows[: self.variates])
        for members, root in self.groups:
            rows[members] = product(root, rows[members])
        straight, curved = self.normal + self.lognormal, self.normal + self.lognormal + self.tabled
        rows[:straight] *= self.scale
        rows[:straight] += self.middle
        np.exp(rows[self.normal : straight], out=rows[self.normal : straight])
        self.look_up(rows[straight:curved])
        return {name: rows_of(rows, which).reshape(*shape, -1) for name, (shape, which) in self.places.items()}

    def look_up(self, z: np.ndarray) -> None:
        """Replace scores by the values of their tables, on a straight line between knots."""
        z += REACH
        z *= (KNOTS - 1) / (2 * REACH)
        np.clip(z, 0, KNOTS - 1.01, out=z)
        knot = z.astype(np.intp)
        z -= knot.astype(np.float32)
        knot += KNOTS * np.arange(len(z))[:, None]
        z *= self.slope.take(knot)
        z += self.start.take(knot)


def rows_of(rows: np.ndarray, which: np.ndarray) -> np.ndarray:
    """Rows by index: a view where they follow each other."""
    first = int(which[0])
    return rows[first : first + len(which)] if np.array_equal(which, np.arange(len(which)) + first) else rows[which]


def fill_normals(rng: np.random.Generator, out: np.ndarray) -> None:
    """Standard normals by Box and Muller, two of each 64 bits; float32 logarithms and cosines are NumPy's fastest."""
    half = len(out) // 2
    for first in range(0, half, ROWS):
        radius, angle = out[first : min(first + ROWS, half)], out[half + first : min(half + first + ROWS, 2 * half)]
        bits = rng.bit_generator.random_raw(radius.size).view(np.uint32).reshape(2, *radius.shape)
        radius[...] = bits[0]
        radius += 0.5
        radius *= 2.0**-WORD
        np.log(radius, out=radius)
        radius *= -2
        np.sqrt(radius, out=radius)
        angle[...] = bits[1].view(np.int32)
        angle *= HALF_TURN
        cosine = np.cos(angle)
        np.sin(angle, out=angle)
        angle *= radius
        radius *= cosine


def sampler_of(world: World) -> Sampler:
    """The sampler of a world."""
    kinds = [kind_of(entry.distribution) for entry in world.entries]
    order = sorted(range(len(kinds)), key=lambda i: kinds[i])
    count = [kinds.count(kind) for kind in range(len(ORDER))]
    drawn = sum(count[:3])
    row = np.empty(len(order), np.intp)
    row[order] = np.arange(len(order)) + (np.arange(len(order)) >= drawn) * (drawn % 2)
    laws = [world.entries[i].distribution for i in order]
    straight = np.array([line_of(law) for law in laws[: count[0] + count[1]]], np.float32)
    start, slope = tables_of(laws[count[0] + count[1] : drawn])
    streams, rank = world.book.correlation
    at = {entry.stream: row[i] for i, entry in enumerate(world.entries)}
    return Sampler(
        *count[:3],
        middle=straight[:, :1],
        scale=straight[:, 1:],
        start=start,
        slope=slope,
        fixed=np.array([[law.value] for law in laws[drawn:]], np.float32),
        groups=groups_of(np.array([at[stream] for stream in streams]), rank),
        places=places_of(world, row),
    )


def kind_of(law: Distribution) -> int:
    """Place of a distribution's rows in ``ORDER``; a shifted lognormal is tabulated."""
    if isinstance(law, LogNormal) and law.natural[0] != law.natural[1]:
        return ORDER.index("table")
    return ORDER.index(type(law)) if type(law) in ORDER else ORDER.index("table")


def line_of(law: Normal | LogNormal) -> tuple[float, float]:
    """Middle and scale of the value, or of its logarithm."""
    if isinstance(law, Normal):
        return law.natural[0], law.natural[1]
    median, _, sigma = law.natural
    return float(np.log(median)), sigma


def tables_of(laws: list[Distribution]) -> tuple[np.ndarray, np.ndarray]:
    """Values at the knots of each law, and their differences, one law behind the other."""
    at = {law: values_at(law, np.linspace(-REACH, REACH, KNOTS)) for law in set(laws)}
    values = np.array([at[law] for law in laws])
    slopes = np.diff(values, append=values[:, -1:])
    return values.astype(np.float32).ravel(), slopes.astype(np.float32).ravel()


def values_at(law: Distribution, scores: np.ndarray) -> np.ndarray:
    """Values at standard normal scores, each tail from its own side where SciPy has the family."""
    if not isinstance(law, Known):
        return law.ppf(special.ndtr(scores))
    tail = special.ndtr(-np.abs(scores))
    return np.where(scores < 0, law.known.ppf(tail), law.known.isf(tail))


def groups_of(members: np.ndarray, rank: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Rows of each group that hangs together, and the Cholesky root of the correlations of its normal scores."""
    pearson = 2 * np.sin(np.pi / 6 * rank)
    np.fill_diagonal(pearson, 1)
    count, group = connected_components(pearson != 0, directed=False)
    indices = [np.flatnonzero(group == i) for i in range(count)]
    return [(members[i], np.linalg.cholesky(pearson[np.ix_(i, i)]).astype(np.float32)) for i in indices]


def places_of(world: World, row: np.ndarray) -> dict[str, tuple[tuple[int, ...], np.ndarray]]:
    """Shape and rows of each input; entries stand in the order of inputs, and of their labels."""
    sizes = [int(np.prod(world.shapes[name])) for name in INPUTS]
    parts = np.split(row, np.cumsum(sizes)[:-1])
    return {name: (world.shapes[name], part) for name, part in zip(INPUTS, parts, strict=True)}
