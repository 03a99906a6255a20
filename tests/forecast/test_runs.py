"""From a book to a stored run: the Python interface, and what running again does."""

import doctest
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr

import sim
from sim import cells, devices, forecast, world
from sim.book.load import load, priors_folder
from sim.engine import Engine
from sim.errors import BookError, DeviceError, IntegrityError, RefusedError
from sim.forecast import counting

README = Path(__file__).parents[2] / "README.md"
SUMMARY = (
    "prior",
    "prior_predictive/year",
    "prior_predictive/quarter",
    "prior_predictive/fiscal_year",
    "observed_data",
)


class SimulatedError(Exception):
    """Raised where a test says that nothing may be simulated."""


@pytest.fixture
def stopped(monkeypatch):
    """From here on any simulation stops the test."""

    def sampled(*arguments, **words):
        raise SimulatedError

    monkeypatch.setattr(Engine, "_sampled", sampled)


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    """Waiting for the disk shows nothing here."""
    monkeypatch.setattr("os.fsync", lambda handle: None)


def same(one: xr.DataTree, other: xr.DataTree) -> bool:
    """Whether two summaries hold the same names and bits."""
    for group in SUMMARY:
        first, second = one[group].to_dataset(), other[group].to_dataset()
        if set(first.variables) != set(second.variables):
            return False
        for name, variable in first.variables.items():
            a, b = variable.values, second.variables[name].values
            equal = np.array_equal(a, b, equal_nan=True) if a.dtype.kind == "f" else a.tolist() == b.tolist()
            if not (equal and variable.dims == second.variables[name].dims):
                return False
    return True


def config_of(world, seed, **asked):
    """The question that a run answers, on the CPU."""
    return forecast.run_config(world, seed, devices.mesh("cpu"), **asked)


def figure(tree: xr.DataTree, output: str, quantile: float = 0.5, **labels: str) -> float:
    return float(tree["prior_predictive/year"][output].sel(labels).sel(quantile=quantile))


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def test_sim__the_examples_of_its_docstring_run(base_run):
    examples = doctest.DocTestParser().get_examples(sim.__doc__)
    names: dict = {}
    for example in examples[:2]:
        exec(example.source, names)
    assert names["world"].book.priors["capex_drift"].table[()].p95 == 0.4
    names["tree"] = base_run.tree
    value = eval(examples[-1].source, names)
    assert value.shape == ()
    assert 100 < float(value) < 1000


def test_sim__has_load_run_open_and_resume_and_nothing_else():
    assert (sim.load, sim.run, sim.open, sim.resume) == (forecast.load, forecast.run, forecast.open_, forecast.resume)
    with pytest.raises(AttributeError, match="no attribute 'lode'"):
        sim.lode  # noqa: B018


def test_sim__is_imported_without_the_heavy_packages():
    code = "import sim, sys; print([name for name in ('jax', 'xarray', 'matplotlib', 'scipy') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_run__stored_and_unstored_are_the_same_numbers(base_run):
    seen = []
    tree = sim.run(base_run.world, draws=4096, seed=7, progress=lambda done, still: seen.append((done, still)))
    assert seen[-1] == (4096, "")
    assert seen == sorted(seen)
    assert same(tree, base_run.tree)
    assert "commit" not in tree.attrs
    shared = ("scenario", "as_of", "draws", "seed", "sampler", "stream_version", "book_sha256")
    assert all(tree.attrs[key] == base_run.tree.attrs[key] for key in shared)


def test_open__gives_the_run_again(base_run):
    assert same(sim.open(base_run.folder), base_run.tree)
    assert same(sim.open(str(base_run.folder)), base_run.tree)


def test_open__plain_xarray_reads_summary_and_parts(base_run):
    plain = xr.open_datatree(base_run.folder / "summary", engine="zarr", consolidated=False)
    assert same(plain, base_run.tree)
    parts = sorted((base_run.folder / "parts").glob("*-*[0-9]"), key=lambda path: int(path.name.split("-")[0]))
    assert [part.name for part in parts] == ["0-2047", "2048-4095"]
    second = xr.open_datatree(parts[1], engine="zarr", consolidated=False)
    joined = base_run.tree["draws"]["revenue"].isel(draw=slice(2048, None))
    assert second["draw"].values[[0, -1]].tolist() == [2048, 4095]
    assert (second["revenue"].values == joined.values).all()


