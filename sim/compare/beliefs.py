"""What two books believe differently, in words: priors, correlations, and who is in the world and when."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sim.axes import INPUTS
from sim.book.schema import Book, Correlation, Prior, WorldSpec
from sim.distributions import Family
from sim.headline import DATE, figure
from sim.world import World

__all__ = ["Changed", "Figures", "beliefs", "history"]

LISTED = 4
"""Labels that are told by name; of more, how many."""
DATES = ("as_of", "start", "horizon", "retrospective")
CAST = ("buyers", "suppliers", "chips")
GROUNDS = {"about": "what it is", "source": "sources", "reasoning": "reasoning", "as_of": "date"}
WHOLE = 9.95
"""Per cent from which a change is told without decimals."""
SAME = 1e-9
"""How far equal figures may lie apart by rounding, over their size."""
ONLY = ("only in the first book", "only in the second book")
Table = Mapping[tuple[str, ...], Family]


@dataclass(frozen=True)
class Figures:
    """A distribution's family and percentiles, in the unit of its prior's file."""

    family: str
    p05: float
    p50: float
    p95: float


@dataclass(frozen=True)
class Changed:
    """One difference between two books, in words; of a prior also its percentiles in the first and in the second."""

    kind: str
    """``world``, ``history``, ``prior``, ``correlation``, or ``grounds`` where only words differ and no number."""
    name: str
    labels: tuple[str, ...]
    words: str
    unit: str = ""
    before: Figures | None = None
    after: Figures | None = None


def beliefs(first: Book, second: Book) -> tuple[Changed, ...]:
    """How the second book differs from the first: its world, its priors in the order of ``INPUTS``, correlations."""
    return (*_world(first.world, second.world), *_priors(first, second), *_correlations(first, second))


def history(first: World, second: World) -> tuple[Changed, ...]:
    """What of the record known at their dates differs between two worlds."""
    if first.record.digest == second.record.digest:
        return ()
    last = [each.book.axes["time"][each.record.handover] for each in (first, second)]
    same = "the record has other figures" if last[0] == last[1] else f"known to {last[0]} -> {last[1]}"
    return (Changed("history", "history", (), f"history: {same}"),)


def _world(first: WorldSpec, second: WorldSpec) -> Iterator[Changed]:
    for key in DATES:
        old, new = getattr(first, key), getattr(second, key)
        if old != new:
            yield Changed("world", key, (), f"{key}: {old} -> {new}")
    for section in CAST:
        old, new = getattr(first, section), getattr(second, section)
        for side, there, other in ((0, old, new), (1, new, old)):
            alone = tuple(name for name in there if name not in other)
            if alone:
                yield Changed("world", section, alone, f"{section}, {ONLY[side]}: {', '.join(alone)}")
        for name in (name for name in old if name in new and old[name] != new[name]):
            yield Changed("world", section, (name,), f"{section}.{name}: {_members(old[name], new[name])}")
        common = [[name for name in each if name in old and name in new] for each in (old, new)]
        if common[0] != common[1]:
            yield Changed("world", section, (), f"{section}: in another order")


def _members(old: Any, new: Any) -> str:
    """The fields of a buyer, supplier or chip that differ."""
    pairs = zip(old.model_dump().items(), new.model_dump().values(), strict=True)
    return "; ".join(f"{key} {_plain(a)} -> {_plain(b)}" for (key, a), b in pairs if a != b)


def _plain(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _priors(first: Book, second: Book) -> Iterator[Changed]:
    for name in INPUTS:
        old, new = first.priors.get(name), second.priors.get(name)
        if old is None or new is None:
            for side, each in enumerate((old, new)):
                if each is not None:
                    yield Changed("prior", name, (), f"{name}: {ONLY[side]}", each.unit)
            continue
        grounds = _grounds(old, new)
        if old.table == new.table:
            if grounds:
                yield Changed("grounds", name, (), f"{name}: same values; {grounds}")
            continue
        for number, ((a, b), labels) in enumerate(_grouped(old.table, new.table).items()):
            before, after = _figures(a, old.factor), _figures(b, new.factor)
            said = [_told(before, after, new.unit), *([grounds] if grounds and not number else [])]
            words = f"{_titled(name, labels, len(old.table.keys() | new.table.keys()))}: {'; '.join(said)}"
            yield Changed("prior", name, tuple(map(",".join, labels)), words, new.unit, before, after)


def _grouped(old: Table, new: Table) -> dict[tuple[Family | None, Family | None], list[tuple[str, ...]]]:
    """Labels whose distributions differ, those together that differ alike."""
    groups: dict[tuple[Family | None, Family | None], list[tuple[str, ...]]] = {}
    for labels in dict.fromkeys([*old, *new]):
        pair = old.get(labels), new.get(labels)
        if pair[0] != pair[1]:
            groups.setdefault(pair, []).append(labels)
    return groups


def _titled(name: str, labels: Sequence[tuple[str, ...]], of: int) -> str:
    """``price[b200]``, ``capex_own_sd, all 8 labels``, or the first labels of many."""
    written = list(map(",".join, labels))
    if written == [""]:
        return name
    if len(written) == of > 1:
        return f"{name}, all {of} labels"
    more = [f"and {len(written) - LISTED + 1} more"] if len(written) > LISTED else []
    return f"{name}[{'; '.join([*written[: LISTED - bool(more)], *more])}]"


def _figures(distribution: Family | None, factor: float) -> Figures | None:
    if distribution is None:
        return None
    p05, p50, p95 = (distribution.quantile(level) / factor for level in (0.05, 0.5, 0.95))
    return Figures(str(distribution.model_dump()["family"]), p05, p50, p95)


def _told(old: Figures | None, new: Figures | None, unit: str) -> str:
    """A prior's change in words."""
    if old is None or new is None:
        alone = old or new
        assert alone is not None
        said = f"median {_with_unit(alone.p50, unit)}, P5-P95 {_range(alone, unit)}"
        return f"{ONLY[old is None]}: {alone.family}, {said}"
    family = [f"{old.family} becomes {new.family}"] if old.family != new.family else []
    if all(math.isclose(*pair, rel_tol=SAME) for pair in zip(_ends(old), _ends(new), strict=True)):
        return "; ".join([*family, "the same P5, P50 and P95, other tails"])
    if old.family == new.family == "fixed":
        return _moved(old.p50, new.p50, unit)
    ranges = f"P5-P95 {_range(old, unit)} -> {_range(new, unit)}"
    return "; ".join([*family, f"median {_moved(old.p50, new.p50, unit)}, {ranges}"])


