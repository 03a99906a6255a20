"""Workers killed while a sweep runs: `python -m tests.faults workers --n VARIANTS`.

The same sweep is done by one worker process, by two, and by three Dask workers on this machine, each of which is killed
at a moment of its own while it works. What must hold: the same bits in every array of every run, each run published
once, programs compiled once in a process, and nobody listens but on this machine. How much sooner two processes end
than one is told, not judged: it takes a quiet machine and many variants.

Of few variants, as a test asks for, this process does the first sweep, and one Dask worker of two is killed.
"""

import json
import os
import random
import signal
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from sim import sweep
from sim.sweep import batch
from sim.sweep.cluster import Cluster
from sim.sweep.prepared import Prepared, prepare
from sim.sweep.processes import Processes
from sim.sweep.runners import Here, Runner
from sim.sweep.spec import Spec, read_spec
from sim.sweep.watch import Silent
from tests.faults import Report

DEFAULT, DRAWS = 200, 20_000
FEW, FEW_DRAWS = 10, 512
"""Up to so many variants the sweep is a test's, with so many draws each."""
KILLS = 3
ONE, TWO, KILLED = "one process", "two processes", "Dask workers, killed"


class Timed(Silent):
    """Notes when the work began and when its last task ended, and kills workers meanwhile."""

    def __init__(self, runner: Runner, kills_after: Sequence[int] = ()) -> None:
        self.runner = runner
        self.kills_after = list(kills_after)
        self.ended = 0
        self.victims: list[int] = []
        self.killed: list[int] = []
        self.listening: set[str] = set()

    def begins(self, variants: int, finished: int) -> None:
        self.began = self.last = time.monotonic()
        self.victims = [int(said["process"].split(":")[1]) for said in self.runner.hello()]
        self.listening = listening()

    def ends(self, task, outcome) -> None:
        self.ended, self.last = self.ended + 1, time.monotonic()
        if self.kills_after and self.ended >= self.kills_after[0]:
            at_work = [pid for pid in self.victims if not outcome.process.endswith(f":{pid}")]
            if at_work:
                self.kills_after.pop(0)
                self.victims.remove(at_work[0])
                os.kill(at_work[0], signal.SIGKILL)
                self.killed.append(at_work[0])

    @property
    def seconds(self) -> float:
        return self.last - self.began


class Went(NamedTuple):
    """One of the sweeps: where its runs lie, what came of it, how long it took, and who was killed."""

    out: Path
    swept: sweep.Swept
    seconds: float
    killed: list[int]
    listening: set[str]
    """Addresses on which the sweep and its workers listened."""

    @property
    def runs(self) -> list[str]:
        """Ids of the runs there are."""
        return [] if self.swept.tree is None else self.swept.tree["variants"].to_dataset()["run"].values.tolist()


def run(n: int | None, seed: int) -> Report:
    """Do the sweeps of so many variants and hold them against each other."""
    variants = DEFAULT if n is None else n
    with tempfile.TemporaryDirectory() as folder:
        return report(sweeps(Path(folder), variants, seed), variants)


def sweeps(folder: Path, variants: int, seed: int) -> dict[str, Went]:
    """The same sweep by one process, by two of the same kind, and by Dask workers that are killed."""
    values = ", ".join(f"{0.4 + 0.0005 * i:.4f}" for i in range(variants))
    few = variants <= FEW
    draws, kills = (FEW_DRAWS, 1) if few else (DRAWS, KILLS)
    file = folder / "sweep.yaml"
    file.write_text(f"draws: {draws}\nseeds: [{seed}]\nset:\n  capex_drift.p95: [{values}]\n", encoding="utf-8")
    spec = read_spec(file)
    prepared = prepare(spec)
    after = sorted(random.Random(seed).sample(range(1, variants - kills), kills))
    alone = Here("cpu", {each.variant.label: each.world for each in prepared}) if few else Processes(1, "cpu", share=1)
    return {
        ONE: went(spec, prepared, alone, folder / "one"),
        TWO: went(spec, prepared, Processes(2, "cpu", share=1), folder / "two"),
        KILLED: went(spec, prepared, Cluster(None, 2 if few else KILLS, "cpu"), folder / "dask", after),
    }


