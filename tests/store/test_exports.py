"""Parquet and netCDF as other tools read them back; both packages are an extra."""

import errno
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from sim.errors import RefusedError
from sim.store import io, long_table, open_run, to_netcdf, to_parquet, verify

WRITERS = pytest.mark.parametrize(
    ("package", "write", "name"), [("pyarrow", to_parquet, "a.parquet"), ("h5netcdf", to_netcdf, "a.nc")]
)


def test_to_parquet__is_the_long_table_with_the_runs_attributes(published, tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    tree = open_run(published)
    found = parquet.read_table(to_parquet(tree, tmp_path / "new" / "a.parquet"))
    wanted = long_table(tree)
    assert found.column_names == list(wanted)
    for name in wanted:
        assert found[name].to_pylist() == wanted[name].tolist(), name
    metadata = {key.decode(): value.decode() for key, value in found.schema.metadata.items()}
    assert metadata["commit"] == tree.attrs["commit"]
    assert metadata["run"] == tree.attrs["run"]
    assert json.loads(metadata["units"]) == {"revenue": "bn USD"}


def test_to_parquet__text_is_visible(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    coords = {"quantile": [0.5], "supplier": ["a\x1b[2J\ud800"], "year": ["2026"]}
    data = xr.Dataset({"revenue": (("quantile", "supplier", "year"), np.ones((1, 1, 1)), {"units": "\x07"})}, coords)
    tree = xr.DataTree.from_dict({"/prior_predictive/year": data})
    found = parquet.read_table(to_parquet(tree, tmp_path / "a.parquet"))
    assert found["label"].to_pylist() == ["a\\x1b[2J\\ud800"]
    assert found["unit"].to_pylist() == ["\\x07"]


def test_to_netcdf__opens_as_the_tree_it_was(published, tmp_path):
    pytest.importorskip("h5netcdf")
    tree = open_run(published)
    assert any("draw" in node.dims for node in tree.subtree)
    with xr.open_datatree(to_netcdf(tree, tmp_path / "a.nc"), engine="h5netcdf") as found:
        assert found.attrs == tree.attrs
        for node in tree.subtree:
            data, again = node.to_dataset(), found[node.path].to_dataset()
            for name, variable in data.variables.items():
                if "draw" in variable.dims:
                    assert name not in again
                    continue
                assert again[name].attrs == variable.attrs
                same = again[name].values.astype(str if variable.dtype.kind in "TO" else variable.dtype)
                np.testing.assert_array_equal(same, variable.values.astype(same.dtype), err_msg=str(name))


@WRITERS
def test_export__same_run_same_bytes_and_a_file_that_is_there_is_replaced_whole(
    published, tmp_path, monkeypatch, package, write, name
):
    pytest.importorskip(package)
    tree, path = open_run(published), tmp_path / name
    path.write_bytes(b"old")

    def full(operation: str, path: Path) -> None:
        if operation in ("write", "move"):
            raise OSError(errno.ENOSPC, "full")

    with monkeypatch.context() as patch:
        patch.setattr(io, "before", full)
        with pytest.raises(RefusedError, match="no space"):
            write(tree, path)
    assert path.read_bytes() == b"old"
    write(tree, path)
    first = path.read_bytes()
    again = {write(open_run(published), path).read_bytes() for _ in range(3)}  # each opened from the store anew
    assert again == {first}
    assert first != b"old"
    assert [each.name for each in tmp_path.iterdir() if each.name != "runs"] == [name]


@WRITERS
def test_export__of_another_suffix_is_refused(published, tmp_path, package, write, name):
    pytest.importorskip(package)
    with pytest.raises(RefusedError, match="does not end in"):
        write(open_run(published), published / "run.json")
    assert (published / "run.json").read_bytes().startswith(b"{")


@WRITERS
def test_export__without_its_package_says_what_to_install(published, tmp_path, monkeypatch, package, write, name):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(RefusedError) as caught:
        write(open_run(published), tmp_path / name)
    assert package in str(caught.value)
    assert 'pip install "chipcast[tables]"' in str(caught.value)
    assert "EXTRA=test,tables ./go" in str(caught.value)


# --- the command -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("format", "package", "name"), [("parquet", "pyarrow", "summary.parquet"), ("netcdf", "h5netcdf", "summary.nc")]
)
def test_command__writes_one_file_where_it_is_told(chipcast, published, tmp_path, format, package, name):
    pytest.importorskip(package)
    ended = chipcast("export", published, "--format", format)
    assert (ended.code, ended.out.strip()) == (0, str(published / "report" / name))
    (tmp_path / "folder").mkdir()
    for to, path in (("folder", f"folder/{name}"), (f"new/a{name}", f"new/a{name}")):
        ended = chipcast("export", published, "--format", format, "--to", tmp_path / to, "--json")
        assert json.loads(ended.out) == [str(tmp_path / path)]
        assert (tmp_path / path).read_bytes() == (published / "report" / name).read_bytes()
    assert verify(published) > 0  # what lies in its report folder is no part of a run


def test_command__csv_is_what_it_was(chipcast, published, tmp_path):
    plain = chipcast("export", published, "--to", tmp_path / "a")
    named = chipcast("export", published, "--to", tmp_path / "b", "--format", "csv")
    assert plain.out == f"6 tables in {tmp_path / 'a'}\n"
    assert named.code == 0
    files = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert len(files) == 7
    assert all((tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes() for name in files)


def test_command__says_what_is_wrong_in_one_line(chipcast, published, tmp_path, monkeypatch):
    pytest.importorskip("pyarrow")
    assert chipcast("export", published, "--format", "excel").code == 2
    ended = chipcast("export", published, "--format", "parquet", "--to", tmp_path / "a.csv")
    assert (ended.code, ended.err.count("\n")) == (3, 1)
    assert "does not end in .parquet" in ended.err
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    ended = chipcast("export", published, "--format", "parquet")
    assert (ended.code, ended.err.count("\n")) == (3, 1)
    assert "chipcast[tables]" in ended.err
