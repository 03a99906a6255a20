"""The contract of randomness on the whole program: what may and may not change the numbers of a draw."""

import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import yaml

from sim import devices, draws, engine, world
from sim.axes import INPUTS, OUTPUTS, Input
from sim.book.load import load, priors_folder
from sim.book.schema import rank_matrix
from sim.distributions import Fixed, Normal
from sim.draws import Entry

BLOCK = devices.SHAPES["cpu"].block
FEW = 256
"""Draws where only the values of priors are looked at."""


def simulated(built, seed=0, first=0, last=BLOCK):
    return list(engine.blocks(built, seed, first, last))


@pytest.fixture(scope="module")
def base(base_world):
    (block,) = simulated(base_world)
    return block


def assert_same_bits(one, other):
    np.testing.assert_array_equal(one.values, other.values)
    assert one.flows.keys() == other.flows.keys()
    for name in one.flows:
        np.testing.assert_array_equal(one.flows[name], other.flows[name], err_msg=name)


def rows(built):
    """Row of each number of a draw, by its stream and its element."""
    return {(entry.stream, entry.element): row for row, entry in enumerate(built.entries)}


def changed_streams(built, values, other_built, other_values):
    """Streams of the first world whose values are not the same bits in the second."""
    there = rows(other_built)
    return {
        stream
        for (stream, element), row in rows(built).items()
        if not np.array_equal(values[row], other_values[there[stream, element]])
    }


def test_blocks__the_first_draws_stay_when_there_are_twice_as_many(base_world, base):
    many = simulated(base_world, last=2 * BLOCK)
    assert [block.first for block in many] == [0, BLOCK]
    assert_same_bits(many[0], base)


def test_blocks__draws_run_alone_are_those_of_a_longer_run(base_world):
    *_, third = simulated(base_world, last=3 * BLOCK)
    (alone,) = simulated(base_world, first=2 * BLOCK, last=3 * BLOCK)
    assert alone.first == third.first == 2 * BLOCK
    assert_same_bits(alone, third)


def test_blocks__the_last_is_cut_and_not_lost(base_world, base):
    cut = simulated(base_world, last=BLOCK + 200)
    assert [block.values.shape[1] for block in cut] == [BLOCK, 200]
    assert {flow.shape[-1] for flow in cut[1].flows.values()} == {200}
    assert_same_bits(cut[0], base)
    assert not np.any(np.all(cut[1].values == base.values[:, :200], axis=1) & moving(base))


def moving(block):
    """Rows that differ between draws."""
    return np.ptp(block.values, axis=1) > 0


def test_blocks__two_runs_are_the_same_and_two_seeds_are_not(base_world, base):
    (again,) = simulated(base_world)
    assert_same_bits(again, base)
    (other,) = simulated(base_world, seed=1)
    same = (other.values == base.values).mean(axis=1)[moving(base)]
    assert same.max() < 0.01


def test_streams__no_two_numbers_of_a_draw_are_one(base_world, base):
    """Scores by rank, so that the same key under two families is seen too; correlated streams share no rank row."""
    ranks = base.values[moving(base)].argsort(axis=1)
    assert len(np.unique(ranks, axis=0)) == len(ranks)
    assert len(rows(base_world)) == len(base_world.entries)


def overlaid(folder, text):
    """The base book under an overlay."""
    overlay = folder / "more.yaml"
    overlay.write_text(f"about: More of something.\n{text}\n", encoding="utf-8")
    return load(overlay)


@pytest.fixture(scope="module")
def more(tmp_path_factory):
    """The base world with one more prior before all others and one more year, and its first block.

    Both in one world, because each other shape of world costs a compilation.
    """
    book = overlaid(tmp_path_factory.mktemp("more"), "horizon: 2031Q4")
    mood = {"name": "mood", "table": {(): Normal(family="normal", mean=0, sd=1)}}
    priors = {**book.priors, "mood": book.priors["capex_drift"].model_copy(update=mood)}
    before = dict(INPUTS)
    try:
        INPUTS.clear()
        INPUTS.update({"mood": Input((), "1"), **before})
        built = world.build(book.model_copy(update={"priors": priors}))
        (block,) = simulated(built)
        assert {("mood", 0), ("capex_common_shock", 9)} <= set(rows(built))
    finally:
        INPUTS.clear()
        INPUTS.update(before)
    return built, block


def test_streams__are_the_same_bits_beside_one_more_prior_and_one_more_year(base_world, base, more):
    built, block = more
    assert set(rows(built)) > set(rows(base_world))
    assert changed_streams(base_world, base.values, built, block.values) == set()


