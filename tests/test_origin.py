"""Whom a command means: a run's book is found again, or refused with what to do."""

import pytest
import xarray as xr

from sim import devices, forecast, store
from sim.errors import BookError, RefusedError
from sim.origin import origin


@pytest.fixture
def stored(tmp_path, monkeypatch):
    """Store an empty run of a world, with some of its config changed."""

    monkeypatch.setattr("os.fsync", lambda handle: None)

    def store_it(world, said=None, **config):
        said = said or {}
        config = forecast.run_config(world, 0, devices.mesh("cpu")) | config
        tree = xr.DataTree.from_dict({"/": None, "/prior": None})
        record = {"config": config, "scenario": world.book.name, "recipe": world.book.recipe.model_dump(mode="json")}
        return store.publish(tmp_path / "runs", record | said, tree, draws=256)

    return store_it


def test_origin__finds_the_book_of_a_run_with_its_draws_and_seed(stored, base_world):
    folder = stored(base_world, seed="7")
    found = origin(str(folder))
    assert found.world.book.digest == base_world.book.digest
    assert (found.draws, found.seed) == (256, 7)


def test_origin__takes_names_and_files(tmp_path):
    assert origin("2025-02-12").world.book.name == "2025-02-12"
    assert origin("supply_crunch")[1:] == (None, None)
    assert origin("efficiency_shock+custom_silicon").world.book.name == "efficiency_shock+custom_silicon"
    mine = tmp_path / "a+b.yaml"
    mine.write_text("set: {pue.max: 1.5}\n", encoding="utf-8")
    assert origin(str(mine)).world.book.name == "a+b"
    with pytest.raises(BookError, match="supply_crunch"):
        origin("supply_crunsh")


@pytest.mark.parametrize(
    ("names", "asked"),
    [
        (["efficiency_shock", "custom_silicon"], {}),
        ("base", {"as_of": "2025-03-01"}),
        ("base", {"overrides": {"price.b200.p90": 50}}),
    ],
)
def test_origin__finds_a_run_s_scenarios_date_and_values_again(stored, names, asked):
    world = forecast.load(names, **asked)
    assert origin(str(stored(world))).world.book.digest == world.book.digest


@pytest.mark.parametrize(
    "said", [{"recipe": None, "scenario": "gone"}, {"recipe": {"names": ["gone"], "as_of": None, "overrides": {}}}]
)
def test_origin__refuses_a_run_whose_book_is_not_to_be_found(stored, base_world, said):
    with pytest.raises(RefusedError) as caught:
        origin(str(stored(base_world, said)))
    assert caught.value.code == "run-book"
    assert "name the scenario" in caught.value.remedy


@pytest.mark.parametrize("changed", ["book", "history"])
def test_origin__refuses_a_run_whose_book_or_history_has_changed(stored, base_world, changed):
    with pytest.raises(RefusedError, match="run-book"):
        origin(str(stored(base_world, **{changed: "ab" * 32})))


def test_origin__refuses_what_is_conditioned_already(stored, base_world):
    with pytest.raises(RefusedError, match="run-conditioned"):
        origin(str(stored(base_world, kind="condition")))
