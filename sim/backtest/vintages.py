"""The dated books, each run with what it knew, and every figure that came since."""

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from sim import history, published
from sim.backtest.opponents import METHODS, RANDOM_WALK, Growth, dressed, growths, recalibrated, walks
from sim.backtest.outcomes import Outcome, People, outcomes, people, reported
from sim.backtest.scored import OURS, Case
from sim.ensemble import Quantity, ensemble, quantity
from sim.fit.record import Record
from sim.published import Published
from sim.world import World

__all__ = ["CONSENSUS", "DRAWS", "GUIDANCE", "cases"]

DRAWS = 20_480
QUARTERS = 4
FRESH = dt.timedelta(days=183)
"""A consensus older than this is no longer the market's."""
CONSENSUS, GUIDANCE = "consensus, dressed", "company guidance, dressed"
BEAT, GROWTH = "guidance_beat", "users_growth"
TOTAL = "reported"
NOWCAST = 8
"""Quarters of our own nowcast from which the simple methods go on where nobody reports a series."""
FEWEST = 4
"""Growths of a series by quarter below which the simple methods have nothing to say."""

Draws = Float64[np.ndarray, " draw"]
Walk = Float64[np.ndarray, "time draw"]
Factors = Mapping[str, Mapping[str, float]]


def cases(
    book: World,
    later: World,
    folder: Path,
    annual: Record,
    factors: Factors,
    *,
    seed: int = 0,
    draws: int = DRAWS,
) -> list[Case]:
    """Every figure that came after a book's date, forecast by the book and by its opponents.

    ``later`` is a world whose record holds what came; ``folder`` the cited history; ``annual`` the annual capex known
    on the book's date, and ``factors`` the spread factors that the simple methods have by then.
    """
    came = outcomes(book, later, folder)
    wanted = [quantity(book, each.quantity) for each in came]
    nowcast = [quantity(book, text) for text in _nowcasts(book, came)]
    made = ensemble(book, [*wanted, *nowcast], draws=draws, seed=seed).quantities
    told = dict(zip(map(str, nowcast), np.median(made[len(wanted) :], axis=1), strict=True))
    then = _Then(book, annual, factors, told, seed)
    found = []
    for outcome, asked, own in zip(came, wanted, made[: len(wanted)], strict=True):
        stream = [seed, *outcome.quantity.encode()]  # of the figure alone, so that no other one that came changes it
        forecast = {OURS: own, **then.opponents(outcome, asked, stream, draws)}
        found.append(_case(book, outcome, forecast))
    return [*found, *_people(book, later, folder, draws)]


def _case(book: World, outcome: Outcome, forecast: dict[str, Draws]) -> Case:
    since = history.quarter_span(book.book.axes["time"][book.record.handover])[1]
    return Case(
        metric=outcome.metric,
        quantity=outcome.quantity,
        made=book.book.as_of.isoformat(),
        time=outcome.end.year,
        horizon=round((outcome.end - since).days / 365.25, 2),
        truth=outcome.value,
        error=outcome.error,
        draws=forecast,
    )


def _people(book: World, later: World, folder: Path, draws: int) -> Iterator[Case]:
    """Daily users of Meta's apps: the last count, grown as the book believes users grow."""
    grown = book.book.priors[GROWTH].table[()].ppf(_even(draws))
    for each in people(book, folder, later.book.as_of):
        yield _case(book, _counted(each), {OURS: each.then * np.exp(grown * each.years)})


def _counted(each: People) -> Outcome:
    return Outcome("Meta daily people", f"daily people[meta,{each.end:%Y-%m}]", each.end, each.came, 0.0)


def _even(draws: int) -> Draws:
    """Probabilities in the middle of equal parts."""
    found: Draws = (np.arange(draws) + 0.5) / draws
    return found


def _nowcasts(book: World, came: Sequence[Outcome]) -> list[str]:
    """The last quarters known of those outputs that nobody reports by quarter."""
    last = book.record.handover + 1
    series = dict.fromkeys(each.quantity.rpartition(",")[0] for each in came if _unreported(each.quantity))
    return [f"{text},{quarter}]" for text in series for quarter in book.book.axes["time"][last - NOWCAST : last]]


def _unreported(text: str) -> bool:
    return not text.startswith(("capex[", "line["))


