"""What the command is asked: a run's book is found again, or refused with what to do."""

import pytest
import xarray as xr

from sim import devices, forecast, store
from sim.conditioning import ask, command
from sim.errors import BookError, RefusedError


@pytest.fixture
def stored(tmp_path, monkeypatch):
    """Store an empty run of a world, with some of its config changed."""

    monkeypatch.setattr("os.fsync", lambda handle: None)

    def store_it(world, **config):
        config = forecast.run_config(world, 0, devices.mesh("cpu")) | config
        tree = xr.DataTree.from_dict({"/": None, "/prior": None})
        return store.publish(tmp_path / "runs", {"config": config, "scenario": world.book.name}, tree, draws=256)

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


@pytest.mark.parametrize(("names", "as_of"), [(["efficiency_shock", "custom_silicon"], None), ("base", "2025-03-01")])
def test_ask__finds_scenarios_on_the_date_of_the_run(stored, names, as_of):
    world = forecast.load(names, as_of=as_of)
    assert ask(str(stored(world))).world.book.digest == world.book.digest


def test_ask__looks_for_the_book_on_the_date_of_the_run(stored, base_world, monkeypatch):
    asked = []
    monkeypatch.setattr(command, "load", lambda names, as_of=None: asked.append((names, as_of)) or base_world.book)
    ask(str(stored(base_world)))
    assert asked == [(["base"], "2026-02-28")]


def test_ask__refuses_a_run_whose_book_is_not_to_be_found(stored):
    changed = forecast.load("base", overrides={"price.b200.p90": 50})
    with pytest.raises(RefusedError) as caught:
        ask(str(stored(changed)))
    assert caught.value.code == "condition-book"
    assert "name the scenario" in caught.value.remedy


def test_ask__refuses_what_is_conditioned_already(stored, base_world):
    with pytest.raises(RefusedError, match="condition-again"):
        ask(str(stored(base_world, kind="condition")))