@pytest.mark.parametrize("name", OUTPUTS)
def test_longer_horizon__leaves_earlier_quarters_the_same_bits(base, more, name):
    flow, longer = base.flows[name], more[1].flows[name]
    np.testing.assert_array_equal(longer[: len(flow)], flow)
    assert len(longer) == len(flow) + 4
    assert np.isfinite(longer).all()


def values_of(entries, correlated):
    """Values of entries as the program draws them, without simulating [entry, draw]."""
    plan = draws.plan(entries, *rank_matrix(correlated))
    high, low = draws.words(0, FEW)

    @jax.jit
    def program(keys, numbers, low):
        return draws.values(plan.layout, numbers, draws.normals(keys, jnp.asarray(numbers.elements), low, FEW))

    return np.asarray(program(draws.keys(plan.streams, 0, high), plan.numbers, low))


@pytest.fixture(scope="module")
def few(base_world):
    return values_of(base_world.entries, base_world.book.correlated)


def test_values__keep_their_bits_when_entries_are_turned_about_and_joined_by_more(base_world, few):
    more = [Entry("mood", 0, Normal(family="normal", mean=0, sd=1)), Entry("zeal", 5, Fixed(family="fixed", value=2))]
    entries = base_world.entries[::-1]
    joined = values_of([more[0], *entries[:300], more[1], *entries[300:]], base_world.book.correlated)
    np.testing.assert_array_equal(np.delete(joined, [0, 301], axis=0)[::-1], few)


def test_values__are_the_same_bits_beside_one_more_chip(base_world, few, tmp_path):
    chip = "{supplier: nvidia, name: NVIDIA four after Rubin, follows: nvidia_2030}"
    later = world.build(overlaid(tmp_path, f"chips:\n  nvidia_2031: {chip}"))
    assert ("successor_price[nvidia_2031]", 0) in rows(later)
    beside = values_of(later.entries, later.book.correlated)
    assert changed_streams(base_world, few, later, beside) == set()


def test_values__one_more_price_moves_no_other(base_world, few):
    """Equally correlated labels share one factor, so that another of them, wherever it sorts, changes no bit."""
    prices = [entry.stream for entry in base_world.entries if entry.stream.startswith("price[")]
    for name in ("price[aaa]", "price[h999]", "price[zzz]"):
        correlated = base_world.book.correlated | {(price, name): 0.5 for price in prices}
        extra = Entry(name, 0, Normal(family="normal", mean=0, sd=1))
        joined = values_of([*base_world.entries, extra], correlated)[:-1]
        np.testing.assert_array_equal(joined, few)


def test_book__renamed_and_reordered_files_are_the_same_world(base_world, base, tmp_path):
    root = tmp_path / "priors"
    shutil.copytree(priors_folder(), root)
    for n, path in enumerate(sorted((root / "base").glob("*.yaml"), reverse=True)):
        text = path.read_text(encoding="utf-8")
        if "supplier: nvidia" not in text and not text.count("correlations:"):
            head, *priors = turned_about(text)
            text = head + "".join(priors)
        path.unlink()
        (root / "base" / f"file_{n}.yaml").write_text(text, encoding="utf-8")
    book = load(priors=root)
    assert book.digest == base_world.book.digest
    renamed = world.build(book, root / "history")
    assert renamed.entries == base_world.entries
    (block,) = simulated(renamed)
    assert_same_bits(block, base)


def turned_about(text):
    """A file of priors with the priors, and the labels of each, in the opposite order."""
    parsed = yaml.safe_load(text)
    yield ""
    for name in reversed(parsed):
        prior = parsed[name]
        if isinstance(prior.get("dist"), dict) and "family" not in prior["dist"]:
            prior["dist"] = dict(reversed(prior["dist"].items()))
        yield yaml.safe_dump({name: plain(prior)}, sort_keys=False, allow_unicode=True, default_flow_style=False)


def plain(node):
    """Dates as YAML 1.2 writes them: text."""
    if isinstance(node, dict):
        return {key: plain(each) for key, each in node.items()}
    return [plain(each) for each in node] if isinstance(node, list) else node


def test_scenario__one_changed_value_leaves_all_other_streams(base_world, base):
    other = world.build(load(overrides={"price.b200.p90": 50}))
    (block,) = simulated(other)
    assert changed_streams(base_world, base.values, other, block.values) == {"price[b200]"}
    row = rows(base_world)["price[b200]", 0]
    np.testing.assert_array_equal(block.values[row].argsort(), base.values[row].argsort())
    at = base_world.book.axes["chip"].index("a100")
    np.testing.assert_array_equal(block.flows["chip_units"][:6, at], base.flows["chip_units"][:6, at])


def test_scenario__equal_to_base_is_base(base_world, base):
    (same,) = simulated(world.build(base_world.book.model_copy(update={"name": "same"})))
    assert_same_bits(same, base)
