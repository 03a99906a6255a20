"""Power loss: every state that a disk may be left in, at every moment of a publish.

All system calls of what the store does are recorded (a first publish, one that replaces it, one that extends that;
progress of an unfinished run; a report; a repair) and replayed on :mod:`tests.faults.disk`, whose rules say what a
power loss may keep of them. Power is lost after each call. The states are all combinations of what is not yet on the
disk and can be seen from the folder of runs, except in ``.staging`` and of ``LOCK`` and the log, which no reader opens.
Calls that only touch ``.staging`` make no other states. Where they are more than ``MOST`` (only on a disk that leaves
syncs out; counted as ``bounded``) those are tried that lose everything, nothing, any one thing, or all but one. States
that look the same are read once.

What must hold: the run verifies and opens as the last generation acknowledged, or while another is being published as
that one, with all its numbers; an error is honest only before the first was acknowledged. Progress that was
acknowledged is found again. A report may be lost, because it can be made again, but is never torn. Whatever the state,
the same work then succeeds.

That the check can fail is shown each time: each class of syncs is left out, each of ``n`` syncs alone is left out,
COMMIT is moved before its members, and on a disk that leaves syncs out manifests go unread. Each must be found, except
the classes of ``SUPERFLUOUS``, which must not.
"""

import hashlib
import itertools
import math
import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple
from unittest import mock

from sim.errors import ChipcastError
from sim.store import gc
from tests.faults import Report, stores
from tests.faults.disk import Choice, Contents, Disk, Step, record
from tests.faults.stores import NAME, scratch

MOST = 4096
RUNS = "new/runs"
"""Folder of the runs: neither it nor its parent is there at first."""
SUPERFLUOUS = {
    "staging": "what is built is told by the folder that it is moved to",
    "staging/parts": "what is built is told by the folder that it is moved to",
    "staging/sums": "what is built is told by the folder that it is moved to",
    "staging/rubbish": "what goes there is not wanted any more",
    "staging/.chipcast": "that the marker is there says all",
    "staging/LOCK": "whoever held it is gone",
}
"""Syncs that no state depends on, and why."""


class Work(NamedTuple):
    """Something the store does step by step, each acknowledged, and how a reader tells how far it has come."""

    step: Callable[[Path, int], object]
    steps: int
    read: Callable[[Path], int]
    before: Callable[[Path], object] = Path.exists
    """Done first, and acknowledged to nobody."""
    must_stay: bool = True
    """Whether what was acknowledged may not be lost."""

    def __call__(self, root: Path, done: Callable[[int], None]) -> None:
        """Do it all below a folder."""
        self.before(root / RUNS)
        for i in range(1, self.steps + 1):
            self.step(root / RUNS, i)
            done(i)


def damaged(out: Path) -> None:
    """A first generation, one file of which is then damaged."""
    stores.damage_part(stores.publish_generation(out, 1))


WORK = {
    "publish": Work(stores.publish_generation, 3, stores.generation_of),
    "progress": Work(stores.save_progress, 2, stores.progress_of),
    "report": Work(stores.publish_report, 2, stores.report_of, must_stay=False),
    "repair": Work(stores.publish_generation, 1, stores.generation_of, damaged),
}


class Judge:
    """Reads a state as a reader would, the same state once."""

    def __init__(self, root: Path, read: Callable[[Path], int]) -> None:
        self.root = root
        self.read = read
        self.known: dict[str, int | str] = {}

    def __call__(self, contents: Contents) -> int | str:
        """How far a state has come, or the code of the error; ``wrong: ...`` for anything else."""
        key = digest({name: data for name, data in contents.items() if not name.endswith(".chipcast")})
        if key not in self.known:
            self.known[key] = self.look(self.made(contents))
        return self.known[key]

    def look(self, out: Path) -> int | str:
        """Read a run that is really there."""
        try:
            return self.read(out / NAME)
        except ChipcastError as error:
            return error.code
        except Exception as error:
            return f"wrong: {type(error).__name__}: {error}"

    def made(self, contents: Contents) -> Path:
        """Put a state into a real folder, with a lock that nobody holds; the folder of its runs."""
        shutil.rmtree(self.root, ignore_errors=True)
        self.root.mkdir()
        for name, data in contents.items():
            if data is None:
                (self.root / name).mkdir()
            else:
                (self.root / name).write_bytes(data)
        if (self.root / RUNS / NAME).is_dir():
            (self.root / RUNS / NAME / "LOCK").touch()
        return self.root / RUNS


