"""``./go python -m benchmarks.binding``: the table of docs/binding.md, what binds over the ranges declared there."""

from collections.abc import Iterable, Iterator

import numpy as np

import sim
from sim import devices
from sim.cells import by_table
from sim.engine import Engine
from sim.world import World

DRAWS = 8_192
SEED = 0
YEARS = ("2026", "2028", "2030")


def cases(base: World) -> Iterator[tuple[str, str, dict[str, object]]]:
    """Input, its value and what is set in the book for it; nothing where that is the base book."""
    yield "base", "", {}
    for name, values in (("need_response", (0, 0.15, 0.3, 0.6, 1)), ("fill", (0.7, 0.85, 1, 1.2, 1.4))):
        for value in values:
            yield f"`{name}`", f"{value:g}", {name: {"family": "fixed", "value": value}}
    for factor in (0.5, 0.75, 1, 1.25, 1.5):
        yield "growth of need", f"x {factor:g}", moved(base, ("token_growth", "training_growth"), times=factor)
    for shift in (-0.2, -0.1, 0, 0.1, 0.2):
        yield "growth of capacity", f"{shift:+g}", moved(base, ("capacity_growth", "memory_growth"), plus=shift)


def moved(base: World, names: Iterable[str], times: float = 1, plus: float = 0) -> dict[str, object]:
    """Every normal distribution of some priors with its quantiles multiplied or shifted, by path."""
    if times == 1 and plus == 0:
        return {}
    return {
        ".".join((name, *labels)): {
            "family": "normal",
            **{key: member.quantile(p) * times + plus for key, p in (("p05", 0.05), ("p95", 0.95))},
        }
        for name in names
        for labels, member in base.book.priors[name].table.items()
    }


def probabilities(world: World) -> list[tuple[float, ...]]:
    """Of each year: P(budget, need, supply) weighted by shipments, then unweighted [1]."""
    years = world.book.axes["year"]
    engine = Engine(world, SEED, devices.mesh())
    made = np.concatenate([each for _, each in engine.cells_of(engine.blocks_of(0, DRAWS), DRAWS)], axis=-1)
    cells = by_table(world, made)
    mean = [cells["year", name].mean(axis=-1) for name in ("binding", "bound_buyers")]
    return [tuple(float(part[years.index(year)]) for each in mean for part in each) for year in YEARS]


def main() -> None:
    base = sim.load()
    print("| input | value | " + " | ".join(YEARS) + " |\n|---|---|" + "---|" * len(YEARS))
    for name, value, overrides in cases(base):
        world = sim.load(overrides=overrides) if overrides else base
        found = [f"{_shown(each[:3])} ({_shown(each[3:])})" for each in probabilities(world)]
        print(f"| {name} | {value} | " + " | ".join(found) + " |", flush=True)


def _shown(parts: Iterable[float]) -> str:
    """Probabilities without their leading zero."""
    return " / ".join(f"{part:.2f}".replace("0.", ".", 1) for part in parts)


main()
