import json
import re
import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from sim.errors import ChipcastError, IntegrityError, RefusedError
from sim.store import FORMAT_VERSION, list_runs, open_run, publish, read_commit, read_record, run_folder, run_id, verify
from sim.store.records import Commit, canonical, sha256


def test_run_id__is_the_config_s_hash_whatever_its_order():
    assert run_id({"seed": 0, "as_of": "2026-02-28"}) == run_id({"as_of": "2026-02-28", "seed": 0})
    assert run_id({"seed": 0}) != run_id({"seed": 1})
    assert run_id({"seed": 0}) == "bd0488843468"


def test_run_id__refuses_nan():
    with pytest.raises(ValueError, match="JSON"):
        run_id({"seed": float("nan")})


@pytest.mark.parametrize(
    "name", ["../x", "/etc/passwd", "a/b", "A", "", ".", "..", "con.txt", "a" * 300, "-rf", "a\n", "ü"]
)
def test_run_folder__refuses_hostile_names(tmp_path, name):
    with pytest.raises(RefusedError, match="no run id"):
        run_folder(tmp_path, name)


def test_open_run__gives_back_what_was_published(published, tree):
    found = open_run(published)
    for node in tree.subtree:
        for name, variable in node.variables.items():
            got = found[node.path].variables[name]
            assert got.dims == variable.dims
            assert got.attrs == variable.attrs
            assert np.array_equal(got.values, variable.values, equal_nan=variable.dtype.kind == "f")
            assert got.dtype.kind == "T" if variable.dtype.kind == "U" else got.dtype == variable.dtype


def test_open_run__says_where_the_numbers_come_from(published):
    attrs = open_run(published).attrs
    assert attrs["commit"] == read_commit(published).hash
    assert (attrs["run"], attrs["draws"], attrs["seed"], attrs["device"]) == (published.name, 100, 0, "cpu")
    assert "jaxlib-" in attrs["versions"]


def test_summary__opens_in_plain_xarray_without_a_warning(published):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        tree = xr.open_datatree(published / "summary", engine="zarr", consolidated=False)
        revenue = tree["prior_predictive/revenue"].sel(supplier="Ünïcødé", time="2026Q3", quantile=0.5)
        assert revenue.attrs == {"units": "bn USD", "long_name": "revenue"}
        assert revenue.item() > 0


def test_summary__a_missing_chunk_of_floats_is_nan_for_plain_xarray(published):
    for chunk in (published / "summary/prior_predictive/shortfall").glob("c*"):
        if chunk.is_file():
            chunk.unlink()
    plain = xr.open_datatree(published / "summary", engine="zarr", consolidated=False)
    assert plain["prior_predictive/shortfall"].isnull().all()


def test_files__hold_checksums_and_no_machine_path(published):
    text = b"".join(path.read_bytes() for path in published.rglob("*.json"))
    assert str(published.parent).encode() not in text
    metadata = json.loads((published / "parts/0-19/revenue/zarr.json").read_bytes())
    inner = metadata["codecs"][0]["configuration"]
    assert inner["codecs"][-1]["configuration"]["checksum"] is True
    assert len(list((published / "parts/0-19/revenue/c").rglob("0"))) == 3  # one shard, in two folders


def test_draws__join_lazily_over_parts(published):
    revenue = open_run(published)["draws/revenue"]
    assert revenue.sizes == {"supplier": 5, "time": 4, "draw": 30}
    assert not revenue.variable._in_memory
    assert revenue[0, 0].values.tolist() == list(range(30))
    assert revenue.sel(draw=[3, 25, 4])[1, 0].values.tolist() == [3, 25, 4]
    assert revenue[1, 0, ::-7].values.tolist() == [29, 22, 15, 8, 1]
    assert revenue[1, 2, 25].item() == pytest.approx(25.2)
    assert revenue[:, 1, 18:22].values.shape == (5, 4)
    assert revenue[:, :, :0].values.shape == (5, 4, 0)
    assert revenue.mean().item() == pytest.approx(14.65)


def test_draws__replaced_after_opening_are_an_error_not_nan(published):
    revenue = open_run(published)["draws/revenue"]
    shutil.rmtree(published / "parts/20-29")
    assert revenue[0, 0, :20].values.tolist() == list(range(20))
    with pytest.raises(IntegrityError, match="missing"):
        revenue[0, 0, :21].load()


def test_verify__counts_the_files_of_a_whole_run(published):
    files = [path for path in published.rglob("*") if path.is_file()]
    assert verify(published) == len(files) - 2  # all but LOCK and the log


def members(folder: Path) -> list[Path]:
    others = ("LOCK", "COMMIT.json", "log.jsonl")
    return sorted(path for path in folder.rglob("*") if path.is_file() and path.name not in others)


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


@pytest.mark.parametrize("harm", [flip, truncate, Path.unlink])
def test_verify__finds_harm_to_any_file(published, harm):
    for path in members(published):
        data = path.read_bytes()
        harm(path)
        with pytest.raises(IntegrityError) as error:
            verify(published)
        assert error.value.exit_code == 4
        if path.name != "request.json" and (harm is not flip or "parts" not in path.parts):
            with pytest.raises(IntegrityError):
                open_run(published)
        path.write_bytes(data)
    assert verify(published) > len(members(published))


