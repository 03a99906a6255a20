"""Everything that a report says, computed once: what renders it adds words and pictures, and no figure."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import xarray as xr

from sim import devices
from sim.book.schema import Book
from sim.compare import Comparison, compare
from sim.consensus import Standing, consensus
from sim.errors import RefusedError
from sim.report.beliefs import Belief, beliefs, changed
from sim.report.chances import Chance, chances
from sim.report.cited import Cited, Library
from sim.report.opened import Opened, open_runs
from sim.report.record import Record, record
from sim.report.rows import Row, rows
from sim.sensitivity import Sensitivity, sensitivity

__all__ = ["Contents", "Correlated", "Shown", "contents"]

LEAD = "nvidia"
"""Supplier that a report tells of first, where the world has it."""
MOST = 6
"""Runs that one report shows side by side."""
DRAWS, PAIRS = 10_240, 2_048
"""What is counted for a report within seconds: shares of variance to two hundredths, differences far closer."""


@dataclass(frozen=True)
class Shown:
    """One run: what it is, where its numbers come from, and its rows."""

    name: str
    about: str
    run: str
    commit: str
    as_of: str
    draws: int
    seed: str
    sampler: str
    device: str
    machine: str
    book: str
    history: str
    code: str
    versions: dict[str, str]
    overrides: dict[str, str]
    rows: tuple[Row, ...]
    chances: tuple[Chance, ...]
    tree: xr.DataTree

    def row(self, output: str, label: str, period: str) -> Row | None:
        """One of its rows, if it has it."""
        found = (row for row in self.rows if (row.output, row.label, row.period) == (output, label, period))
        return next(found, None)

    def chance(self, threshold: str) -> Chance | None:
        """How likely a threshold is to be passed in this run, if it was counted."""
        return next((each for each in self.chances if each.threshold == threshold), None)

    def quantiles(self, output: str, **labels: str) -> xr.DataArray:
        """The quantiles of an output by year, of the labels given."""
        return self.tree["prior_predictive/year"].to_dataset()[output].sel(labels)


@dataclass(frozen=True)
class Correlated:
    """A rank correlation that a book holds: between what, how much, and why."""

    subject: str
    rho: float
    reasoning: str
    sources: tuple[Cited, ...]


@dataclass(frozen=True)
class Contents:
    """A report of one run, or of several beside the first."""

    shown: tuple[Shown, ...]
    lead: str
    year: str
    """The year that the first sentences are about."""
    draws: int
    """On how many draws is counted what no summary holds."""
    answers: tuple[Row, ...]
    """What a reader asks first."""
    names: dict[str, str]
    """Names of suppliers, buyers and chips by their keys, as the first run's book has them."""
    sensitivities: tuple[Sensitivity, ...]
    comparison: Comparison | None
    standings: tuple[Standing, ...]
    past: Record
    beliefs: tuple[Belief, ...]
    changed: tuple[tuple[Belief, ...], ...]
    """For each further run, its priors that are not those of the first."""
    correlated: tuple[Correlated, ...]

    @property
    def first(self) -> Shown:
        """The run that the others stand beside."""
        return self.shown[0]

    def belief(self, prior: str) -> Belief:
        """One prior of the first run."""
        return next(each for each in self.beliefs if each.name == prior)


