"""Two to four processes on one run at once: nothing is lost or mixed, nobody waits, and who is refused is told by whom.

Each asks for some draws of the tiny run (the same, or more), asks again with ``fresh``, stores counts of a share,
writes a report or reads, and begins at a random moment. Every tenth round is of real commands: ``chipcast run`` asked
for the same draws, for more, and for those drawn again.

What must hold: the run is whole, has at least the draws of everybody who was told that it was done, and their bits;
a reader saw only whole runs; nobody took 10 s; a refused writer ends with store-busy, code 3, and names the process
that was writing.
"""

import os
import random
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from sim.store import joining, read_commit
from tests.faults import Report, stores
from tests.faults.children import Ended, begin
from tests.faults.stores import NAME, RUN, scratch

LONGEST = 10.0
"""Seconds that nobody may wait."""
FIRST, MOST = 20, 40
"""Draws there are at first, and the most that are asked for."""


def same(out: Path) -> int:
    """Ask the same again."""
    return told(stores.ask(out, FIRST))


def fresh(out: Path) -> int:
    """Ask for all draws anew."""
    return told(stores.ask(out, MOST, fresh=True))


def more(out: Path) -> int:
    """Ask for more draws."""
    return told(stores.ask(out, 30))


def most(out: Path) -> int:
    """Ask for still more."""
    return told(stores.ask(out, MOST))


def share(out: Path) -> int:
    """Store what was counted of some draws, without the run's lock."""
    joining(out, RUN).save("sums", 50, 59, stores.counts(7))
    return 0


def report(out: Path) -> int:
    """Write reports."""
    for i in range(5):
        stores.write_report(out / NAME, f"page-{i}.html", b"x" * 10_000)
    return 0


def read(out: Path) -> int:
    """Read for a while; each time the run must be whole."""
    found, until = 0, time.monotonic() + 0.2
    while time.monotonic() < until:
        found = stores.draws_of(out / NAME)
        assert found >= FIRST
    return 0


def told(folder: Path) -> int:
    """How many draws the run was said to have."""
    return read_commit(folder).draws.done


TASKS: tuple[Callable[[Path], int], ...] = (same, fresh, more, most, share, report, read)


def later(task: Callable[[Path], int], out: Path, pause: float) -> int:
    """Do a task after a while."""
    time.sleep(pause)
    return task(out)


def reference(root: Path) -> dict[int, dict[str, str]]:
    """Members of an undisturbed run by its number of draws."""
    return {draws: read_commit(stores.ask(root, draws)).members() for draws in (FIRST, 30, MOST)}


def round_of(chance: random.Random, out: Path, wanted: dict[int, dict[str, str]], counts: Counter[str]) -> str:
    """Let some processes loose on a run; what is wrong afterwards, if anything is."""
    stores.ask(out, FIRST)
    tasks = [chance.choice(TASKS) for _ in range(chance.randint(2, 4))]
    children = [begin(later, task, out, chance.uniform(0, 0.1)) for task in tasks]
    pids = [child.pid for child in children]
    ended = [child.ended() for child in children]
    problems = [problem_of(each, pid, pids) for each, pid in zip(ended, pids, strict=True)]
    for task, each in zip(tasks, ended, strict=True):
        counts[f"{task.__name__}: {each.code if each and each.code else 'done'}"] += 1
    acknowledged = max([FIRST, *(each.value for each in ended if each is not None and each.value)])
    return "; ".join(filter(None, [*problems, state(out / NAME, acknowledged, wanted)]))


def problem_of(ended: Ended | None, pid: int, pids: list[int]) -> str:
    """What is wrong with how a process ended."""
    if ended is None:
        return "ended without a word"
    if ended.seconds > LONGEST:
        return f"waited {ended.seconds:.1f} s"
    if not ended.code:
        return ""
    if ended.code != "store-busy" or ended.exit_code != 3:
        return ended.words
    holder = re.search(r"process (\d+) on ", ended.words)
    named = holder is not None and int(holder.group(1)) in pids and int(holder.group(1)) != pid
    return "" if named else f"names nobody: {ended.words}"


def state(folder: Path, acknowledged: int, wanted: dict[int, dict[str, str]]) -> str:
    """What is wrong with a run, if anything is."""
    draws = stores.draws_of(folder)
    if draws < acknowledged:
        return f"{acknowledged} draws were acknowledged, {draws} are there"
    return "" if read_commit(folder).members() == wanted[draws] else f"other bits of {draws} draws"


def commands(chance: random.Random, out: Path, wanted: dict[int, dict[str, str]], counts: Counter[str]) -> str:
    """Let real commands loose on a run of the base book; what is wrong afterwards, if anything is."""
    asked = [["512"], ["1024"], chance.choice([["512"], ["1024", "--fresh"]])]
    begun = []
    for words in asked:
        begun.append(chipcast(out, "--draws", *words))
        time.sleep(chance.uniform(0, 1))
    problems, acknowledged = [], 0
    for words, process in zip(asked, begun, strict=True):
        _, said = process.communicate(timeout=120)
        counts[f"chipcast run {' '.join(words)}: exit {process.returncode}"] += 1
        if process.returncode == 0:
            acknowledged = max(acknowledged, int(words[0]))
        elif process.returncode != 3 or "store-busy" not in said:
            problems.append(said)
        elif not any(f"process {other.pid} on " in said for other in begun if other is not process):
            problems.append(f"names nobody: {said}")
    (folder,) = [path.parent for path in out.glob("*/LOCK")]
    return "; ".join([*problems, *filter(None, [state(folder, acknowledged, wanted)])])


def chipcast(out: Path, *words: str) -> "subprocess.Popen[str]":
    """Begin ``chipcast run`` of the base book."""
    command = [sys.executable, "-c", "from sim.cli import main; main()", "run", "--out", str(out), *words]
    environment = os.environ | {"JAX_PLATFORMS": "cpu"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def real_reference(root: Path) -> dict[int, dict[str, str]]:
    """Members of an undisturbed run of the base book by its number of draws."""
    found = {}
    for draws in (512, 1024):
        chipcast(root, "--draws", str(draws)).communicate(timeout=120)
        (folder,) = [path.parent for path in root.glob("*/COMMIT.json")]
        found[draws] = read_commit(folder).members()
    return found


def run(n: int | None, seed: int) -> Report:
    """``n`` rounds, or 20; one in ten of real commands."""
    n = 20 if n is None else n
    chance, counts, lost = random.Random(seed), Counter[str](), dict[str, str]()
    real = n // 10
    with scratch() as root:
        wanted = reference(root / "reference")
        rounds = {f"round {i}": (round_of, wanted) for i in range(n - real)}
        if real:
            real_bits = real_reference(root / "commands")
            rounds |= {f"commands {i}": (commands, real_bits) for i in range(real)}
        for name, (let_loose, bits) in rounds.items():
            problem = let_loose(chance, root / name, bits, counts)
            if problem:
                lost[name] = problem
    return Report(n, n - len(lost), len(lost), {"ended": dict(sorted(counts.items())), "problems": lost})