def test_run__asked_again_opens_the_finished_run(base_run, stopped):
    tree = sim.run(sim.load("base"), draws=4096, seed=7, out=base_run.folder.parent)
    assert tree.attrs["commit"] == base_run.tree.attrs["commit"]
    kept = sim.run(base_run.world, draws=4096, seed=7, out=base_run.folder.parent, keep_draws=True)
    assert kept["draws"].sizes["draw"] == 4096


@pytest.mark.parametrize("asked", [{"seed": 8}, {"draws": 6144}, {"fresh": True}, {"world": "dear"}])
def test_run__another_question_is_simulated(base_run, stopped, asked):
    asked_of = sim.load("base", overrides={"price.b200.p90": 50}) if "world" in asked else base_run.world
    words = {"draws": 4096, "seed": 7, "out": base_run.folder.parent} | asked
    words.pop("world", None)
    before = files(base_run.folder.parent)
    with pytest.raises(SimulatedError):
        sim.run(asked_of, **words)
    assert files(base_run.folder.parent) == before  # and a failure leaves nothing behind


@pytest.fixture(scope="module")
def short_run(base_run, tmp_path_factory):
    """The first 2,048 draws of the base run, stored without them."""
    out = tmp_path_factory.mktemp("short") / "runs"
    return out, sim.run(base_run.world, draws=2048, seed=7, out=out)


@pytest.fixture
def short(short_run, tmp_path):
    """A copy of the short run that a test may change: its parent folder and its tree."""
    out, tree = short_run
    shutil.copytree(out, tmp_path / "runs")
    return tmp_path / "runs", tree


def test_run__more_draws_and_kept_ones_go_on_in_the_same_run(base_run, short):
    out, fewer = short
    assert "draws" not in fewer.children
    more = sim.run(base_run.world, draws=3000, seed=7, out=out, keep_draws=True)
    assert (more.attrs["run"], more.attrs["draws"]) == (fewer.attrs["run"], 3000)
    drawn = more["draws"]["h100e"].load()
    assert drawn.sizes["draw"] == 3000
    assert (drawn.values == base_run.tree["draws"]["h100e"].isel(draw=slice(3000)).values).all()
    mean = drawn.isel(draw=slice(2048)).astype(float).mean("draw")  # the first 2,048 are those of before
    before = fewer["prior_predictive/year"]["h100e_mean"]
    np.testing.assert_allclose(mean.transpose(*before.dims), before, rtol=1e-5, atol=1e-7)