def digest(contents: Contents) -> str:
    """Hash of a state."""
    found = hashlib.blake2b()
    for name, data in sorted(contents.items()):
        found.update(f"{name}\0{-1 if data is None else len(data)}\0".encode() + (data or b""))
    return found.hexdigest()


class Violation(NamedTuple):
    """A state that must not be: after which step, what was acknowledged, what a reader found, what was lost."""

    after: str
    acknowledged: int
    found: int | str
    lost: tuple[str, ...]


@dataclass
class Outcome:
    """What was tried of some steps, and what went wrong; the first state of each kind by its digest."""

    tried: int = 0
    bounded: int = 0
    found: Counter[str] = field(default_factory=Counter)
    states: dict[str, tuple[Contents, int]] = field(default_factory=dict)
    violations: list[Violation] = field(default_factory=list)


def check(
    steps: Sequence[Step], judge: Judge, *, must_stay: bool = True, enough: int = 10**9, only: str = ""
) -> Outcome:
    """Lose power after every step, or ``only`` after those of a kind, until there are enough violations."""
    outcome, disk, acknowledged = Outcome(), Disk(), 0
    for step in steps:
        disk.do(step)
        acknowledged = int(step.path) if step.kind == "done" else acknowledged
        if is_unseen(step) or (only and step.kind != only):
            continue  # the states are those of the moment before
        for picked, contents in states(disk):
            found = judge(contents)
            outcome.tried += 1
            outcome.found[str(found)] += 1
            outcome.states.setdefault(digest(contents), (contents, acknowledged))
            if not is_right(found, acknowledged, must_stay):
                lost = tuple(disk.path(choice.number) for choice, pick in picked.items() if pick)
                outcome.violations.append(Violation(f"{step.kind} {step.path}", acknowledged, found, lost))
                break  # one of each moment tells it
        outcome.bounded += math.prod(choice.count for choice in disk.choices()) > MOST
        if len(outcome.violations) >= enough:
            break
    return outcome


def is_unseen(step: Step) -> bool:
    """Whether a step is all in a folder to build in."""
    return all(f"{RUNS}/.staging/" in path for path in (step.path, step.other or step.path))


def is_right(found: int | str, acknowledged: int, must_stay: bool) -> bool:
    """Whether a reader may find this: what was acknowledged or the next; an error only before the first."""
    if isinstance(found, str):
        return acknowledged == 0 and not found.startswith("wrong")
    return acknowledged * must_stay <= found <= acknowledged + 1


def states(disk: Disk) -> Iterator[tuple[dict[Choice, int], Contents]]:
    """Every state that the disk may be left in now, and what was picked for it."""
    choices = disk.choices()
    for picks in combinations([choice.count for choice in choices]):
        picked = dict(zip(choices, picks, strict=True))
        yield picked, disk.contents(picked)


