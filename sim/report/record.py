"""How the method has done: the record that ``python -m sim.backtest.page`` writes, read and checked."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sim.backtest.page import RECORD
from sim.book.load import priors_folder
from sim.errors import IntegrityError, Place

__all__ = ["Past", "Pooled", "Record", "record"]


@dataclass(frozen=True)
class Past:
    """One method's forecast of one headline figure, and what came."""

    quantity: str
    made: str
    method: str
    p05: float
    p50: float
    p95: float
    truth: float
    pit: float


@dataclass(frozen=True)
class Pooled:
    """A method's scores over the cases of one metric; ``skill`` is ours against it with its 90 % interval."""

    metric: str
    method: str
    cases: int
    crps: float
    covered: tuple[float, ...]
    pit: float
    bias: float
    skill: tuple[float, float | None, float | None] | None


@dataclass(frozen=True)
class Record:
    """What was scored by a day: every forecast of the headline figures, and summaries by metric and method."""

    scored_by: str
    draws: int
    books: tuple[str, ...]
    levels: tuple[float, ...]
    headline: tuple[Past, ...]
    dated: tuple[Pooled, ...]
    rolling: tuple[Pooled, ...]


def record(path: Path | None = None) -> Record:
    """The record shipped, or another. IntegrityError: it is missing or not one."""
    path = path or priors_folder() / RECORD.relative_to("priors")
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
        return Record(
            scored_by=str(told["scored_by"]),
            draws=int(told["draws"]),
            books=tuple(told["vintages"]),
            levels=tuple(told["levels"]),
            headline=tuple(Past(**{name: row[name] for name in Past.__annotations__}) for row in told["headline"]),
            dated=tuple(map(_pooled, told["summary"])),
            rolling=tuple(map(_pooled, told["rolling_summary"])),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        remedy = "write it with python -m sim.backtest.page"
        problem = f"is no record of the backtest ({error})"
        raise IntegrityError("report-record", problem, place=Place(str(path)), remedy=remedy) from error


def _pooled(row: dict[str, Any]) -> Pooled:
    skill = row["skill"]
    return Pooled(
        metric=row["metric"],
        method=row["method"],
        cases=row["cases"],
        crps=row["crps"],
        covered=tuple(row["covered"]),
        pit=row["pit"],
        bias=row["bias"],
        skill=None if skill is None else (skill["skill"], skill["low"], skill["high"]),
    )