def _ends(of: Figures) -> tuple[float, float, float]:
    return of.p05, of.p50, of.p95


def _range(of: Figures, unit: str) -> str:
    return "one value" if of.family == "fixed" else f"{figure(of.p05, unit)} to {figure(of.p95, unit)}"


def _with_unit(value: float, unit: str) -> str:
    """``0.27 / year`` and ``37.2 kUSD / unit``."""
    return f"{figure(value, unit)} {unit.removeprefix('1').lstrip()}".rstrip()


def _moved(old: float, new: float, unit: str) -> str:
    """``37.2 -> 45.0 kUSD / unit (+21 %)``: of dates by how much, of what has a sign no share."""
    if math.isclose(old, new, rel_tol=SAME):
        return f"{_with_unit(old, unit)} as before"
    moved = f"{figure(old, unit)} -> {_with_unit(new, unit)}"
    if unit == "year" and old > DATE:
        return f"{moved} ({new - old:+.2f})"
    share = 100 * (new / old - 1) if old > 0 and new > 0 else 0
    return f"{moved} ({share:+,.{0 if abs(share) >= WHOLE else 1}f} %)" if share else moved


def _grounds(old: Prior | Correlation, new: Prior | Correlation) -> str:
    """Which words about a prior or a correlation differ."""
    found = [said for key, said in GROUNDS.items() if getattr(old, key, None) != getattr(new, key, None)]
    listed = " and ".join([", ".join(found[:-1]), found[-1]] if len(found) > 1 else found)
    return f"{listed} {'differ' if len(found) > 1 or found == ['sources'] else 'differs'}" if found else ""


def _correlations(first: Book, second: Book) -> Iterator[Changed]:
    old, new = ({each.subject: each for each in book.correlations} for book in (first, second))
    for subject in dict.fromkeys([*old, *new]):
        a, b = old.get(subject), new.get(subject)
        title = f"correlation {subject}"
        if a is None or b is None:
            alone = a or b
            assert alone is not None
            yield Changed("correlation", subject, (), f"{title}: {ONLY[a is None]}, {alone.rho:g}")
        elif a.rho != b.rho:
            said = "; ".join(filter(None, [f"{a.rho:g} -> {b.rho:g}", _grounds(a, b)]))
            yield Changed("correlation", subject, (), f"{title}: {said}")
        elif grounds := _grounds(a, b):
            yield Changed("grounds", subject, (), f"{title}: same number; {grounds}")