def test_verify__finds_swapped_files(published):
    chunks = [published / "parts" / name / "revenue/c/0/0/0" for name in ("0-19", "20-29")]
    for chunk, data in zip(chunks, [chunk.read_bytes() for chunk in reversed(chunks)], strict=True):
        chunk.write_bytes(data)
    with pytest.raises(IntegrityError, match="0-19/revenue"):
        verify(published)


def test_open_run__refuses_a_part_of_another_run(published, run, trees, part):
    other = publish(published.parent, run | {"config": {"seed": 9}}, trees(), [part(0, 19)], draws=100)
    shutil.rmtree(published / "parts/0-19")
    shutil.copytree(other / "parts/0-19", published / "parts/0-19")
    with pytest.raises(IntegrityError, match="parts/0-19 is not the one committed"):
        open_run(published)


def test_open_run__refuses_added_files_and_links(published, tmp_path):
    (published / "summary/prior_predictive/extra").mkdir()
    (published / "summary/prior_predictive/extra/zarr.json").write_text("{}")
    with pytest.raises(IntegrityError, match="does not belong there"):
        open_run(published)


@pytest.mark.parametrize("name", ["summary", "COMMIT.json", "parts", "parts/0-19", "summary/zarr.json", "report"])
def test_open_run__refuses_symbolic_links(published, tmp_path, name):
    path = published / name
    if path.exists():
        path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(IntegrityError, match="link"):
        open_run(published)


def test_open_run__refuses_a_linked_run(published):
    link = published.with_name("latest")
    link.symlink_to(published)
    with pytest.raises(IntegrityError, match="link"):
        open_run(link)


def test_open_run__refuses_a_newer_format_with_the_reason(published):
    commit = json.loads((published / "COMMIT.json").read_bytes())
    (published / "COMMIT.json").write_text(json.dumps(commit | {"format_version": FORMAT_VERSION + 1, "shape": "new"}))
    with pytest.raises(RefusedError, match=f"format {FORMAT_VERSION + 1}") as error:
        open_run(published)
    assert error.value.exit_code == 3


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "null", '{"format_version": 1}', '{"format_version": "1"}', "[" * 100_000, "\xff", "NaN"]
)
def test_open_run__refuses_a_commit_that_says_nothing(published, text):
    (published / "COMMIT.json").write_text(text)
    with pytest.raises(IntegrityError, match="cannot be read"):
        open_run(published)


def test_open_run__refuses_an_edited_commit(published):
    commit = json.loads((published / "COMMIT.json").read_bytes())
    commit["draws"]["done"] += 1
    (published / "COMMIT.json").write_text(json.dumps(commit))
    with pytest.raises(IntegrityError, match="edited"):
        open_run(published)


def test_open_run__says_what_is_no_run(tmp_path):
    with pytest.raises(ChipcastError, match="no run") as error:
        open_run(tmp_path / "nothing")
    assert error.value.exit_code == 2
    with pytest.raises(IntegrityError, match="never published"):
        open_run(tmp_path)


def test_commit__holds_its_own_hash(published):
    commit = read_commit(published)
    stored = json.loads((published / "COMMIT.json").read_bytes())
    assert stored.pop("hash") == sha256(canonical(stored)) == commit.hash
    assert isinstance(commit, Commit)
    assert (commit.draws.done, commit.draws.total, commit.format_version) == (100, 100, FORMAT_VERSION)
    assert [(part.first, part.last) for part in commit.parts] == [(0, 19), (20, 29)]


def test_read_record__holds_the_config_and_the_versions(published, run):
    record = read_record(published)
    assert record["config"] == run["config"]
    assert record["config_sha256"].startswith(published.name)
    assert record["versions"].keys() == {"python", "chipcast", "jax", "jaxlib", "numpy", "xarray", "zarr"}
    assert record["format_version"] == FORMAT_VERSION


def test_list_runs__shows_whole_runs_and_says_what_is_wrong_with_others(published, run, trees):
    out = published.parent
    damaged = publish(out, run | {"config": {"seed": 2}}, trees(), draws=5)
    truncate(damaged / "summary/zarr.json")
    (out / "unfinished").mkdir()
    (out / "unfinished/LOCK").touch()
    rows = {row["id"]: row for row in list_runs(out)}
    of_zarr = re.compile(r"/zarr\.json$|/c([./]|$)").search
    size = sum(path.stat().st_size for path in members(published) if of_zarr(path.as_posix()))
    good = {"id": published.name, "scenario": "base", "as_of": "2026-02-28", "draws": 100, "asked": 100}
    good |= {"size": size, "problem": ""}
    assert rows[published.name] | good == rows[published.name]
    assert "store-damaged" in rows[damaged.name]["problem"]
    assert "store-unfinished" in rows["unfinished"]["problem"]


def test_list_runs__of_nothing_is_empty(tmp_path):
    assert list_runs(tmp_path / "absent") == []
    assert list_runs(tmp_path) == []
