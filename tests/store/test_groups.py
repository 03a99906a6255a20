"""Groups: every kind of variable comes back from a folder, and as plain xarray reads it."""

import asyncio
import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from sim.store import groups
from sim.store.groups import ROOT, read_group, save
from sim.store.records import Manifest, read

TEXT = ["", "nvidia", "Ünïcødé 日本 🚀", "x" * 1000]
FLOATS = np.array([[1.5, -0.0, np.nan], [np.nan] * 3, [1e-45, 3e38, 0]], np.float32)


def odd() -> xr.DataTree:
    """Every kind of variable that a run may hold, and some at the edges: of one value, of none, of nothing but fill."""
    missing = {"missing_ok": 1}
    data = xr.Dataset(
        {
            "floats": (("row", "label"), FLOATS, {"units": "1", "long_name": "naïve", **missing}),
            "missing": (("row", "label"), np.full((3, 3), np.nan), missing),
            "zeros": ("row", np.zeros(3, np.int32)),
            "whole": ("row", np.array([-1, 0, 2**62])),
            "true": ("row", [True, False, True]),
            "turned": (("label", "row"), np.arange(9.0).reshape(3, 3).T),
            "text": ("note", TEXT),
            "objects": ("note", np.array(TEXT, object)),
            "value": 2.5,
            "word": "2026-02-28",
            "nothing": (("row", "none"), np.zeros((3, 0), np.float32)),
            "days": ("row", np.array(["2026-02-28", "2026-03-31", "2022-01-01"], "datetime64[ns]")),
        },
        coords={"row": [1, 2, 3], "label": ["a", "b", "c"], "time": ("row", [2.0, 3.0, 4.0]), "at": 7},
        attrs={"title": "odd"},
    )
    return xr.DataTree.from_dict({"/": xr.Dataset(attrs={"draws": 3}), "/a": data, "/a/b": data[["text"]], "/c": None})


def draws() -> xr.DataTree:
    """Kept draws: shards, of which some leave out chunks, and one has nothing to hold."""
    values, missing = np.arange(7 * 2 * 4, dtype=np.float32).reshape(7, 2, 4), {"missing_ok": 1}
    values[[1, 4]] = np.nan
    data = {"x": (("s", "t", "draw"), values, missing), "none": (("s", "draw"), np.full((7, 4), np.nan), missing)}
    data |= {"counts": (("s", "draw"), np.arange(28).reshape(7, 4)), "single": ("draw", np.arange(4.0))}
    return xr.DataTree(xr.Dataset(data, coords={"draw": range(100, 104), "t": ["2026", "2027"]}))


def back(folder: Path) -> xr.DataTree:
    return read_group(folder, read(Manifest, folder.with_name(f"{folder.name}.MANIFEST.json")))


@pytest.mark.parametrize("make", [odd, draws])
@pytest.mark.parametrize("size", [2**27, 40])
def test_read_group__gives_what_was_saved_and_what_plain_xarray_reads(tmp_path, monkeypatch, make, size):
    monkeypatch.setattr(groups, "FILE_SIZE", size)
    save(make(), tmp_path / "x", "run")
    found, plain = back(tmp_path / "x"), xr.open_datatree(tmp_path / "x", engine="zarr", consolidated=False).load()
    assert found.identical(plain)
    assert {node.path for node in found.subtree} == {node.path for node in make().subtree}
    for node in make().subtree:
        got, given = found[node.path].to_dataset(inherit=False), node.to_dataset(inherit=False)
        assert (set(got.variables), set(got.coords)) == (set(given.variables), set(given.coords))
        assert got.attrs.items() >= given.attrs.items()
        for name, variable in given.variables.items():
            assert (got[name].dims, got[name].attrs) == (variable.dims, variable.attrs)
            assert all(each.variables[name]._in_memory for each in (got, plain[node.path]))
            if variable.dtype.kind in "UO":
                assert got[name].values.tolist() == variable.values.tolist()
            else:
                assert got[name].dtype == variable.dtype
                assert got[name].values.tobytes() == variable.values.tobytes()


def test_save__fills_files_up_to_their_size(tmp_path, monkeypatch):
    monkeypatch.setattr(groups, "FILE_SIZE", 7 * 8 * 4)
    data = {"fits": (("s", "t"), np.ones((20, 8), np.float32)), "long": (("s2", "u"), np.ones((2, 80), np.float32))}
    save(xr.DataTree(xr.Dataset(data)), tmp_path / "x", "run")
    assert sorted(path.name for path in (tmp_path / "x/fits").glob("c*")) == ["c.0.0", "c.1.0", "c.2.0"]  # 7 fit
    assert sorted(path.name for path in (tmp_path / "x/long").glob("c*")) == ["c.0.0", "c.1.0"]  # not less than one


def test_read_group__finds_a_flipped_bit_of_any_chunk_by_its_own_checksum(tmp_path):
    """Also where nobody compares the manifest: in a plain reader of Zarr."""
    for make in (odd, draws):
        save(make(), tmp_path / make.__name__, "run")
        chunks = [path for path in (tmp_path / make.__name__).rglob("*") if path.is_file() and path.name != ROOT]
        assert chunks
        for path in chunks:
            data = path.read_bytes()
            for at in (0, len(data) // 2, len(data) - 1):
                path.write_bytes(data[:at] + bytes([data[at] ^ 128]) + data[at + 1 :])
                with pytest.raises((ValueError, RuntimeError)):
                    back(tmp_path / make.__name__)
            path.write_bytes(data)


def test_save__forgets_the_unit_that_a_time_was_read_with(tmp_path):
    days = xr.Variable("time", np.array(["2026-02-28T06:30"], "datetime64[ns]"))
    days.encoding = {"units": "days since 2000-01-01", "dtype": "int64"}
    save(xr.DataTree(xr.Dataset({"day": days})), tmp_path / "x", "run")
    assert back(tmp_path / "x")["day"].values == np.datetime64("2026-02-28T06:30")


def test_save__works_where_an_event_loop_runs_already(tmp_path):
    async def notebook() -> float:
        save(xr.DataTree(xr.Dataset({"x": 1.5})), tmp_path / "x", "run")
        return back(tmp_path / "x")["x"].item()

    assert asyncio.run(notebook()) == 1.5


def test_save__the_root_depends_on_every_value(tmp_path):
    roots = [save(xr.DataTree(xr.Dataset({"x": value})), tmp_path / f"{value}", "run").root for value in (1.0, 2.0)]
    assert roots[0] != roots[1]
    assert json.loads((tmp_path / "1.0" / ROOT).read_bytes())["attributes"]["run"] == "run"
