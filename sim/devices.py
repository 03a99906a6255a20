"""What the programs run on: the devices of a kind, the shape of a block on them, and how they compile."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P

from sim.errors import DeviceError

__all__ = ["KINDS", "Shape", "cache_programs", "kind", "mesh", "on_all", "shape"]

KINDS = ("auto", "cpu", "gpu", "tpu")
"""What ``device`` may be; ``auto`` is an accelerator if there is one."""


class Shape(NamedTuple):
    """Draws simulated together, a part of the stream version because floats depend on it, and blocks of one call."""

    block: int
    blocks: int
    counter: str
    """Type of the counts on a device: on the CPU a short one, because memory is what counting waits for."""


SHAPES = {"cpu": Shape(256, 4, "uint16"), "gpu": Shape(1 << 16, 1, "int32"), "tpu": Shape(1 << 14, 4, "int32")}

OPTIONS: dict[str, dict[str, Any]] = {
    "cpu": {
        "xla_cpu_prefer_vector_width": 512,
        "xla_cpu_multi_thread_eigen": False,  # there is a device for each core already
        "xla_cpu_enable_concurrency_optimized_scheduler": False,
        # a program for several devices goes through this pass once more, and would be fused into other bits
        "xla_disable_hlo_passes": "cse",
    }
}
"""Compiler options by kind of device, for the versions of jax that pyproject.toml allows."""


def mesh(device: str = "auto") -> Mesh:
    """All devices of a kind, side by side; on the CPU one for each core, if JAX has not been started otherwise.

    DeviceError: there is none of that kind.
    """
    _one_cpu_device_a_core()
    try:
        found = jax.devices() if device == "auto" else jax.devices(device)
    except RuntimeError:
        raise DeviceError(
            "device-missing", f"JAX finds no {device} on this machine", remedy="use --device cpu"
        ) from None
    return Mesh(found, ("device",))


def _one_cpu_device_a_core() -> None:
    """Ask for as many CPU devices as there are cores; a started JAX keeps those it has."""
    if jax.config.values["jax_num_cpu_devices"] == -1:
        try:
            jax.config.update("jax_num_cpu_devices", len(os.sched_getaffinity(0)))
        except RuntimeError:
            return


def shape(devices: Mesh) -> Shape:
    """The shape of a block on these devices."""
    return SHAPES[kind(devices)]


def kind(devices: Mesh) -> str:
    """``cpu``, ``gpu`` or ``tpu``."""
    platform: str = devices.devices.flat[0].platform
    return {"cuda": "gpu", "rocm": "gpu"}.get(platform, platform)


def on_all(program: Callable[..., Any], on: Mesh, given: tuple[P, ...], **jitted: Any) -> Any:
    """A program compiled to run on each of some devices, what it makes side by side along a leading axis."""
    spread = jax.shard_map(program, mesh=on, in_specs=given, out_specs=P("device"), check_vma=False)
    return jax.jit(spread, compiler_options=OPTIONS.get(kind(on), {}), **jitted)


def cache_programs() -> None:
    """Compiled programs outlive the process, in the user's cache folder unless JAX is told another."""
    if jax.config.values["jax_compilation_cache_dir"] is None:
        home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        jax.config.update("jax_compilation_cache_dir", str(home / "chipcast" / "programs"))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)  # small ones too: there are ten of them
