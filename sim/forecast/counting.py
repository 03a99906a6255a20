"""Counting the draws of a run from the first to the last, with what is stored of them and storing what is new."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from sim import label, reduce, sobol
from sim.engine import Engine
from sim.forecast.finite import check_finite
from sim.forecast.question import Question
from sim.store import Range, Writing
from sim.tally import Sums

__all__ = ["FIRST_LOOK", "Progress", "Saved", "counted"]

FIRST_LOOK = 1 << 14
"""Draws, or one block, after which the error is looked at first; then each time there are twice as many."""
FEW = 1 << 17
"""Draws of which counts are not stored: they are made again in less time than it takes to look after them."""
STRETCH = 256
"""Calls on the devices between which counts may be stored."""
SAVE_EVERY = 30.0
"""Seconds after which counts are stored: what a death costs at most, beside a stretch."""

Progress = Callable[[int, str], None]
"""Told the number of draws done, and how far the errors asked for are from being met."""


@dataclass
class Saved:
    """Counts of a run that outlive this process; without ``writing`` none do."""

    engine: Engine
    writing: Writing | None = None
    fresh: bool = False
    at: float = field(default_factory=time.monotonic)

    def ranges(self) -> list[Range]:
        """Stored counts of this run, in the order of their draws; none where all is to be made again."""
        return [] if self.writing is None or self.fresh else self.writing.stored("sums")

    def read(self, stored: Range) -> Sums | None:
        """Stored counts; none where they were measured with other centres, as another kind of processor gives."""
        assert self.writing is not None
        sums, gauge = label.sums_of(self.writing.load("sums", stored))
        same = all(np.array_equal(*each) for each in zip(gauge, self.engine.gauge, strict=True))
        self.writing.log("reused" if same else "not reused", first=stored.first, last=stored.last)
        return sums if same else None

    def now_and_then(self, sums: Sums) -> None:
        """Store the counts of all draws up to here, if the last time is long ago."""
        if self.writing is not None and time.monotonic() - self.at > SAVE_EVERY:
            self.all(sums)
            self.at = time.monotonic()

    def all(self, sums: Sums) -> list[Range]:
        """Store the counts of all draws up to here, unless they are or are few, in place of those of fewer."""
        if self.writing is None or sums.draws < FEW:
            return []
        before = self.writing.stored("sums")
        if [(each.first, each.last) for each in before] == [(0, sums.draws - 1)] and not self.fresh:
            return before
        made = self.writing.save("sums", 0, sums.draws - 1, label.sums_dataset(sums, self.engine.gauge))
        self.writing.log("saved", draws=sums.draws)
        for each in before:
            if each.last <= made.last and (each.first, each.last) != (made.first, made.last):
                self.writing.drop("sums", each)
        return [made]


def counted(asked: Question, saved: Saved, progress: Progress | None) -> tuple[Sums, reduce.Statistics, list[Range]]:
    """All draws counted, their statistics, and where the counts of whole blocks are stored.

    With targets as many draws as they take, looked at where their number has doubled. IntegrityError: a draw is not
    finite.
    """
    if asked.sampler == "sobol":
        return *_randomised(asked, progress), []
    engine, sums, stored, still = asked.engine, asked.engine.nothing(), saved.ranges(), ""
    upto = _first_look(asked, stored)
    while True:
        whole = upto - upto % engine.shape.block

        def tell(done: int, still: str = still) -> None:
            if progress is not None:
                progress(done, still)

        _count_to(engine, sums, whole, stored, saved, tell)
        ranges = saved.all(sums) if upto == asked.draws else []
        if whole < upto:
            engine.sums(whole, upto, tell, sums)
            check_finite(engine, sums, whole, upto)
        found = reduce.statistics(sums, engine.gauge)
        far = {target: target.far(found.at(target.cell.place)) for target in asked.wanted}
        worst = max(far, key=far.__getitem__, default=None)
        if worst is None or far[worst] <= 1 or upto == asked.draws:
            return sums, found, ranges if upto == asked.draws else saved.all(sums)
        still = f"{worst} {far[worst] * worst.allowed:.2%} of {worst.allowed:.2%}"
        upto = min(2 * upto, asked.draws)


def _first_look(asked: Question, stored: list[Range]) -> int:
    """Draws after which statistics are made first: all, or where errors are looked at and no stored counts are torn."""
    if not asked.wanted:
        return asked.draws
    upto = max(FIRST_LOOK, asked.engine.shape.block)
    while stored and stored[0].first == 0 and upto <= stored[0].last:
        upto *= 2
    return min(upto, asked.draws)


def _count_to(
    engine: Engine, sums: Sums, upto: int, stored: list[Range], saved: Saved, tell: Callable[[int], None]
) -> None:
    """Add draws up to a block's end to the sums: stored ones where there are, others made in stretches."""
    stretch = STRETCH * engine.on.size * engine.shape.blocks * engine.shape.block
    ahead = [each for each in stored if sums.draws <= each.first and each.last < upto]
    while sums.draws < upto:
        if ahead and ahead[0].first == sums.draws:
            read = saved.read(ahead.pop(0))
            if read is not None:
                sums.add(read)
                tell(sums.draws)
                continue
        end = min([upto, sums.draws + stretch, *(each.first for each in ahead[:1])])
        begun = sums.draws
        engine.sums(begun, end, tell, sums)
        check_finite(engine, sums, begun, end)
        saved.now_and_then(sums)


def _randomised(asked: Question, progress: Progress | None) -> tuple[Sums, reduce.Statistics]:
    """Sobol points of all randomisations; the error is told by their spread."""
    engine = asked.engine
    sums, parts, blocks = engine.nothing(), [], engine.blocks_of(0, asked.draws)
    for first in range(sobol.RANDOMISATIONS):
        done = sums.draws
        each = engine.sums_of(
            blocks[first :: sobol.RANDOMISATIONS],
            asked.draws,
            lambda more, done=done: progress(done + more, "") if progress else None,  # type: ignore[misc]
        )
        parts.append(reduce.statistics(each, engine.gauge))
        sums.add(each)
    check_finite(engine, sums, 0, sums.draws)
    return sums, reduce.of_randomisations(reduce.statistics(sums, engine.gauge), parts)
