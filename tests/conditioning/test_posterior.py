"""The posterior of a world: its groups, its figures against plain NumPy, storing, and what is refused."""

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import xarray as xr
from rich.console import Console

from sim import address, conditioning, devices, headline, score, store
from sim.conditioning import Observation, posterior, read, tempering
from sim.conditioning.observations import log_likelihood, quantities, residuals
from sim.conditioning.page import changes
from sim.conditioning.posterior import condition
from sim.conditioning.sample import quantiles
from sim.conditioning.weights import FEW, Thinned, weigh
from sim.distributions import Fixed
from sim.engine import Engine
from sim.ensemble import ensemble
from sim.errors import BookError, IntegrityError, Place, RefusedError

DRAWS = 2_048
TRUTH = (
    *(19.394, 23.953, 35.095 * 128.32 / 131.819, 18.829, 29.876, 27.851, 39.522 * 128.32 / 131.819, 21.383),
    *(51.2, 62.3),
)
"""Figures of late 2025 as in priors/history, Amazon's on the net definition of its year, 128.32 of 131.819 gross."""


@pytest.fixture(autouse=True, scope="module")
def _no_waiting_for_the_disk():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.fsync", lambda handle: None)
        yield


def seen(*rows):
    """Observations (metric, entity, period, value, error)."""
    return [Observation(*row, Place("seen.csv", i)) for i, row in enumerate(rows, start=2)]


MILD = seen(("capex", "reported", "2026Q1", 150.0, 20.0), ("revenue", "nvidia", "2026H1", 150.0, 20.0))
TIGHT = seen(("capex", "reported", "2026Q1", 150.0, 2.0), ("revenue", "nvidia", "2026H1", 150.0, 2.0))


def told(tree, name, label, year):
    """A cell's variable after the observations."""
    return tree["posterior_predictive/year"][name].sel(supplier=label, year=year)


class Found(NamedTuple):
    """A posterior and the folder it is stored in."""

    tree: xr.DataTree
    folder: Path


@pytest.fixture(scope="module")
def tree(found):
    return found.tree


@pytest.fixture(scope="module")
def found(base_world, tmp_path_factory):
    """The base book conditioned on two mild observations, stored."""
    out = tmp_path_factory.mktemp("runs") / "runs"
    tree = condition(base_world, MILD, draws=DRAWS, seed=3, out=out)
    return Found(tree, out / tree.attrs["run"])


@pytest.fixture(scope="module")
def drawn(base_world):
    """The observed quantities and every belief of the same draws."""
    return ensemble(base_world, quantities(base_world, MILD), draws=DRAWS, seed=3, beliefs=True)


@pytest.fixture(scope="module")
def cells(base_world):
    engine = Engine(base_world, 3, devices.mesh())
    return np.concatenate([made for _, made in engine.cells_of(engine.blocks_of(0, DRAWS), DRAWS)], axis=1)


@pytest.fixture(scope="module")
def weights(drawn):
    return weigh(log_likelihood(residuals(MILD, drawn.quantities))).weights


def test_condition__has_the_groups_of_a_run_and_of_its_posterior(tree):
    assert {node.path for node in tree.subtree} == {
        *("/", "/prior", "/posterior", "/posterior/moved", "/observed_data", "/observed_data/observations"),
        *(f"/{when}_predictive{part}" for when in ("prior", "posterior") for part in ("", "/quarter", "/year")),
        *("/prior_predictive/fiscal_year", "/posterior_predictive/fiscal_year"),
    }
    for part in ("quarter", "year", "fiscal_year"):
        before, after = (tree[f"{when}_predictive/{part}"] for when in ("prior", "posterior"))
        assert set(before.data_vars) == set(after.data_vars)
        assert all(before[name].sizes == after[name].sizes for name in before.data_vars)
        assert all(before[name].attrs == after[name].attrs for name in before.data_vars)
    for name, prior in tree["prior"].data_vars.items():
        assert tree["posterior"][name].dims == prior.dims
        assert tree["posterior"][name].attrs["units"] == prior.attrs["units"]