def contents(
    runs: Sequence[str | Path], *, draws: int = DRAWS, pairs: int = PAIRS, past: Path | None = None
) -> Contents:
    """Everything that a report of some runs says: the first in full, the others beside it.

    Sensitivities, comparisons and the places of published points are counted on ``draws`` draws, made again
    from the runs' seeds (sensitivities on ``pairs`` pairs of them). IntegrityError: a run that is damaged.
    RefusedError: more than six runs, one given twice, or one whose book or history is not to be found as it was.
    """
    if not 1 <= len(runs) <= MOST:
        problem, remedy = f"{len(runs)} runs do not stand side by side", f"name one to {MOST} runs"
        raise RefusedError("report-runs", problem, remedy=remedy)
    opened = open_runs([Path(run) for run in runs])
    devices.cache_programs()
    first, others = opened[0], opened[1:]
    book = first.world.book
    lead, year = _lead(book), _year(book)
    told = [rows(each.tree) for each in opened]
    answers = tuple(row for row in map(partial(_row, told[0], year), _first(lead)) if row is not None)
    with ThreadPoolExecutor() as pool:  # each leaves a core idle now and then
        moved = pool.submit(_sensitivities, first, answers[:1], draws, pairs)
        compared = pool.submit(_comparison, opened, [row.cell for row in answers[:1]], draws)
        placed = pool.submit(consensus, first.world, draws=draws, seed=_seed(first))
    return Contents(
        shown=tuple(_shown(each, own) for each, own in zip(opened, told, strict=True)),
        lead=lead,
        year=year,
        draws=draws,
        answers=answers,
        names=_names(book),
        sensitivities=moved.result(),
        comparison=compared.result(),
        standings=tuple(placed.result()),
        past=record(past),
        beliefs=beliefs(first.world),
        changed=tuple(changed(each.world, first.world) for each in others),
        correlated=_correlated(book),
    )


def _lead(book: Book) -> str:
    suppliers = book.axes["supplier"]
    return LEAD if LEAD in suppliers else suppliers[0]


def _year(book: Book) -> str:
    """The year after that of the book's date, or its last."""
    return min(str(book.as_of.year + 1), book.axes["year"][-1])


def _first(lead: str) -> tuple[tuple[str, str], ...]:
    """Output and label of what a reader asks first."""
    return ("revenue", lead), ("h100e", "total"), ("capex", "reported")


def _names(book: Book) -> dict[str, str]:
    world = book.world
    return {key: each.name for part in (world.suppliers, world.buyers, world.chips) for key, each in part.items()}


def _seed(run: Opened) -> int:
    return int(run.record["config"]["seed"])


def _row(rows: tuple[Row, ...], year: str, of: tuple[str, str]) -> Row | None:
    return next((row for row in rows if (row.output, row.label, row.period) == (*of, year)), None)


def _shown(run: Opened, own: tuple[Row, ...]) -> Shown:
    record, attrs, book = run.record, run.tree.attrs, run.world.book
    recipe = record.get("recipe") or {}
    return Shown(
        name=run.name,
        about=" ".join(book.about.split()),
        run=str(attrs["run"]),
        commit=str(attrs["commit"]),
        as_of=str(attrs["as_of"]),
        draws=int(attrs["draws"]),
        seed=str(attrs["seed"]),
        sampler=str(attrs["sampler"]),
        device=str(record["device"]),
        machine=str(record["machine"]),
        book=book.digest,
        history=run.world.record.digest,
        code=str(record["code"]),
        versions=dict(record["versions"]),
        overrides={str(path): str(value) for path, value in recipe.get("overrides", {}).items()},
        rows=own,
        chances=chances(run.world, run.tree),
        tree=run.tree,
    )


def _sensitivities(run: Opened, answers: Sequence[Row], draws: int, pairs: int) -> tuple[Sensitivity, ...]:
    """What moves the first of the answers, and what it is worth to know before deciding on its lower quarter."""
    found = []
    for row in answers:
        low = row.figures["p25"]
        decision = None if low is None else f"{row.cell} < {low:.2g}"
        found += sensitivity(run.world, [row.cell], draws=draws, pairs=pairs, seed=_seed(run), decision=decision)
    return tuple(found)


def _comparison(runs: Sequence[Opened], cells: Sequence[str], draws: int) -> Comparison | None:
    if len(runs) == 1:
        return None
    return compare([run.world for run in runs], of=cells, draws=draws, seed=_seed(runs[0]))


def _correlated(book: Book) -> tuple[Correlated, ...]:
    library = Library(book)
    return tuple(
        Correlated(each.subject, each.rho, " ".join(each.reasoning.split()), tuple(map(library.told, each.source)))
        for each in book.correlations
    )
