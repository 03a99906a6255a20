"""``./go python -m benchmarks.importance``: writes sim/dimensions.txt, the order in which Sobol dimensions are given.

One number alone is spread evenly in any dimension, several together only in the first ones. So these go to the numbers
that act on the headline outputs together: how far a number matters is the sum of the squared rank correlations of its
products with others, and a part of its own, because a quantile joins what is added up below it.
"""

from pathlib import Path

import jax
import numpy as np
from jaxtyping import Float
from scipy.stats import rankdata

import sim
from sim import cells, devices, draws
from sim.engine import Engine
from sim.world import World

DRAWS = 32_768
SEED = 0
YEARS = ("2026", "2027", "2028", "2029", "2030")
OWN = 0.1
"""Weight of a number's own correlations."""
NOISE = 20
"""Squared correlations below this many times 1 / draws are taken for none: chance gives one of 130,000."""
HEADLINE = {
    "h100e": ("nvidia", "total"),
    "revenue": ("nvidia", "total"),
    "capex": ("reported",),
    "binding": ("budget", "need", "supply"),
}
TABLE = Path(sim.__file__).with_name("dimensions.txt")
HEAD = """\
# Written by ./go python -m benchmarks.importance: the random numbers of the base book as stream and element, the most
# important first. The first has dimension 0 of the Sobol sequence, the next 1, and so on. A number that is not named
# needs no line. Another order gives every Sobol run other draws: raise STREAM_VERSION with it.
"""


def simulated(engine: Engine) -> tuple[np.ndarray, np.ndarray]:
    """Independent scores [variate, draw] and the headline outputs [output, draw] of the same draws."""
    plan, block = engine.plan, engine.shape.block
    score = jax.jit(draws.normals, static_argnames="n")
    scores, outputs = [], []
    for first, found in engine.cells_of(engine.blocks_of(0, DRAWS), DRAWS):
        high, low = draws.words(first, block)
        scores.append(np.asarray(score(draws.keys(plan.streams, SEED, high), plan.numbers.elements, low, n=block)))
        outputs.append(_headline(engine.world, found))
    return np.concatenate(scores, axis=1), np.concatenate(outputs, axis=1)


def _headline(world: World, found: Float[np.ndarray, "cell draw"]) -> Float[np.ndarray, "output draw"]:
    """The headline outputs of a block, year by year."""
    by_table, listed, parts = cells.by_table(world, found), cells.tables(world), []
    for name, shown in HEADLINE.items():
        table = listed["year", name]
        rows = [table.labels.index(label) for label in shown]
        years = [table.periods.index(year) for year in YEARS]
        parts.append(by_table["year", name][np.ix_(rows, years)].reshape(-1, found.shape[1]))
    return np.concatenate(parts)


def importance(
    scores: Float[np.ndarray, "variate draw"], outputs: Float[np.ndarray, "output draw"]
) -> Float[np.ndarray, " variate"]:
    """How far each score acts on the outputs' ranks, above all with others."""
    scores, ranks = _standard(scores), _standard(rankdata(outputs, axis=1).astype(scores.dtype))
    matter = OWN * _explained(scores, ranks)
    for i in range(len(scores) - 1):
        together = _explained(scores[i + 1 :], ranks * scores[i])
        matter[i] += together.sum()
        matter[i + 1 :] += together
    return matter


def _explained(causes: np.ndarray, effects: np.ndarray) -> np.ndarray:
    """Sum over effects [effect, draw] of each cause's squared mean product with it, where that is more than noise."""
    squared = (causes @ effects.T / causes.shape[1]) ** 2
    return np.where(squared > NOISE / causes.shape[1], squared, 0).sum(axis=1)


def _standard(values: np.ndarray) -> np.ndarray:
    """Rows with mean 0 and standard deviation 1."""
    return (values - values.mean(axis=1, keepdims=True)) / values.std(axis=1, keepdims=True)


def main() -> None:
    engine = Engine(sim.load("base"), SEED, devices.mesh())
    order = np.argsort(-importance(*simulated(engine)), kind="stable")
    names = [f"{engine.plan.streams[i]} {engine.plan.numbers.elements[i]}\n" for i in order]
    TABLE.write_text(HEAD + "".join(names), encoding="utf-8")


if __name__ == "__main__":
    main()