def test_run__a_damaged_run_is_refused_when_opened_and_made_again_when_asked(base_run, short):
    out, first = short
    folder = out / first.attrs["run"]
    chunk = max((folder / "summary").rglob("c.*"), key=lambda path: path.stat().st_size if path.is_file() else 0)
    data = bytearray(chunk.read_bytes())
    data[len(data) // 2] ^= 1
    chunk.write_bytes(data)
    with pytest.raises(IntegrityError) as caught:
        sim.open(folder)
    assert caught.value.exit_code == 4
    again = sim.run(base_run.world, draws=2048, seed=7, out=out)
    assert same(first, again)
    assert first.attrs["run"] == again.attrs["run"]
    assert first.attrs["commit"] != again.attrs["commit"]
    assert same(sim.open(folder), first)


@pytest.mark.parametrize("draws", [1, 0, -5, 2.5, "100", None, 2**53 + 1, 10**40])
def test_run__refuses_a_number_of_draws_that_is_none(base_run, tmp_path, draws):
    with pytest.raises(BookError, match="whole number from 2 to"):
        sim.run(base_run.world, draws=draws, out=tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_run__refuses_to_keep_a_billion_draws_and_takes_them_without(base_run, tmp_path, stopped):
    with pytest.raises(RefusedError, match=r"at most [\d,]+ draws") as caught:
        sim.run(base_run.world, draws=10**9, out=tmp_path / "runs", keep_draws=True)
    assert caught.value.exit_code == 3
    with pytest.raises(SimulatedError):
        sim.run(base_run.world, draws=10**9, out=tmp_path / "runs")
    assert [path.name for path in (tmp_path / "runs").iterdir() if path.is_dir()] == [".staging"]


def test_run__refuses_to_keep_more_draws_than_the_disk_holds(base_run, tmp_path, monkeypatch, stopped):
    total = sum(len(table.labels) * len(table.periods) for table in cells.tables(base_run.world).values())
    free = 10_000 * 4 * total
    monkeypatch.setattr("shutil.disk_usage", lambda path: SimpleNamespace(free=free))
    with pytest.raises(RefusedError, match=r"keep at most 9,000 draws") as caught:
        sim.run(base_run.world, draws=9001, out=tmp_path / "new" / "runs", keep_draws=True)
    assert caught.value.exit_code == 3
    assert not (tmp_path / "new").exists()
    with pytest.raises(SimulatedError):
        sim.run(base_run.world, draws=9000, out=tmp_path / "new" / "runs", keep_draws=True)


def test_run_config__every_belief_and_seed_is_another_question(base_run):
    base = config_of(base_run.world, 0)
    assert base == config_of(sim.load("base"), 0)
    seeds = [config_of(base_run.world, seed) for seed in (1, -1, 2**32, 2**64, 2**200, -(2**200))]
    changes = ({"capex_drift.p95": 0.4}, {"horizon": "2029Q4"})
    beliefs = [config_of(sim.load("base", overrides=change), 0) for change in changes]
    everything = [base, *seeds, *beliefs]
    assert all(one != other for i, one in enumerate(everything) for other in everything[:i])
    assert "scenario" not in base  # a label is no part of the question


def test_load__an_override_moves_what_it_should_and_nothing_before(base_run):
    tree = sim.run(sim.load("base", overrides={"capex_drift.p95": 0.45}), draws=4096, seed=7)
    prior = float(tree["prior"]["capex_drift"].sel(quantile=0.95))
    assert prior == pytest.approx(0.45)
    base = base_run.tree
    # the median drift rises by 0.039 a year: by 2030 up to 1.17 times as much is intended, of which cash bears a part
    levels = [figure(t, "capex", 0.5, capex_buyer="total", year="2030") for t in (tree, base)]
    assert 1.02 < levels[0] / levels[1] < 1.17
    for output in ("h100e", "revenue", "units"):  # the same random numbers: what was sold does not move
        sold = [t["prior_predictive/year"][output].sel(year=["2022", "2023", "2024"]).values for t in (tree, base)]
        np.testing.assert_allclose(*sold, rtol=1e-6)
    assert figure(tree, "h100e", 0.95, supplier="total", year="2029") > figure(
        base, "h100e", 0.95, supplier="total", year="2029"
    )


# --- a finished run and what is asked of it --------------------------------------------------------------------------


def test_run__that_met_its_targets_is_opened_when_asked_again(base_run, tmp_path, monkeypatch):
    monkeypatch.setattr(counting, "FIRST_LOOK", 512)
    calls, sampled = [], Engine._sampled
    monkeypatch.setattr(Engine, "_sampled", lambda *given: calls.append(1) or sampled(*given))
    asked = {"draws": 10**9, "seed": 7, "until": ["p50:revenue[nvidia,2027] < 3%"], "out": tmp_path / "runs"}
    first = sim.run(base_run.world, **asked)
    assert 512 <= first.attrs["draws"] < 4096
    made = len(calls)
    again = sim.run(base_run.world, **asked)
    assert len(calls) == made > 0
    assert again.attrs["commit"] == first.attrs["commit"]
    stricter = sim.run(base_run.world, **asked | {"until": ["p50:revenue[nvidia,2027] < 1%"]})
    assert len(calls) > made
    assert stricter.attrs["draws"] > first.attrs["draws"]


CELLS = {
    "revenue[nvidia,2027]": ("year", "revenue", {"supplier": "nvidia", "year": "2027"}),
    "h100e[total,2030]": ("year", "h100e", {"supplier": "total", "year": "2030"}),
    "revenue[amd,2027Q3]": ("quarter", "revenue", {"supplier": "amd", "time": "2027-09-30"}),
    "fiscal_revenue[nvidia,FY2027]": (
        "fiscal_year",
        "fiscal_revenue",
        {"fiscal_supplier": "nvidia", "fiscal_year": "FY2027"},
    ),
}


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("figure", ["mean", "p50", "p95"])
def test_run__is_opened_where_its_own_error_is_as_small_as_wanted(
    base_run, short_run, monkeypatch, stopped, cell, figure
):
    """Just as small, and not where it is a little greater."""
    out, tree = short_run
    monkeypatch.setattr(counting, "FIRST_LOOK", 2048)
    group, name, labels = CELLS[cell]
    table = tree[f"prior_predictive/{group}"].to_dataset().sel(labels)
    if figure == "mean":
        error = float(table[f"{name}_mean_error"] / table[f"{name}_mean"])
    else:
        level = int(figure[1:]) / 100
        error = float((table[f"{name}_error"] / table[name]).sel(quantile=level))
    asked = {"draws": 4096, "seed": 7, "out": out}
    opened = sim.run(base_run.world, until=[f"{figure}:{cell} < {error * 1.001}"], **asked)
    assert opened.attrs["commit"] == tree.attrs["commit"]
    with pytest.raises(SimulatedError):
        sim.run(base_run.world, until=[f"{figure}:{cell} < {error * 0.999}"], **asked)


MET = "p50:revenue[nvidia,2027] < 50%"


@pytest.mark.parametrize(
    ("look", "asked"),
    [
        (4096, {"until": [MET]}),  # the error of few draws is not trusted: a run would look later first
        (2048, {"until": []}),
        (2048, {"until": [MET, "p50:revenue[nvidia,2027] < 0.01%"]}),
        (2048, {"until": [MET], "keep_draws": True}),
        (2048, {"until": [MET], "fresh": True}),
        (2048, {"until": [MET], "seed": 8}),
    ],
)
def test_run__with_targets_that_a_finished_run_does_not_answer_is_simulated(
    base_run, short_run, monkeypatch, stopped, look, asked
):
    monkeypatch.setattr(counting, "FIRST_LOOK", look)
    with pytest.raises(SimulatedError):
        sim.run(base_run.world, **{"draws": 4096, "seed": 7, "out": short_run[0]} | asked)


@pytest.fixture(scope="module")
def own_priors(tmp_path_factory):
    """The README's tutorial as a folder outside the repository: the cast in one file, the beliefs in another."""
    text = re.search(r"<!-- tutorial: \S+ -->\n```yaml\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)[1]
    cast, beliefs = text.split("owner_weight:", maxsplit=1)
    folder = tmp_path_factory.mktemp("desk") / "mine"
    folder.mkdir()
    (folder / "world.yaml").write_text(cast, encoding="utf-8")
    (folder / "beliefs.yaml").write_text(f"owner_weight:{beliefs}", encoding="utf-8")
    return folder


def test_load__a_folder_outside_the_repository_adds_a_buyer_and_a_chip(own_priors, tmp_path):
    tree = sim.run(sim.load(own_priors), draws=2048, out=tmp_path / "runs")
    assert tree.attrs["scenario"] == "mine"
    assert "apple" in tree["prior_predictive/year"]["buyer"].values
    assert figure(tree, "chip_units", 0.95, chip="b30a", year="2025") == 0
    assert figure(tree, "chip_units", 0.05, chip="b30a", year="2028") > 0.05
    bought = figure(tree, "accelerator_spend", 0.5, buyer="apple", year="2025")
    sold = figure(tree, "revenue", 0.5, supplier="nvidia", year="2025")
    assert 0.003 * sold < bought < 0.015 * sold  # owner_weight, as the folder believes it
    year = tree["prior_predictive/year"].to_dataset()
    means = year["accelerator_spend_mean"]
    np.testing.assert_allclose(
        means.drop_sel(buyer="total").sum("buyer"), year["revenue_mean"].sel(supplier="total"), rtol=1e-4
    )
    assert same(sim.open(tmp_path / "runs" / tree.attrs["run"]), tree)


def test_load__a_folder_and_a_file_with_the_same_beliefs_are_the_same_book(own_priors, tmp_path):
    whole = tmp_path / "mine.yaml"
    whole.write_text("".join((own_priors / f"{name}.yaml").read_text() for name in ("world", "beliefs")))
    assert sim.load(whole).book.digest == sim.load(own_priors).book.digest != sim.load().book.digest


def test_load__another_history_is_another_question(base_run, tmp_path):
    folder = tmp_path / "history"
    shutil.copytree(priors_folder() / "history", folder)
    path = folder / "capex.csv"
    path.write_text(path.read_text().replace(",21.383,", ",21.384,"))
    corrected = config_of(world.build(load(), folder), 0)
    base = config_of(base_run.world, 0)
    assert {key for key in base if base[key] != corrected[key]} == {"history"}


# --- what a run is asked of devices, quantiles and draws -------------------------------------------------------------


def test_run__kept_draws_have_the_summarys_exact_quantiles(base_run, tmp_path):
    tree = sim.run(base_run.world, draws=1000, seed=7, out=tmp_path / "runs", keep_draws=True, exact_quantiles=True)
    year, draws = tree["prior_predictive/year"].to_dataset(), tree["draws"].to_dataset()
    for name in ("revenue", "chip_units", "shortfall", "h100e_growth"):
        kept = draws[name].load()
        expected = np.quantile(kept.values.astype(np.float64), year["quantile"].values, axis=-1).astype(np.float32)
        np.testing.assert_array_equal(year[name].transpose("quantile", *kept.dims[:-1]).values, expected, err_msg=name)
    assert tree.attrs["run"] != base_run.tree.attrs["run"]  # counted quantiles are another question


def test_run_config__thresholds_exact_quantiles_and_the_sampler_are_another_question(base_run):
    base = config_of(base_run.world, 0)
    others = [
        config_of(base_run.world, 0, thresholds=("revenue[nvidia,2027] > 400",)),
        config_of(base_run.world, 0, exact_quantiles=True),
        config_of(base_run.world, 0, sampler="sobol"),
    ]
    everything = [base, *others]
    assert all(one != other for i, one in enumerate(everything) for other in everything[:i])


@pytest.mark.parametrize("device", ["gpu", "tpu"])
def test_run__a_missing_device_is_a_device_error(base_run, tmp_path, device, stopped):
    with pytest.raises(DeviceError, match=f"JAX finds no {device}") as caught:
        sim.run(base_run.world, draws=256, device=device, out=tmp_path / "runs")
    assert caught.value.exit_code == 6
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("wrong", [{"until": ["p95:revenue[nvidai,2027] < 1%"]}, {"thresholds": ["revenu > 4"]}])
def test_run__targets_are_read_before_anything_is_simulated(base_run, tmp_path, wrong, stopped):
    with pytest.raises(BookError):
        sim.run(base_run.world, draws=256, out=tmp_path / "runs", **wrong)
    assert not (tmp_path / "runs").exists()


@pytest.fixture
def broken(base_run, monkeypatch):
    """An engine of 600 draws whose draw 301 has no capex growth, and what is counted of it."""
    row = [entry.stream for entry in base_run.world.entries].index("capex_drift")
    sampled = Engine._sampled

    def without(self, group):
        values = np.array(sampled(self, group))
        values[group == 1, row, 301 - 256] = np.nan
        return values

    monkeypatch.setattr(Engine, "_sampled", without)
    return base_run.world


def test_run__a_draw_that_is_not_finite_is_named_with_its_place_and_nothing_is_stored(broken, tmp_path):
    with pytest.raises(IntegrityError) as caught:
        sim.run(broken, draws=600, seed=7, out=tmp_path / "runs")
    said = str(caught.value)
    assert caught.value.code == "run-not-finite"
    assert re.search(r"\w+\[\w+, \d{4}Q\d\] of draw 301 is nan; furthest out in it: ", said), said
    assert "nothing was published" in said
    assert [path.name for path in (tmp_path / "runs").iterdir() if path.is_dir()] == [".staging"]