def went(spec: Spec, prepared: Sequence[Prepared], runner: Runner, out: Path, kills_after: Sequence[int] = ()) -> Went:
    """One sweep, timed from the moment that all workers are there."""
    watch = Timed(runner, kills_after)
    swept = batch.run(spec, prepared, runner, out=out, device="cpu", watch=watch)
    return Went(out, swept, watch.seconds, watch.killed, watch.listening)


def report(done: dict[str, Went], variants: int) -> Report:
    """What was lost, made twice, differs or was compiled again, of all three sweeps."""
    counts = {name: count(done, variants) for name, count in COUNTS.items()}
    kills, killed = 1 if variants <= FEW else KILLS, len(done[KILLED].killed)
    seconds = {name: round(each.seconds, 1) for name, each in done.items()}
    faster = {} if variants <= FEW else {"two_over_one": round(done[ONE].seconds / done[TWO].seconds, 2)}
    notes = {**counts, "variants": variants, "seconds": seconds, **faster}
    return Report(injected=kills, detected=killed, lost=sum(counts.values()) + kills - killed, notes=notes)


def missing(done: dict[str, Went], variants: int) -> int:
    """Variants without a run, in any of the sweeps."""
    return sum(variants - len(each.runs) for each in done.values())


def different(done: dict[str, Went], variants: int) -> int:
    """Runs, and tables of all, that are not to the bit those of one process."""
    serial = done[ONE]
    runs = sum(figures(each.out / run) != figures(serial.out / run) for each in done.values() for run in serial.runs)
    return runs + sum(tables(each.swept) != tables(serial.swept) for each in done.values())


def figures(folder: Path) -> dict[str, str]:
    """Hashes of all arrays of a run's summary; its metadata tell when and where it was made."""
    files = json.loads((folder / "summary.MANIFEST.json").read_bytes())["files"]
    return {name: file["sha256"] for name, file in files.items() if not name.endswith("zarr.json")}


def tables(swept: sweep.Swept) -> dict[str, bytes]:
    """Bits of a sweep's tables by name, but the commits, which tell when each run was made."""
    assert swept.tree is not None
    nodes = (node.to_dataset() for node in swept.tree.subtree)
    named = {f"{i}/{name}": each[name].values for i, each in enumerate(nodes) for name in each.variables}
    return {
        name: values.tobytes() if values.dtype.kind == "f" else repr(values.tolist()).encode()
        for name, values in named.items()
        if not name.endswith("/commit")
    }


def twice(done: dict[str, Went], variants: int) -> int:
    """Runs published more often than once, or not at all, by their own logs; and those that nobody asked for."""
    found = 0
    for each in done.values():
        logs = [
            path.read_text(encoding="utf-8") for path in each.out.glob("*/log.jsonl") if path.parent.name in each.runs
        ]
        found += sum(log.count('"event": "published"') != 1 for log in logs) + abs(len(logs) - len(each.runs))
        found += len(list(each.out.glob("*/COMMIT.json"))) - len(each.runs) - 1  # the sweep's own
    return found


def compiled_again(done: dict[str, Went], variants: int) -> int:
    """Tasks that compiled, or read, a program though one of the same process had done so before."""
    found = 0
    for each in done.values():
        seen: set[str] = set()
        for _, outcome in each.swept.done:
            found += outcome.process in seen and outcome.programs > 0
            seen.add(outcome.process)
    return found


def abroad(done: dict[str, Went], variants: int) -> int:
    """Addresses on which somebody listened that are not this machine's own."""
    return sum(not address.startswith("127.") for each in done.values() for address in each.listening)


def listening() -> set[str]:
    """Addresses on which this process and all below it listen."""
    import psutil

    me = psutil.Process()
    sockets = (each for process in (me, *me.children(recursive=True)) for each in process.net_connections("inet"))
    return {each.laddr.ip for each in sockets if each.status == psutil.CONN_LISTEN}


COUNTS = {
    "missing": missing,
    "different": different,
    "twice": twice,
    "compiled_again": compiled_again,
    "abroad": abroad,
}