def combinations(counts: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """All ways to choose; where they are too many, those next to everything kept and next to everything lost."""
    if math.prod(counts) <= MOST:
        yield from itertools.product(*map(range, counts))
        return
    for base in ((0,) * len(counts), tuple(count - 1 for count in counts)):
        yield base
        yield from ((*base[:i], pick, *base[i + 1 :]) for i, count in enumerate(counts) for pick in range(count))


def gone_on_with(work: Work, judge: Judge, outcome: Outcome) -> list[str]:
    """Tidy every state up, which must change nothing, and do the step that was interrupted again; what went wrong."""
    problems = []
    for contents, acknowledged in outcome.states.values():
        out, step = judge.made(contents), min(acknowledged + 1, work.steps)
        try:
            gc(out)
            tidied = judge.look(out)
            if tidied != judge(contents):
                problems.append(f"tidied up, {judge(contents)} is {tidied}")
            work.step(judge.made(contents), step)
            found = judge.look(out)
        except Exception as error:
            found = f"{type(error).__name__}: {error}"
        if found != step:
            problems.append(f"step {step} once more: {found}")
    return problems


def role(path: str) -> str:
    """What a path is to the store, whatever its run, range or passing name."""
    name = re.sub(r"\.staging/\.?[0-9a-f]{32}", "staging", path.removeprefix(RUNS).lstrip("/"))
    name = re.sub(r"\b\d+-\d+\b", "N-M", name.replace(NAME, "run"))
    name = re.sub(r"-[0-9a-f]{8}\b|\.[0-9a-f]{32}", "", name)
    return re.sub(r"((?:summary|N-M))/.*", r"\1/*", name) or "runs"


def without(steps: Sequence[Step], *roles: str) -> list[Step]:
    """The same steps on a disk that leaves some syncs out."""
    return [step for step in steps if step.kind != "fsync" or role(step.path) not in roles]


def commit_first(steps: Sequence[Step]) -> list[Step]:
    """The same steps, but the second COMMIT is published before the members built with it have their names."""
    created = [i for i, step in enumerate(steps) if step.kind == "create" and role(step.path) == "staging/COMMIT.json"]
    stage = str(Path(steps[created[1]].path).parent)
    moves = [i for i, step in enumerate(steps) if step.kind == "rename" and str(Path(step.path).parent) == stage]
    last = next(i for i in moves if i > created[1])
    block = range(created[1], last + 2)  # and the sync of the run's folder after it
    return [*steps[: moves[0]], *steps[block.start : block.stop], *steps[moves[0] : block.start], *steps[block.stop :]]


def is_found(steps: Sequence[Step], judge: Judge) -> bool:
    """Whether a bug shows: most do once something was acknowledged, so that is looked at first."""
    return any(check(steps, judge, enough=1, only=only).violations for only in ("done", ""))


def shows_wrong_numbers(steps: Sequence[Step], root: Path) -> bool:
    """Whether a reader that leaves manifests unread takes torn or missing files for a run, at the end."""
    disk = Disk()
    for step in steps:
        disk.do(step)
    judge = Judge(root, stores.generation_of)
    with mock.patch("sim.store.runs.damage", return_value=[]), mock.patch("sim.store.draws.damage", return_value=[]):
        return any(str(judge(contents)).startswith("wrong") for _, contents in states(disk))


def planted(steps: Sequence[Step], root: Path, n: int | None) -> tuple[list[str], dict[str, object]]:
    """Bugs put into the recorded publishes: those that were not found, and what was tried."""
    judge = Judge(root, stores.generation_of)
    classes = Counter(role(step.path) for step in steps if step.kind == "fsync")
    found = {f"no sync of {name}": is_found(without(steps, name), judge) for name in classes}
    found["COMMIT first"] = is_found(commit_first(steps), judge)
    torn = without(steps, *(name for name in classes if name.startswith("staging/parts/")))
    found["manifests unread"] = shows_wrong_numbers(torn, root)
    missed = [what for what in found if found[what] == (what.removeprefix("no sync of ") in SUPERFLUOUS)]
    syncs = [i for i, step in enumerate(steps) if step.kind == "fsync"][slice(n)]
    alone = Counter(role(steps[i].path) for i in syncs if not is_found([*steps[:i], *steps[i + 1 :]], judge))
    tried = {what: "found" if found[what] else "makes no difference" for what in found}
    return missed, {"tried": tried, "syncs left out alone": len(syncs), "of which another covers": dict(alone)}


def run(n: int | None, seed: int) -> Report:
    """Every power loss of all work; ``n`` single syncs (all of them if left out) are left out. Nothing is random."""
    notes: dict[str, object] = {}
    injected, lost = 0, 0
    with scratch() as root:
        for name, work in WORK.items():
            steps, judge = record(work), Judge(root / name, work.read)
            outcome = check(steps, judge, must_stay=work.must_stay)
            problems = [*map(str, outcome.violations), *gone_on_with(work, judge, outcome)]
            if name == "publish":
                missed, notes["planted bugs"] = planted(steps, root / "planted", n)
                problems += missed
            counts = {"steps": len(steps), "states": outcome.tried, "different": len(outcome.states)}
            notes[name] = counts | {"bounded": outcome.bounded, "found": dict(outcome.found), "problems": problems[:10]}
            injected, lost = injected + outcome.tried, lost + len(problems)
    return Report(injected, injected - min(lost, injected), lost, {**notes, "superfluous": SUPERFLUOUS})