class _Then:
    """What was known on a book's date, as the simple methods need it."""

    def __init__(self, book: World, annual: Record, factors: Factors, nowcast: dict[str, float], seed: int) -> None:
        self.book, self.annual, self.factors, self.nowcast, self.seed = book, annual, factors, nowcast, seed
        self.paths: dict[str, dict[str, tuple[Walk, float]]] = {}
        self.published = [each for each in published.read() if _fresh(each, book.book.as_of)]

    def opponents(self, outcome: Outcome, asked: Quantity, seed: list[int], draws: int) -> dict[str, Draws]:
        """Draws of each method that has something to say of a figure."""
        found = {
            method: recalibrated(_summed(asked, path), factor)
            for method, (path, factor) in self._paths(asked, draws).items()
        }
        errors = np.random.default_rng([*seed, 1]).permutation(self._beat(draws))
        if asked.output == "capex" and (point := self._consensus(outcome.quantity)):
            found[CONSENSUS] = dressed(point.value, errors + self._later(outcome, [*seed, 2], draws))
        if guided := self._guidance(asked):
            found[GUIDANCE] = dressed(guided, errors)
        return found

    def _paths(self, asked: Quantity, draws: int) -> dict[str, tuple[Walk, float]]:
        """Each method's path of a figure's series, and its spread factor; one path for all periods of a series."""
        name = f"{asked.output}[{asked.label}]"
        if name not in self.paths:
            known, growth, factor = self._series(asked)
            stream = [self.seed, *name.encode()]  # of the series alone, so that no other figure that came changes it
            steps = len(asked.weights) - len(known)
            self.paths[name] = {
                method: (_joined(known, walks(each, steps, draws, stream)), factor[method])
                for method, each in growth.items()
            }
        return self.paths[name]

    def _series(self, asked: Quantity) -> tuple[np.ndarray, dict[str, Growth], Mapping[str, float]]:
        """Quarters known of a figure's series, the growth that each method expects, and its spread factor."""
        book, record_ = self.book, self.book.record
        if asked.output == "capex":
            columns = dict(zip(book.book.axes["reported_buyer"], record_.capex.T, strict=True))
            values = record_.capex.sum(axis=1) if asked.label == TOTAL else columns[asked.label]
            known = values[: record_.handover + 1]
            own = self.annual.growth
            seen = self.annual.total_growth if asked.label == TOTAL else own[np.isfinite(own)]
            group = "total" if asked.label == TOTAL else "company"
            return known, growths(seen, _latest(known), of_sums=True), self.factors[group]
        if asked.output == "line":
            values = record_.line[:, book.book.axes["reported_supplier"].index(asked.label)]
            known = values[: np.flatnonzero(reported(book, asked.label))[-1] + 1]
        else:
            own_series = [
                value for text, value in self.nowcast.items() if text.startswith(f"{asked.output}[{asked.label},")
            ]
            known = np.concatenate([np.full(record_.handover + 1 - NOWCAST, np.nan), own_series])
        seen = np.diff(np.log(known[known > 0]))
        enough = len(seen) >= FEWEST
        return known, growths(seen, _latest(known), QUARTERS) if enough else {}, dict.fromkeys(METHODS, 1.0)

    def _beat(self, draws: int) -> Draws:
        """Log errors of a point for the current year, as wide as the book believes beats of guidance to be."""
        first = next(iter(self.book.book.priors[BEAT].table.values()))
        return np.asarray(first.ppf(_even(draws)), dtype=np.float64)

    def _later(self, outcome: Outcome, seed: list[int], draws: int) -> Draws:
        """Log errors that the years after the current one add: as many of the total's own growth about its mean."""
        current = int(self.book.book.axes["time"][self.book.record.handover + 1][:4])
        years = outcome.end.year - current
        growth = growths(self.annual.total_growth, 0.0)[RANDOM_WALK]
        sd = growth.sd * self.factors["total"][RANDOM_WALK] * np.sqrt(max(years, 0))
        found: Draws = sd * np.random.default_rng(seed).standard_normal(draws)
        return found

    def _consensus(self, text: str) -> Published | None:
        own = [each for each in self.published if each.quantity == text and not each.at_least]
        return max(own, key=lambda each: each.date, default=None)

    def _guidance(self, asked: Quantity) -> float:
        """Middle of a company's guidance on the model's definition; 0 where there is none."""
        guidance, buyers = self.book.record.guidance, self.book.book.axes["reported_buyer"]
        if asked.output != "capex" or asked.period != guidance.year or asked.label not in buyers:
            return 0.0
        bridge = self.book.book.priors["guidance_bridge"].table[(asked.label,)].quantile(0.5)
        return float(guidance.target[buyers.index(asked.label)] * bridge)


def _fresh(point: Published, as_of: dt.date) -> bool:
    """Whether a forecast was published by a date and not long before it."""
    return as_of - FRESH < point.date <= as_of


def _latest(known: Float64[np.ndarray, " time"]) -> float:
    """Log growth of the last quarter known on the same quarter a year before."""
    return float(np.log(known[-1] / known[-1 - QUARTERS]))


def _joined(known: np.ndarray, growth: Walk) -> Walk:
    """Quarters known, then the walk on from the last of them."""
    return np.concatenate([np.broadcast_to(known[:, None], (len(known), growth.shape[1])), known[-1] * np.exp(growth)])


def _summed(asked: Quantity, path: Walk) -> Draws:
    """A figure [draw] of a path."""
    used = np.flatnonzero(asked.weights)
    found: Draws = asked.weights[used] @ path[used]
    return found
