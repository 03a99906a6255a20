"""What a process of a sweep says of itself before it works: versions, streams and the bits it draws."""

import hashlib
import os
import socket
import sys
from functools import cache
from importlib.metadata import version
from typing import Any

import jax
import numpy as np

from sim import devices, draws
from sim.engine import STREAM_VERSION
from sim.errors import RefusedError
from sim.forecast.question import code

__all__ = ["Hello", "agree", "block_of", "hello", "name"]

PACKAGES = ("chipcast", "jax", "jaxlib", "numpy", "scipy", "zarr", "xarray")
SAMPLE = ("sweep/handshake", "capex_drift")
SEED, NUMBERS = 20260228, 1024

Hello = dict[str, Any]


def name() -> str:
    """Host and number of this process, as a message names it."""
    return f"{socket.gethostname()}:{os.getpid()}"


@cache
def hello(device: str) -> Hello:
    """What must be the same wherever a sweep is worked on, and which process says so.

    DeviceError: there is no such device.
    """
    on = devices.mesh(device)
    return {
        "process": name(),
        "kind": devices.kind(on),
        "block": devices.shape(on).block,
        "python": ".".join(map(str, sys.version_info[:2])),
        "stream_version": STREAM_VERSION,
        "bits": _bits(),
        "code": code(),
        **{package: version(package) for package in PACKAGES},
    }


def _bits() -> str:
    """SHA-256 of some random bits: the same for one stream version on any device."""
    sample = jax.jit(draws.bits, static_argnames="n")
    made = sample(draws.keys(SAMPLE, SEED, 0), np.arange(len(SAMPLE), dtype=np.uint32), np.uint32(0), NUMBERS)
    return hashlib.sha256(np.asarray(made).astype("<u4").tobytes()).hexdigest()


def agree(ours: Hello, theirs: Hello) -> None:
    """RefusedError: another process has other versions, or draws other bits, than this one."""
    for key, expected in ours.items():
        if key not in ("process", "kind", "block") and theirs.get(key) != expected:
            problem = f"worker {theirs.get('process')} has {key} {theirs.get(key)}, this process {expected}"
            raise RefusedError("sweep-handshake", problem, remedy="install the same versions there and here")


def block_of(said: list[Hello]) -> int:
    """Draws in a block, alike on all workers. RefusedError: workers on devices of different kinds."""
    kinds = {each["kind"]: each for each in said}
    if len(kinds) > 1:
        one, other, *_ = kinds.values()
        problem = f"worker {one['process']} is on {one['kind']}, worker {other['process']} on {other['kind']}"
        raise RefusedError("sweep-handshake", problem, remedy="use workers of one kind: floats depend on it")
    return int(said[0]["block"])
