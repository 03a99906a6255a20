"""Every book of a sweep is loaded before anything runs, and each bad variant is told at its line."""

import pytest

from sim import devices, forecast, store
from sim.book.check import BookFaults
from sim.errors import BookError, RefusedError
from sim.sweep import prepared
from sim.sweep.prepared import prepare
from sim.sweep.spec import read_spec


@pytest.fixture
def loads(monkeypatch, base_world):
    """Books are not loaded: the base world answers, and each request is noted."""
    seen = []

    def load(names, as_of, values):
        seen.append((names, as_of, dict(values)))
        return base_world

    monkeypatch.setattr(prepared, "load", load)
    return seen


def of(written, text):
    return prepare(read_spec(written(text)))


def test_prepare__gives_each_variant_the_run_that_the_same_question_has(written, base_world):
    (found,) = of(written, "seeds: [3]\nthresholds: ['revenue[nvidia,2027] > 400']\n")
    on = devices.mesh("cpu")
    config = forecast.run_config(base_world, 3, on, "mc", ("revenue[nvidia,2027] > 400",))
    assert found.run_id(devices.shape(on).block) == store.run_id(config)
    assert found.run_id(1 << 16) != store.run_id(config)


def test_prepare__tells_every_bad_variant_and_only_once(written):
    text = "scenarios:\n  - base\n  - efficency_shock\nset:\n  capex_drft.p95: [0.40, 0.41]\nvintages: [2026-03-01]\n"
    with pytest.raises(BookFaults) as caught:
        of(written, text)
    assert [(fault.code, fault.place.line, fault.place.column) for fault in caught.value.faults] == [
        ("book-unknown-path", 5, 20),
        ("book-unknown-path", 5, 26),
        ("book-not-found", 3, 5),
    ]
    assert caught.value.exit_code == 2
    assert "'capex_drift'" in caught.value.faults[0].remedy
    assert "'efficiency_shock'" in caught.value.faults[2].remedy


def test_prepare__tells_a_date_before_the_first_book_and_a_value_no_prior_may_have(written):
    text = (
        "mode: list\nvariants:\n  - {label: old, as_of: 2020-01-01}\n  - label: torn\n    set: {capex_drift.p95: 0.1}\n"
    )
    with pytest.raises(BookFaults) as caught:
        of(written, text)
    first, second = caught.value.faults
    assert (first.place.line, first.code) == (3, "book-vintage")
    assert second.place.line == 5
    assert "variant 'torn'" in second.problem


def test_prepare__tells_a_fault_of_a_file_at_the_line_of_that_file(written, tmp_path):
    (tmp_path / "mine.yaml").write_text("about: mine\ncapex_drft: {}\n", encoding="utf-8")
    with pytest.raises(BookError) as caught:
        of(written, "scenarios: [./mine.yaml]\n")
    assert caught.value.place.file.endswith("mine.yaml")
    assert caught.value.place.line == 2


def test_prepare__a_threshold_that_the_world_cannot_have_is_told(written, loads):
    with pytest.raises(BookError, match="nvidya"):
        of(written, "thresholds: ['revenue[nvidya,2027] > 4']\n")


def test_prepare__a_grid_may_hold_the_value_that_the_book_has(written, base_world):
    own = base_world.book.priors["capex_drift"].table[()].p95
    first, second = of(written, f"set:\n  capex_drift.p95: [{own}, 0.40]\n")
    assert first.world.book.digest == base_world.book.digest
    assert first.values == {}
    assert first.variant.values == {"capex_drift.p95": own}
    assert second.values == {"capex_drift.p95": 0.40}
    assert second.world.book.digest != base_world.book.digest


def test_prepare__a_variant_written_out_that_changes_nothing_is_refused(written, base_world):
    own = base_world.book.priors["capex_drift"].table[()].p95
    with pytest.raises(BookError) as caught:
        of(written, f"mode: list\nvariants:\n  - label: same\n    set: {{capex_drift.p95: {own}}}\n")
    assert (caught.value.code, caught.value.place.line) == ("book-no-change", 4)


def test_prepare__the_same_run_twice_is_told_with_both_labels(written, loads):
    text = "mode: list\nvariants:\n  - {label: one}\n  - {label: two, seed: 1}\n  - {label: three, seed: 1}\n"
    with pytest.raises(BookError) as caught:
        of(written, text)
    assert (caught.value.code, caught.value.place.line) == ("sweep-twice", 5)
    assert "'two' and 'three'" in caught.value.problem


def test_prepare__seeds_share_one_loaded_book(written, loads):
    assert len(of(written, "seeds: [1, 2, 3, 4]\n")) == 4
    assert loads == [(("base",), None, {})]


def test_prepare__draws_that_no_sobol_sequence_has_are_refused_before_a_book_is_read(written, loads):
    with pytest.raises(RefusedError) as caught:
        of(written, "sampler: sobol\ndraws: 1000\n")
    assert (caught.value.code, loads) == ("sobol-draws", [])