@pytest.mark.parametrize("text", ["revenue[nvidia,2027]", "h100e[total,2028]", "units[amd,2026]"])
def test_condition__figures_are_weighted_draws(base_world, tree, cells, weights, text):
    cell = address.parse(base_world, text)
    values = cells[cell.place].astype(np.float64)
    mean = values @ weights
    assert float(told(tree, f"{cell.output}_mean", cell.label, cell.period)) == pytest.approx(mean, rel=1e-5)
    sd = np.sqrt((values - mean) ** 2 @ weights)
    assert float(told(tree, f"{cell.output}_sd", cell.label, cell.period)) == pytest.approx(sd, rel=1e-4)
    levels = told(tree, cell.output, cell.label, cell.period)["quantile"].values.tolist()
    expected = score.quantiles(values[None], levels, weights)[:, 0]
    np.testing.assert_allclose(told(tree, cell.output, cell.label, cell.period).values, expected, rtol=1e-5)
    before = tree["prior_predictive/year"][f"{cell.output}_mean"].sel(supplier=cell.label, year=cell.period)
    assert float(before) == pytest.approx(values.mean(), rel=1e-5)


def test_condition__beliefs_are_weighted_draws(base_world, tree, drawn, weights):
    """Quantiles under each prior's own labels, and the mean, sd and shift of each belief, from the draws by name."""
    rows = {}
    for row, entry in enumerate(base_world.entries):
        rows.setdefault(entry.stream.partition("[")[0], []).append(row)
    for name, prior in tree["posterior"].data_vars.items():
        middle = quantiles(drawn.beliefs[rows[name]], np.array([0.5]), weights)[0]
        np.testing.assert_allclose(prior.sel(quantile=0.5).values.ravel(), middle, rtol=1e-6)
    moved, values = tree["posterior/moved"], drawn.beliefs.astype(np.float64)
    mean = values @ weights
    sd = np.sqrt(((values - mean[:, None]) ** 2) @ weights)
    np.testing.assert_allclose(moved["mean"], mean, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(moved["sd"], sd, rtol=1e-6, atol=1e-5)
    random = np.array([not isinstance(entry.distribution, Fixed) for entry in base_world.entries])
    before, sd_before = values[random].mean(axis=1), values[random].std(axis=1)
    np.testing.assert_allclose(moved["shift"][random], (mean[random] - before) / sd_before, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(moved["sd_ratio"][random], sd[random] / sd_before, rtol=1e-6)
    assert (moved["shift"][~random] == 0).all()
    first = list(tree["posterior/moved"]["belief"].values).index("guidance_beat[alphabet]")
    assert base_world.entries[first].stream == "guidance_beat[alphabet]"


def test_gathered__are_the_draws_named(base_world, drawn, cells):
    """Some draws of several blocks, none of one block, and those of two samples at once."""
    some, others = np.array([3, 4, 255, 600, 2_047]), np.array([256])
    engine = Engine(base_world, 3, devices.mesh())
    parts = [Thinned(places, np.full(len(places), 1 / len(places))) for places in (some, others)]
    for sample, places in zip(posterior._gathered(engine, DRAWS, parts), (some, others), strict=True):
        np.testing.assert_array_equal(sample.values, drawn.beliefs[:, places])
        np.testing.assert_array_equal(sample.cells, cells[: len(sample.cells), places])
        assert sample.effective == pytest.approx(len(places))


def test_condition__names_the_priors_that_moved(tree):
    moved = changes(tree)
    assert moved
    assert [abs(each.shift) for each in moved] == sorted((abs(each.shift) for each in moved), reverse=True)
    assert all(abs(each.shift) > 4 * each.shift_error for each in moved)
    assert any(each.belief.startswith(("guidance_beat", "capex_", "outlook_", "backlog_start")) for each in moved)
    first = moved[0]
    assert first.shift == pytest.approx((first.mean - first.mean_before) / first.sd_before)


def test_condition__tells_what_the_draws_made_of_the_observations(tree, drawn, weights):
    data = tree["observed_data/observations"]
    assert data["observation"].values.tolist() == [str(each) for each in MILD]
    np.testing.assert_allclose(data["mean_before"], drawn.quantities.mean(axis=1), rtol=1e-9)
    np.testing.assert_allclose(data["mean_after"], drawn.quantities @ weights, rtol=1e-9)
    far = (150 - drawn.quantities.mean(axis=1)) / np.hypot(drawn.quantities.std(axis=1), 20)
    np.testing.assert_allclose(data["surprise"], far, rtol=1e-9)
    assert (data["sd_after"] < data["sd_before"]).all()


def test_condition__on_next_to_nothing_is_the_prior(base_world):
    """Errors of a billion times the value: every figure is the prior's, by the rounding of its storage."""
    flat = condition(base_world, [each._replace(error=1e9 * each.value) for each in MILD], draws=512, seed=3)
    assert flat.attrs["effective_draws"] == 512
    for part in ("quarter", "year", "fiscal_year"):
        xr.testing.assert_allclose(
            flat[f"prior_predictive/{part}"].to_dataset(), flat[f"posterior_predictive/{part}"].to_dataset(), rtol=1e-6
        )
    assert float(np.abs(flat["posterior/moved"]["shift"]).max()) < 1e-9
    assert changes(flat) == []


def test_condition__is_stored_whole(found, tmp_path):
    folder = found.folder
    assert [row["problem"] for row in store.list_runs(folder.parent)] == [""]
    xr.testing.assert_identical(store.open_run(folder), found.tree)
    some = xr.DataTree.from_dict({f"/{name}": found.tree[name] for name in ("posterior/moved", "observed_data")})
    written = {path.name for path in store.to_csv(some, tmp_path / "csv")}
    assert {"posterior-moved-shift.csv", "observed_data-observations-surprise.csv"} <= written


def test_condition__is_a_run_of_its_own_for_each_question(base_world, base_engine):
    def run(observations, engine=base_engine):
        return store.run_id(posterior._config(engine, observations))

    assert run(MILD) == run(MILD[::-1])
    other = [MILD[0]._replace(value=151.0), MILD[1]]
    assert len({run(MILD), run(other), run(MILD[:1]), run(MILD, Engine(base_world, 8, base_engine.on))}) == 4


def test_condition__refuses_somebody_elses_folder_before_it_computes(base_world, tmp_path, monkeypatch):
    (tmp_path / "letter.txt").write_text("mine")
    monkeypatch.setattr(posterior, "read", lambda path: pytest.fail("it went on"))
    with pytest.raises(RefusedError, match="store-foreign-folder"):
        condition(base_world, "seen.csv", out=tmp_path)


def test_condition__refuses_a_handful_of_draws(base_world):
    with pytest.raises(BookError, match="condition-draws"):
        condition(base_world, MILD, draws=FEW - 1)


def test_condition__names_a_quantity_that_is_not_finite(base_world, monkeypatch):
    real = posterior.ensemble

    def holed(*given, **named):
        drawn = real(*given, **named)
        drawn.quantities[1, 5] = np.inf
        return drawn

    monkeypatch.setattr(posterior, "ensemble", holed)
    with pytest.raises(IntegrityError, match=r"revenue\[nvidia,2026H1\] of draw 5"):
        condition(base_world, MILD, draws=512)


def page_of(tree):
    console = Console(width=140, record=True, file=None)
    with console.capture() as shown:
        console.print(conditioning.page(tree))
    return shown.get()


def test_page__shows_before_and_after(tree):
    shown = page_of(tree)
    assert "capex[reported,2026Q1]" in shown
    assert f"{DRAWS:,} draws reweighted are worth {tree.attrs['effective_draws']:,.0f} independent ones" in shown
    assert "rough" not in shown
    told = json.loads(json.dumps(conditioning.as_json(tree), allow_nan=False))
    assert told["method"] == "weights"
    assert [row["value"] for row in told["observations"]] == [150, 150]
    assert len(told["figures"]) == len(headline.rows(tree))
    row = next(
        r for r in told["figures"] if (r["output"], r.get("supplier"), r["period"]) == ("revenue", "nvidia", "2027")
    )
    year = tree["posterior_predictive/year"]["revenue"].sel(supplier="nvidia", year="2027", quantile=0.95)
    assert row["after"]["p95"] == pytest.approx(float(year))
    assert row["before"]["p95"] != row["after"]["p95"]
    assert {change["belief"] for change in told["moved"]} == {change.belief for change in changes(tree)}


def test_condition__marks_every_figure_where_few_draws_are_effective(base_world):
    rough = condition(base_world, [each._replace(error=6.0) for each in MILD], draws=1_024, seed=3)
    assert 50 <= rough.attrs["effective_draws"] < FEW
    assert rough.attrs["method"] == "weights"
    for group in (
        "posterior",
        "posterior/moved",
        *(f"posterior_predictive/{part}" for part in ("quarter", "year", "fiscal_year")),
    ):
        assert all("effective draws" in each.attrs["warning"] for each in rough[group].data_vars.values())
    assert all("effective draws" in row["warning"] for row in conditioning.as_json(rough)["figures"])
    assert page_of(rough).count("effective draws, of 400") == 5


@pytest.fixture(scope="module")
def tempered(base_world):
    """Five hundred particles on observations that weights can just do too."""
    engine, wanted = Engine(base_world, 5, devices.mesh()), quantities(base_world, TIGHT)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(posterior, "PARTICLES", 512)
        return posterior._tempered(engine, TIGHT, wanted, lambda still: None)


def test_tempered__agrees_with_weights(base_world, tempered):
    """Five errors of both: of the observed quantities, and of others that hang on them, as cells and as beliefs."""
    sample, drawn, _ = tempered
    many = ensemble(base_world, quantities(base_world, TIGHT), draws=16_384, seed=3)
    weighing = weigh(log_likelihood(residuals(TIGHT, many.quantities)))
    assert weighing.usable
    mean = many.quantities @ weighing.weights
    sd = np.sqrt((many.quantities - mean[:, None]) ** 2 @ weighing.weights)
    together = np.hypot(1 / np.sqrt(weighing.effective), 1 / np.sqrt(sample.effective))
    np.testing.assert_array_less(np.abs(drawn.mean(axis=1) - mean), 5 * sd * together)
    np.testing.assert_allclose(drawn.std(axis=1), sd, rtol=5 * together)


def test_tempered__cells_are_those_of_its_beliefs(base_world, tempered):
    """The observed quantities, of another program, are sums of the cells."""
    sample, drawn, _ = tempered
    quarters = [address.parse(base_world, f"revenue[nvidia,2026Q{i}]").place for i in (1, 2)]
    np.testing.assert_allclose(sample.cells[quarters].sum(axis=0), drawn[1], rtol=1e-5)


def test_condition__tempers_where_weights_fail(base_world, monkeypatch):
    monkeypatch.setattr(posterior, "PARTICLES", 256)
    monkeypatch.setattr(tempering, "AT_LAST", 1.0)
    said = []
    tree = condition(base_world, TIGHT, draws=512, seed=3, progress=lambda done, still: said.append(still))
    assert tree.attrs["method"] == "tempering"
    assert tree.attrs["weighted_effective_draws"] < 50
    assert tree.attrs["stages"] > 1
    assert any("tempering" in each for each in said)
    data = tree["observed_data/observations"]
    np.testing.assert_allclose(data["mean_after"], 150, atol=4)
    assert (data["sd_after"] < 3).all()
    assert "tempered" in page_of(tree)


def test_condition__refuses_where_particles_do_not_arrive(base_world, monkeypatch, tmp_path):
    monkeypatch.setattr(posterior, "PARTICLES", 256)
    monkeypatch.setattr(tempering, "MOST_STAGES", 1)
    with pytest.raises(RefusedError) as caught:
        condition(base_world, TIGHT, draws=512, seed=3, out=tmp_path / "runs")
    assert caught.value.code == "condition-degenerate"
    assert "widen the errors" in caught.value.remedy
    assert not (tmp_path / "runs").exists()


def test_condition__early_2025_improves_late_2025(vintage):
    """Mean CRPS of ten figures of the third and fourth quarter [bn USD], and in parts of the figures."""
    weights = weigh(log_likelihood(residuals(vintage.observations, vintage.drawn))).weights
    truth = np.array(TRUTH)
    before, after = score.crps(vintage.later, truth), score.crps(vintage.later, truth, weights)
    assert after.mean() < before.mean()
    assert (after / truth).mean() < (before / truth).mean()
    assert (after < before).sum() >= 7


def test_condition__quarters_alone_do_not(vintage):
    """What they do not say: within a guided year the model's path is smooth, and the year 2025 was back-loaded."""
    only = [i for i, each in enumerate(vintage.observations) if each.period in ("2025Q1", "2025Q2", "FY26Q1", "FY26Q2")]
    seen = [vintage.observations[i] for i in only]
    weights = weigh(log_likelihood(residuals(seen, vintage.drawn[only]))).weights
    truth = np.array(TRUTH)
    assert score.crps(vintage.later, truth, weights).mean() > score.crps(vintage.later, truth).mean()


def test_read__of_what_is_shipped_can_be_conditioned_on(vintage, shipped):
    assert read(shipped) == vintage.observations
    weighing = weigh(log_likelihood(residuals(vintage.observations, vintage.drawn)))
    assert weighing.effective > FEW
    assert weighing.shape < weighing.fair
