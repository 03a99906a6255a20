"""What new figures say: how the frozen forecast did on them, and how far each would move what is still to come."""

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float64
from rich.console import Group
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from sim import score
from sim.backtest import frozen
from sim.backtest.outcomes import Outcome, outcomes
from sim.backtest.scored import Scored
from sim.conditioning.weights import TOO_FEW, weigh
from sim.ensemble import ensemble, quantity
from sim.update.rows import Checked, check, write
from sim.world import World, build

__all__ = ["Moved", "Review", "as_json", "review", "table"]

DRAWS = 40_960
ERROR = 0.07
"""Standard error of a quarter's logarithm against the model's, whose path within a year is smooth.

Quarters of Microsoft, Alphabet and Amazon in 2022-25 lie off the line through their neighbours by 7 % (sd over the root
of 1.5), Meta's by 13 %.
"""
WHOLE = "capex[reported,"
"""A sum of figures that are there one by one: scored, but no evidence of its own."""
LEVELS = (0.05, 0.5, 0.95)
YEARS = 3


class Moved(NamedTuple):
    """A figure still to come: P5, P50 and P95 as frozen and after all of them, and what moved its median most."""

    quantity: str
    unit: str
    before: tuple[float, float, float]
    after: tuple[float, float, float]
    by: tuple[tuple[str, float], ...]
    """New figures and the log change of the median that each brought, one after another, the largest first."""


class Review(NamedTuple):
    """Checked rows, the frozen forecast's scores on the figures they complete, and what moves."""

    checked: Checked
    scores: tuple[Scored, ...]
    moved: tuple[Moved, ...]
    effective: float
    """Draws that the reweighted ensemble is worth; below 50 nothing is said of what moves."""


def review(path: Path, world: World, folder: Path, document: dict[str, Any], *, seed: int = 0) -> Review:
    """Check new rows against the history in ``folder`` and say what they mean for a world and a frozen forecast.

    Figures are taken as the model's record would have them with these rows: a quarter of capital expenditure once all
    four companies have told it, a calendar quarter of a fiscal line once all its days are reported.
    BookError: a row that cannot join the history, by its line.
    """
    checked = check(path, folder)
    came = _completed(path, checked, world, folder)
    scores = frozen.scores(document, [(o.quantity, o.value, 0.0) for o in came if o.quantity in document["figures"]])
    moved, effective = _moved(world, came, seed)
    return Review(checked, tuple(scores), tuple(moved), effective)


def _completed(path: Path, checked: Checked, world: World, folder: Path) -> list[Outcome]:
    """Reported figures that the record holds with the new rows and not without them."""
    with tempfile.TemporaryDirectory() as name:
        together = Path(name)
        for file in folder.glob("*.csv"):
            shutil.copy(file, together)
        write(path, checked, together)
        spec = world.book.world.model_copy(update={"as_of": max(checked.known_by, world.book.as_of)})
        later = build(world.book.model_copy(update={"world": spec}), together)
        return [each for each in outcomes(world, later, together) if each.error == 0]


def _moved(world: World, came: Sequence[Outcome], seed: int) -> tuple[list[Moved], float]:
    """Headline figures before and after, by reweighting one new figure after another; and the draws left at the end."""
    ahead = [quantity(world, text) for text in _headline(world)]
    came = [each for each in came if "Q" in each.quantity and not each.quantity.startswith(WHOLE)]
    seen = [quantity(world, each.quantity) for each in came]
    drawn = ensemble(world, [*ahead, *seen], draws=DRAWS, seed=seed).quantities
    told, evidence = drawn[: len(ahead)], np.log(drawn[len(ahead) :])
    distance = (evidence - np.log([each.value for each in came])[:, None]) / ERROR
    medians, likelihood = [np.median(told, axis=-1)], np.zeros(DRAWS)
    for each in distance:
        likelihood = likelihood - each * each / 2
        medians.append(score.quantiles(told, (0.5,), weigh(likelihood).weights)[0])
    weighing = weigh(likelihood)
    if weighing.effective < TOO_FEW:
        return [], weighing.effective
    before, after = (score.quantiles(told, LEVELS, weights) for weights in (None, weighing.weights))
    steps = np.diff(np.log(medians), axis=0)
    names = [each.quantity for each in came]
    return [
        Moved(str(each), each.declared.unit, _three(before[:, i]), _three(after[:, i]), _largest(names, steps[:, i]))
        for i, each in enumerate(ahead)
    ], weighing.effective


def _three(values: Float64[np.ndarray, " level"]) -> tuple[float, float, float]:
    low, middle, high = values.tolist()
    return low, middle, high


def _largest(names: Sequence[str], steps: Float64[np.ndarray, " figure"]) -> tuple[tuple[str, float], ...]:
    return tuple((names[i], float(steps[i])) for i in np.argsort(-np.abs(steps), kind="stable"))


def _headline(world: World) -> list[str]:
    """Figures that a reader looks at first: capex, NVIDIA's revenue and all shipments of the years ahead."""
    first = int(world.book.axes["time"][world.record.handover + 1][:4])
    years = [str(year) for year in range(first, first + YEARS) if str(year) in world.book.axes["year"]]
    whole = ("capex[reported", *(f"line[{name}" for name in world.book.axes["reported_supplier"]), "h100e[total")
    return [f"{text},{year}]" for text in whole for year in years]


def table(told: Review) -> Group:
    """The review as tables for a terminal."""
    parts: list[Any] = [_rows(told.checked)]
    parts += [frozen.table(told.scores)] if told.scores else ["No frozen figure is complete with these rows."]
    if told.moved:
        parts.append(_moves(told))
    else:
        parts.append(f"{told.effective:.0f} draws remain: the figures are out of the book's reach, write a new book.")
    return Group(*parts)


def _rows(checked: Checked) -> Table:
    made = Table(box=None)
    for name in ("row", "value", "unit", "published", ""):
        made.add_column(name, justify="right" if name == "value" else "left")
    for file, row in checked.new:
        made.add_row(Text(row.key), f"{row.value:g}", row.unit, str(row.published), f"new in {file}")
    for row, before in checked.restated:
        said = f"restates {before.value:g} ({row.value / before.value - 1:+.1%}); the first print stays"
        made.add_row(Text(row.key), f"{row.value:g}", row.unit, str(row.published), said)
    return made


def _moves(told: Review) -> Table:
    made = Table(title=f"What moves ({told.effective:,.0f} effective draws)", box=None, title_justify="left")
    for name in ("figure", "P5 P50 P95 before", "after", "median", "most by"):
        made.add_column(name)
    for each in told.moved:
        spans = (" ".join(f"{value:,.4g}" for value in three) for three in (each.before, each.after))
        change = f"{each.after[1] / each.before[1] - 1:+.1%}"
        most = ", ".join(f"{name} {np.expm1(step):+.1%}" for name, step in each.by[:2])
        made.add_row(escape(each.quantity), *spans, change, escape(most))
    return made


def as_json(told: Review) -> dict[str, Any]:
    """The same for machines."""
    return {
        "new": [asdict(row) | {"file": file} for file, row in told.checked.new],
        "restated": [asdict(row) | {"before": before.value} for row, before in told.checked.restated],
        "scores": [asdict(row) for row in told.scores],
        "moved": [each._asdict() for each in told.moved],
        "effective": told.effective,
    }
