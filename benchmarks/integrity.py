"""What checksums, manifests and checks cost a run that is written, and what waiting for the disk does."""

import contextlib
import itertools
import tempfile
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest import mock

import sim
from benchmarks.contest import Contender, Result, at_most, contest, result
from sim import store
from sim.store import groups

publish = import_module("sim.store.publish")  # the package's own name is its function

__all__ = ["measure"]

MOST = 1.10
"""Time of a write that is checked over that of one that is not."""


def measure(*, quick: bool) -> Result:
    draws, rounds = (512, 1) if quick else (8_192, 9)
    with tempfile.TemporaryDirectory() as folder:
        given = Written(Path(folder), draws)
        turns = contest(
            [
                Contender("unchecked", given.unchecked, given.bytes),
                Contender("checked", given.write, given.bytes),
                Contender("checked, nobody waits for the disk", given.unsynced, given.bytes),
            ],
            baseline="unchecked",
            rounds=rounds,
            unit="bytes",
        )
    cost = 1 / turns["contenders"]["checked"]["ratio"]
    goals = {} if quick else {"checked / unchecked, time": at_most(cost, MOST)}
    about = (
        f"A base run published with its counts and {draws:,} kept draws in one part, beside the same without checks."
    )
    return result(about, **turns | {"goals": goals})


class Written:
    """A base run to be written again and again."""

    def __init__(self, home: Path, draws: int) -> None:
        self.home, self.draws, self.times = home, draws, itertools.count()
        tree = sim.run(sim.load(), draws=draws, out=home / "runs", keep_draws=True)
        folder = home / "runs" / str(tree.attrs["run"])
        self.record = store.read_request(folder).record
        kept = store.joining(home / "runs", self.record)
        self.ranges = {
            kind: [(each, kept.load(kind, each)) for each in kept.stored(kind)] for kind in ("parts", "sums")
        }
        self.tree = tree.drop_nodes("draws").load()
        self.bytes = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())

    def write(self) -> None:
        """Publish it where there is none."""
        with store.writing(self.home / f"again{next(self.times)}", self.record) as writing:
            writing.ask(self.draws)
            saved = {
                kind: [writing.save(kind, each.first, each.last, data) for each, data in ranges]
                for kind, ranges in self.ranges.items()
            }
            writing.publish(self.tree, draws=self.draws, **saved)

    def unchecked(self) -> None:
        """The same with no checksum in a chunk, no hash in a manifest, and nothing read back."""
        with without_checks():
            self.write()

    def unsynced(self) -> None:
        """The same, left to the system to put on the disk."""
        with mock.patch("os.fsync", return_value=None):
            self.write()


@contextlib.contextmanager
def without_checks() -> Iterator[None]:
    """Codecs without checksums, hashes that are not computed, and no look at what was written."""
    numbers = (f"{number:064x}" for number in itertools.count())
    with (
        mock.patch.object(groups, "encode", plainly(groups.encode)),
        mock.patch.object(groups, "check_finite"),
        mock.patch.object(groups, "sha256", side_effect=numbers),
        mock.patch.object(publish, "digest_of", return_value=""),
        mock.patch.object(publish, "settle", return_value=None),
    ):
        yield


def plainly(encode: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """Settings without checksums."""
    from zarr.codecs import ZstdCodec

    def settings(variable: Any) -> dict[str, Any]:
        given = encode(variable)
        large = isinstance(given["compressors"][0], ZstdCodec)
        return given | {"compressors": [ZstdCodec(level=groups.LEVEL, checksum=False)] if large else []}

    return settings
