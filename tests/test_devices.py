"""Devices: which there are, what is said where there is none, and where compiled programs are kept."""

import jax
import numpy as np
import pytest
from jax.sharding import PartitionSpec as P

from sim import devices
from sim.errors import DeviceError


def test_mesh__is_all_devices_of_a_kind():
    on = devices.mesh("cpu")
    assert list(on.devices.flat) == jax.devices("cpu")
    assert on.axis_names == ("device",)
    assert devices.kind(on) == "cpu"
    assert devices.mesh() == on  # tests run on the CPU, where auto finds nothing else


@pytest.mark.parametrize("kind", ["gpu", "tpu", "abacus"])
def test_mesh__of_what_is_missing_is_a_device_error(kind):
    with pytest.raises(DeviceError, match=f"JAX finds no {kind} on this machine; use --device cpu") as caught:
        devices.mesh(kind)
    assert (caught.value.code, caught.value.exit_code) == ("device-missing", 6)


def test_shape__blocks_of_a_call_can_be_counted():
    for kind, shape in devices.SHAPES.items():
        assert kind in devices.KINDS
        assert shape.block & (shape.block - 1) == 0  # words of a block share their high half
        assert shape.block * shape.blocks <= np.iinfo(shape.counter).max


def test_on_all__runs_side_by_side():
    on = devices.mesh("cpu")
    given = np.arange(3.0 * on.size, dtype=np.float32).reshape(on.size, 3)
    found = devices.on_all(lambda rows, factor: rows * factor, on, (P("device"), P()))(given, np.float32(2))
    np.testing.assert_array_equal(found, 2 * given)


@pytest.mark.parametrize(("xdg", "expected"), [("here", "here"), ("", ".cache"), (None, ".cache")])
def test_cache_programs__is_the_users_cache_folder(monkeypatch, tmp_path, xdg, expected):
    monkeypatch.setenv("HOME", str(tmp_path))
    if xdg is None:
        monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    else:
        monkeypatch.setenv("XDG_CACHE_HOME", xdg and str(tmp_path / xdg))
    before = jax.config.values["jax_compilation_cache_dir"]
    try:
        jax.config.update("jax_compilation_cache_dir", None)
        devices.cache_programs()
        assert jax.config.values["jax_compilation_cache_dir"] == str(tmp_path / expected / "chipcast" / "programs")
        jax.config.update("jax_compilation_cache_dir", "told")
        devices.cache_programs()
        assert jax.config.values["jax_compilation_cache_dir"] == "told"
    finally:
        jax.config.update("jax_compilation_cache_dir", before)
