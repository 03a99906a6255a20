"""Draws counted in another process: ``python -m tests.elsewhere '{"devices": 8, ...}'``, a JSON object of ``Task``.

What is printed is a JSON object: the digest of all draws on each number of devices. The sums of the range asked for
are written to ``to``, to be added to others'.
"""

import json
import os
import subprocess
import sys
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np

from sim.tally import Sums


@dataclass
class Task:
    """What another process does."""

    devices: int
    x64: bool
    meshes: list[int]  # numbers of devices that count all draws
    draws: int
    first: int  # the range whose sums are written
    last: int
    to: str


def begin(task):
    """Start the process."""
    environment = os.environ | {"JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-m", "tests.elsewhere", json.dumps(asdict(task))]
    home = Path(__file__).parents[1]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=home, env=environment)


def write(path, sums):
    """Sums in a file, of the counts only those that are not 0."""
    rest = {field.name: getattr(sums, field.name) for field in fields(Sums) if field.name != "counts"}
    at = np.flatnonzero(sums.counts)
    np.savez(path, at=at, counted=sums.counts.ravel()[at], **rest)


def read(path):
    """Sums as ``write`` wrote them."""
    with np.load(path) as kept:
        sums = Sums.of_nothing(len(kept["zero"]))
        sums.counts.ravel()[kept["at"]] = kept["counted"]
        for field in fields(Sums):
            if field.name != "counts":
                setattr(sums, field.name, kept[field.name])
    sums.draws = int(sums.draws)
    return sums


def main(task):
    """Count all draws on each mesh, and the range on the last."""
    import jax

    jax.config.update("jax_num_cpu_devices", task.devices)
    jax.config.update("jax_enable_x64", task.x64)
    from jax.sharding import Mesh

    from sim import devices, forecast
    from sim.engine import Engine

    devices.cache_programs()
    world, found = forecast.load("base"), {}
    for size in task.meshes:
        engine = Engine(world, 7, Mesh(jax.devices()[:size], ("device",)))
        if task.draws:
            found[size] = engine.sums(0, task.draws).digest()
    write(task.to, engine.sums(task.first, task.last))
    print(json.dumps(found))


if __name__ == "__main__":
    main(Task(**json.loads(sys.argv[1])))
