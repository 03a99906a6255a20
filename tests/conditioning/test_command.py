"""What the command is asked: a run's book is found again, or refused with what to do."""

import pytest
import xarray as xr

from sim import devices, forecast, store
from sim.conditioning import ask
from sim.errors import BookError, RefusedError


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


def test_ask__finds_the_book_of_a_run_with_its_draws_and_seed(stored, base_world):
    folder = stored(base_world, seed="7")
    found = ask(str(folder))
    assert found.world.book.digest == base_world.book.digest
    assert (found.draws, found.seed) == (256, 7)
    assert ask(str(folder), draws=500, seed=0)[1:] == (500, 0)


def test_ask__takes_a_name():
    assert ask("2025-02-12").world.book.name == "2025-02-12"
    assert ask("supply_crunch")[1:] == (100_000, 0)
    with pytest.raises(BookError, match="supply_crunch"):
        ask("supply_crunsh")


@pytest.mark.parametrize(
    ("names", "asked"),
    [
        (["efficiency_shock", "custom_silicon"], {}),
        ("base", {"as_of": "2025-03-01"}),
        ("base", {"overrides": {"price.b200.p90": 50}}),
    ],
)
def test_ask__finds_a_run_s_scenarios_date_and_values_again(stored, names, asked):
    world = forecast.load(names, **asked)
    assert ask(str(stored(world))).world.book.digest == world.book.digest


@pytest.mark.parametrize(
    "said", [{"recipe": None, "scenario": "gone"}, {"recipe": {"names": ["gone"], "as_of": None, "overrides": {}}}]
)
def test_ask__refuses_a_run_whose_book_is_not_to_be_found(stored, base_world, said):
    with pytest.raises(RefusedError) as caught:
        ask(str(stored(base_world, said)))
    assert caught.value.code == "condition-book"
    assert "name the scenario" in caught.value.remedy


def test_ask__refuses_a_run_whose_book_has_changed(stored, base_world):
    with pytest.raises(RefusedError, match="condition-book"):
        ask(str(stored(base_world, book="ab" * 32)))


def test_ask__refuses_what_is_conditioned_already(stored, base_world):
    with pytest.raises(RefusedError, match="condition-again"):
        ask(str(stored(base_world, kind="condition")))
