"""Explaining one cell: what is meant, what stands behind it, how much each prior contributes, and how it is told."""

import ast
import cProfile
import io
import json
import math
import signal
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from rich.console import Console

import sim.model
from sim import cells, cli, engine, explain, forecast, shares, simulate
from sim.address import parse
from sim.axes import DERIVED, INPUTS, OUTPUTS
from sim.distributions import Fixed
from sim.errors import BookError
from sim.explain import chain, docs, explanation
from sim.headline import figure
from sim.tally import RESOLUTION
from tests import simulated

ROOT = Path(__file__).parents[1]
MODEL = Path(sim.model.__file__).parent
DRAWS = 5120
AHEAD_ONLY = ("need", "shortfall", "backlog", "tokens_served", "bound_h100e", "bound_buyers", "depreciation_added")


# --- which cell


@pytest.mark.parametrize(
    ("text", "output", "label", "period", "kind"),
    [
        ("revenue[nvidia,2027]", "revenue", "nvidia", "2027", "year"),
        (" revenue [ nvidia , 2027Q1 ] ", "revenue", "nvidia", "2027Q1", "quarter"),
        ("revenue", "revenue", "total", "2026", "year"),
        ("revenue[2029]", "revenue", "total", "2029", "year"),
        ("revenue[nvidia]", "revenue", "nvidia", "2026", "year"),
        ("capex[reported,2027]", "capex", "reported", "2027", "year"),
        ("binding[supply]", "binding", "supply", "2026", "year"),
        ("pair_h100e[meta/amd,2024]", "pair_h100e", "meta/amd", "2024", "year"),
        ("fiscal_revenue", "fiscal_revenue", "nvidia", "FY2027", "fiscal_year"),
        ("fiscal_revenue[FY2025]", "fiscal_revenue", "nvidia", "FY2025", "fiscal_year"),
    ],
)
def test_parse__finds_the_cell_meant(base_world, text, output, label, period, kind):
    cell = parse(base_world, text)
    table = cells.tables(base_world)[kind, output]
    places = cells.by_table(base_world, np.arange(cells.cells_per_draw(base_world)))
    assert (cell.output, cell.label, cell.period, cell.table) == (output, label, period, (kind, output))
    assert (table.labels[cell.row], table.periods[cell.column]) == (label, period)
    assert cell.place == places[kind, output][cell.row, cell.column]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("revenu[nvidia]", "did you mean 'revenue'"),
        ("revenue[nvida,2027]", "no label 'nvida'; did you mean 'nvidia'?"),
        ("revenue[nvidia,2040]", "no period '2040'; did you mean '2030'"),
        ("capex[meta,2027Q1]", "no period '2027Q1'"),
        ("need[2024]", "need says nothing of 2024; it begins in 2026"),
        ("binding", "needs a constraint; known: budget, need, supply"),
        ("revenue nvidia", "is no output[label,period]; for example revenue[nvidia,2027]"),
        ("revenue[a,b,c]", "more than a label and a period"),
    ],
)
def test_parse__says_what_is_wrong_and_what_is_near(base_world, text, says):
    with pytest.raises(BookError) as error:
        parse(base_world, text)
    assert says in str(error.value)


@pytest.mark.parametrize(
    ("text", "ahead"),
    [("revenue[2025]", False), ("revenue[2025Q4]", False), ("revenue[2026Q1]", True), ("revenue[2026]", True)],
)
def test_parse__knows_record_from_forecast(base_world, text, ahead):
    assert parse(base_world, text).ahead is ahead


# --- the chain


@pytest.fixture(scope="module")
def traced(base_world):
    return chain.trace(base_world)


@pytest.fixture(scope="module")
def traced_past(base_world):
    return chain.trace(base_world, ahead=False)


def test_trace__every_prior_enters_an_equation_and_reaches_an_output(traced):
    assert set().union(*traced.reads.values()) == set(INPUTS)
    assert set().union(*traced.priors.values()) == set(INPUTS)


def ran(world):
    """Functions of the model that a trajectory calls, as the interpreter sees them."""
    shapes = {name: jax.ShapeDtypeStruct((*shape, 1), jnp.float32) for name, shape in world.shapes.items()}
    forcing = simulate.forcing_of(world, jnp.float32)
    profile = cProfile.Profile()
    profile.enable()
    jax.eval_shape(lambda beliefs: simulate.trajectory(world.structure, beliefs, forcing), shapes)
    profile.disable()
    codes = [entry.code for entry in profile.getstats() if not isinstance(entry.code, str)]
    own = [(Path(code.co_filename), code.co_qualname.partition(".<locals>")[0]) for code in codes]
    return {f"{path.stem}.{name}" for path, name in own if path.parent == MODEL and path.name != "structure.py"}


def computing():
    """Functions of the model with arithmetic of their own, as the source says."""
    found = set()
    for path in MODEL.glob("*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and any(
                isinstance(part, ast.BinOp) or (isinstance(part, ast.Name) and part.id == "jnp")
                for line in node.body
                for part in ast.walk(line)
            ):
                found.add(f"{path.stem}.{node.name}")
    return found


def test_trace__covers_every_function_that_computes(base_world, traced):
    only_helpers = {"stock.serving", "suppliers.capacity_growth"}  # their arithmetic is a helper's of structure.py
    assert set(traced.equations) == ran(base_world) & computing() | only_helpers


def test_trace__every_function_has_a_number_and_says_something(traced):
    for name, each in traced.equations.items():
        assert each.numbers, name
        assert each.says, name
        assert "(equation" not in each.says, name


def test_equation__is_read_from_the_docstring(traced):
    response = traced.equations["capex.response"]
    assert response.numbers == (1,)
    assert response.formula == "response = strength * clip(log(need / installed), -1, 1) / 4"
    assert traced.equations["market.room"].numbers == (10,)
    assert traced.equations["money.depreciation"].numbers == (2, 3), "those of its caller"
    assert chain._equation("need.load", {chain.STEP}).numbers == (6, 7, 8), "those of its module"


def test_numbers__are_told_from_arithmetic():
    assert chain._numbers("Of a buyer [1] (equations 3, 10 to 12).") == (3, 10, 11, 12)
    assert chain._numbers("Load (equation 6; HT24:T56).") == (6,)
    assert chain._numbers("clip(0, 1), x^2 (3 - 2x), min(1, wanted)") == ()


def test_trace__tells_which_prior_enters_where(traced):
    assert traced.reads["capex.response"] == {"need_response"}
    assert traced.reads["market.kept_part"] == {"discipline"}
    assert traced.reads["capex.guided_growth"] == {"guidance_beat", "guidance_bridge"}
    assert "price" in traced.reads["chips.generations"]
    assert traced.makers["tier_revenue"] == {"tiers.tier_revenue"}
    assert ("market.filled", "market.clear") in traced.feeds


def moved(base_world, priors):
    """Which outputs and quarters change when some scalar priors are believed lower; the random numbers are shared."""
    lower = {}
    for name in priors:
        believed = base_world.book.priors[name].table[()]
        key = next(key for key in ("p95", "p90") if getattr(believed, key, None) is not None)
        middle = believed.quantile(0.5)
        lower[f"{name}.{key}"] = middle + 0.9 * (getattr(believed, key) - middle)
    assert {base_world.book.priors[name].factor for name in priors} == {1.0}
    other = forecast.load("base", overrides=lower)
    (one, _), (two, _) = (simulated.path(world, 3, 0, 1024) for world in (base_world, other))
    return {name: (one[name] != two[name]).any(axis=(1, 2)) for name in OUTPUTS}


ROWS = {"net_income"}
"""Depends on a row of cash that no prior of the market reaches; the chain does not tell the rows of an axis apart."""


@pytest.mark.parametrize("priors", [("depreciation_life",), ("visits",), ("capex_drift", "spill", "lifetime")])
def test_trace__leaves_out_what_moves_nothing(base_world, traced, priors):
    """An independent run: other beliefs move exactly the outputs behind which the chain finds them."""
    changed = {name for name, quarters in moved(base_world, priors).items() if quarters.any()}
    told = {name for name in OUTPUTS if traced.priors[name] & set(priors)}
    assert changed <= told
    assert told - changed <= ROWS


def test_trace__of_the_record_leaves_out_the_forecast(base_world, traced, traced_past):
    priors = {"capex_drift", "spill", "order_cover", "token_growth"}
    known = np.arange(len(base_world.book.axes["time"])) <= base_world.record.handover
    for name, quarters in moved(base_world, priors).items():
        assert not quarters[known].any() or traced_past.priors[name] & priors, name
    assert not traced_past.priors["units"] & priors
    assert traced.priors["units"] >= priors
    assert all(not traced_past.priors[name] for name in AHEAD_ONLY)


def test_outputs_behind__are_those_a_derived_one_is_made_of(base_world):
    made = {name: set(chain.outputs_behind(base_world, name)) for name in DERIVED}
    assert made == {
        "revenue_share": {"revenue"},
        "h100e_growth": {"h100e"},
        "revenue_growth": {"revenue"},
        "binding": {"bound_h100e"},
        "coverage": {"raw_need", "installed"},
        "depreciation_share": {"depreciation_added", "net_income"},
        "h100e_price": {"revenue", "h100e"},
        "fiscal_revenue": {"revenue"},
    }
    assert chain.outputs_behind(base_world, "need") == ("need",)


# --- shares of variance


@pytest.fixture(scope="module")
def normals():
    return np.random.default_rng(11).standard_normal((6, 20_000)).astype(np.float32)


def test_scores__are_standard_normal_for_any_monotone_scale(normals):
    z = shares.scores(normals)
    np.testing.assert_allclose(z[np.abs(z) < 2], normals[np.abs(z) < 2], atol=0.1)
    assert np.abs(z - normals).mean() < 0.02
    np.testing.assert_array_equal(shares.scores(np.exp(3 * normals.astype(np.float64))), z)
    np.testing.assert_allclose(z.mean(axis=1), 0, atol=1e-5)
    np.testing.assert_allclose(z.std(axis=1), 1, atol=1e-5)


def test_scores__share_the_mean_of_ties_and_are_zero_of_a_constant():
    z = shares.scores(np.array([[1.0, 0, 0, 2], [5, 5, 5, 5]]))
    assert z[0, 1] == z[0, 2] < z[0, 0] < z[0, 3]
    np.testing.assert_array_equal(z[1], 0)
    coin = np.repeat([0.0, 1.0], 500)
    np.testing.assert_allclose(shares.scores(coin), np.repeat([-1.0, 1.0], 500), rtol=1e-5)


def test_share__of_a_product_of_lognormals_is_that_of_its_log_variance(normals):
    weights = np.array([2.0, 1.0, 1.0, 0.5, 0, 0])
    x, y = shares.scores(normals), shares.scores(np.exp(weights @ normals))
    expected = np.square(weights) / np.square(weights).sum()
    for row, wanted in enumerate(expected):
        found = shares.share(x[row : row + 1], y)
        assert abs(found.share - wanted) < 5 * found.error + 1e-4
    assert shares.share(x[1:3], y).share == pytest.approx(expected[1:3].sum(), abs=0.02)
    assert shares.share(x, y).share == pytest.approx(1, abs=0.002)


def test_share__counts_what_correlated_priors_have_in_common_twice_but_not_together(normals):
    other = 0.8 * normals[0] + 0.6 * normals[1]
    x, y = shares.scores(np.stack([normals[0], other])), shares.scores(normals[0] + other)
    alone = [shares.share(x[i : i + 1], y).share for i in range(2)]
    assert sum(alone) == pytest.approx(1.8, abs=0.02)
    assert shares.share(x, y).share == pytest.approx(1, abs=1e-3)


def test_share__is_not_inflated_by_many_entries_and_knows_its_error():
    rng = np.random.default_rng(5)
    found = []
    for _ in range(20):
        x = shares.scores(rng.standard_normal((100, 1000)))
        found.append(shares.share(x, shares.scores(x[0] + rng.standard_normal(1000))))
    values = np.array([each.share for each in found])
    assert values.mean() == pytest.approx(0.5, abs=5 * values.std() / math.sqrt(20))
    assert np.mean([each.error for each in found]) == pytest.approx(values.std(), rel=0.5)


def test_share__of_a_constant_is_nothing(normals):
    assert shares.share(normals, np.zeros(20_000, np.float32)) == (0, 0)


# --- the whole


@pytest.fixture(scope="module")
def found(base_world):
    return explain.explain(base_world, "revenue[nvidia,2027]", draws=DRAWS, seed=7)


def toy(world, monkeypatch, weights, undefined=0.0):
    """A world whose every yearly revenue is a product of powers of some priors' draws; part of it is no number."""
    rows = {name: world.named.index((name, labels)) for name, labels in weights}

    def cells_of(made, blocks, last):
        for block, values in zip(blocks, made.values_of(blocks, last), strict=True):
            z = {name: np.log(values[row] / (1 - values[row])) for name, row in rows.items()}
            y = np.exp(sum(weight * z[name] for (name, _), weight in weights.items()))
            y = np.where(values[rows["headroom"]] < undefined, np.nan, y)
            yield block * made.shape.block, np.broadcast_to(y, (cells.cells_per_draw(world), len(y)))

    monkeypatch.setattr(engine.Engine, "cells_of", cells_of)
    monkeypatch.setattr(chain, "outputs_behind", lambda *_: ("revenue",))


TOY = {("ai_share", ("meta",)): 2.0, ("headroom", ()): 0.0, ("spill", ()): -1.0}


def test_explain__finds_the_shares_and_swings_of_a_known_product(base_world, monkeypatch):
    toy(base_world, monkeypatch, TOY)
    told = explain.explain(base_world, "revenue[nvidia,2027]", draws=DRAWS)
    tables = {name: base_world.book.priors[name].table[labels] for name, labels in TOY}
    levels = (np.arange(20_000) + 0.5) / 20_000
    logits = {name: np.log(q / (1 - q)) for name, q in ((name, each.ppf(levels)) for name, each in tables.items())}
    variance = {name: np.square(weight) * logits[name].var() for (name, _), weight in TOY.items()}
    by_name = {each.prior: each for each in told.contributions}
    for name in ("ai_share", "spill"):
        each = by_name[name]
        assert each.clear
        assert abs(each.share.value - variance[name] / sum(variance.values())) < 5 * each.share.error + 0.01, name
    assert by_name["ai_share"].entry == "ai_share[meta]"
    assert by_name["spill"].low.value > by_name["spill"].high.value
    rng = np.random.default_rng(0)
    top = 2 * logits["ai_share"][rng.integers(18_000, 20_000, 100_000)]
    wanted = np.median(top - logits["spill"][rng.integers(0, 20_000, 100_000)])
    assert abs(math.log(by_name["ai_share"].high.value) - wanted) < 5 * by_name["ai_share"].high.error / math.exp(
        wanted
    )
    others = [each for each in told.contributions if each.clear and each.prior not in ("ai_share", "spill")]
    assert [each.prior for each in others] == ["ai_share_2030"], "which is correlated with ai_share"


def test_explain__leaves_out_draws_without_a_value(base_world, monkeypatch):
    median = base_world.book.priors["headroom"].table[()].quantile(0.05)
    toy(base_world, monkeypatch, TOY, undefined=median)
    told = explain.explain(base_world, "revenue[nvidia,2027]", draws=DRAWS)
    assert told.defined == pytest.approx(0.95 * DRAWS, abs=5 * math.sqrt(0.05 * DRAWS))
    assert math.isfinite(told.figures["p50"].value)
    assert "It has a value in" in shown(told)
    toy(base_world, monkeypatch, TOY, undefined=1.0)
    with pytest.raises(BookError, match="has a value in 0 of"):
        explain.explain(base_world, "revenue[nvidia,2027]", draws=DRAWS)


def test_explain__units_of_a_band_supplier_move_with_its_band_and_price_alone(base_world):
    """AMD in 2024Q1 sold one chip: units = band * hardware share / (price * exp(-decline * age)), all lognormal."""
    told = explain.explain(base_world, "units[amd,2024Q1]", draws=DRAWS)
    table = {name: base_world.book.priors[name].table for name in ("revenue_band", "price", "price_decline", "launch")}
    levels = (np.arange(20_000) + 0.5) / 20_000
    age = 2024.125 - table["launch"]["mi300x",].quantile(0.5)
    variance = {
        "revenue_band": np.log(table["revenue_band"]["amd", "2024Q1"].ppf(levels)).var(),
        "price": np.log(table["price"]["mi300x",].ppf(levels)).var(),
        "price_decline": (age * table["price_decline"]["mi300x",].ppf(levels)).var(),
    }
    clear = {each.prior: each.share for each in told.contributions if each.clear}
    assert set(clear) - set(variance) <= {"launch"}, "MI300A is launched before mid-quarter in 7 draws of 1,000"
    for name in ("revenue_band", "price"):
        wanted = variance[name] / sum(variance.values())
        assert abs(clear[name].value - wanted) < 5 * clear[name].error + 0.01, name
    by_name = {each.prior: each for each in told.contributions}
    assert by_name["revenue_band"].entry == "revenue_band[amd,2024Q1]"
    assert by_name["price"].entry == "price[mi300x]"
    assert "capex_drift" not in by_name


def test_explain__has_the_figures_of_the_run(base_world, base_run):
    """The same draws as a stored run: seed 7, 4,096 draws. The run's own quantiles are counted in bins."""
    told = explain.explain(base_world, "units[amd,2025]", draws=4096, seed=7)
    kept = base_run.tree["draws"]["units"].sel(supplier="amd", year="2025").values.astype(np.float64)
    year = base_run.tree["prior_predictive/year"]["units"].sel(supplier="amd", year="2025")
    for key, level in explanation.SHOWN.items():
        assert told.figures[key].value == pytest.approx(np.quantile(kept, level), rel=1e-6)
        assert told.figures[key].value == pytest.approx(float(year.sel(quantile=level)), rel=RESOLUTION)
    assert told.figures["mean"].value == pytest.approx(kept.mean(), rel=1e-6)


def test_explain__is_complete_and_ordered(base_world, traced, found):
    values = [each.share.value for each in found.contributions]
    assert values == sorted(values, reverse=True)
    assert [step.function for step in found.steps] == [f for f in traced.equations if f in traced.path["revenue"]]
    priors = base_world.book.priors
    random = {name for name in INPUTS if any(not isinstance(each, Fixed) for each in priors[name].table.values())}
    assert {each.prior for each in found.contributions} == traced.priors["revenue"] & random
    assert 0.5 < found.together.value < 1
    for each in found.contributions:
        assert each.equations, each.prior
        assert each.sources, each.prior
        assert each.p05 <= each.p50 <= each.p95
        assert not each.entry.endswith((",2028]", ",2029]", ",2030]", "[2028]", "[2029]", "[2030]")), each.entry


def test_explain__gives_priors_in_the_unit_of_the_book(base_world, found):
    tokens = base_world.book.priors["tokens"]
    assert tokens.factor != 1
    each = next(each for each in found.contributions if each.prior == "tokens")
    labels = (each.entry.removeprefix("tokens[").removesuffix("]"),)
    assert each.unit == tokens.unit
    assert each.p50 == pytest.approx(tokens.table[labels].quantile(0.5) / tokens.factor)


def test_explain__refuses_too_few_draws(base_world):
    with pytest.raises(BookError, match=r"ask for [\d,]+ or more"):
        explain.explain(base_world, "revenue[nvidia,2027]", draws=1000)


# --- the page


def shown(told, width=100):
    console = Console(file=io.StringIO(), width=width)
    console.print(explain.page(told))
    return console.file.getvalue()


def test_page__is_one_page_with_everything_asked(found):
    text = shown(found)
    lines = text.splitlines()
    assert len(lines) <= 60
    assert max(map(len, lines)) <= 100
    assert lines[0].startswith("revenue[nvidia,2027]")
    assert lines[1].split() == ["P05", "P25", "P50", "P75", "P95", "mean"]
    assert figure(found.figures["p95"].value, "bn USD") in lines[2]
    for each in found.contributions[:10]:
        assert each.entry[:34] in text
    for step in found.steps:
        assert step.function.partition(".")[2] in text
    assert "judgement" in text


def test_page__of_a_reported_figure_says_so(base_world):
    told = explain.explain(base_world, "capex[meta,2024]", draws=DRAWS)
    assert "the same in every draw" in shown(told)
    assert not any(each.clear for each in told.contributions)


@pytest.mark.parametrize(
    ("value", "unit", "written"),
    [
        (0.0, "1", "0"),
        (-5e-17, "1 / year", "0"),
        (12345.6, "bn USD", "12,346"),
        (0.0123, "1", "0.0123"),
        (2026.51, "year", "2026.51"),
        (1.234, "year", "1.23"),
        (8.9e26, "FLOP", "8.9e+26"),
    ],
)
def test_figure__has_three_digits(value, unit, written):
    assert figure(value, unit) == written


# --- the command


def chipcast(monkeypatch, capsys, *arguments):
    monkeypatch.setattr(sys, "argv", ["chipcast", *arguments])
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    signal.signal(signal.SIGTERM, before)
    return ended.value.code or 0, *capsys.readouterr()


def test_command__prints_the_page_and_the_same_as_json(monkeypatch, capsys):
    asked = ("explain", "units[amd,2025]", "--draws", "4096", "--seed", "3", "--set", "price_decline.mi300x.p95=0.05")
    code, text, _ = chipcast(monkeypatch, capsys, *asked)
    assert code == 0
    assert text.startswith("units[amd,2025]")
    assert "4,096 draws, seed 3" in text
    code, text, _ = chipcast(monkeypatch, capsys, *asked, "--json")
    told = json.loads(text)
    assert code == 0
    assert set(told) == set(explain.Explanation.__dataclass_fields__)
    assert told["figures"]["p50"][0] > told["figures"]["p05"][0] > 0
    assert {"prior", "entry", "share", "sources", "reasoning", "equations"} <= set(told["contributions"][0])


def test_command__refuses_in_one_line(monkeypatch, capsys):
    code, out, err = chipcast(monkeypatch, capsys, "explain", "revenue[nvida,2027]")
    assert (code, out) == (2, "")
    assert err == "chipcast: revenue[nvida,2027]: no label 'nvida'; did you mean 'nvidia'? [cell-label]\n"


# --- the generated page


@pytest.fixture(scope="module")
def model_page():
    return ROOT.joinpath("docs", "model.md").read_text(encoding="utf-8")


def test_docs__are_what_the_program_says(base_world, model_page):
    assert docs.written(model_page, base_world) == model_page, "run ./go python -m sim.explain.docs"


def test_docs__have_every_input_output_and_function(base_world, model_page, traced):
    made = docs.generated(model_page.partition(docs.BEGIN)[0], base_world)
    for name in (*INPUTS, *OUTPUTS, *DERIVED):
        assert f"| `{name}`" in made, name
    for name in traced.equations:
        if traced.reads[name]:
            assert name in made, name


def test_docs__keep_the_prose_around_them(base_world, model_page):
    prose = model_page.partition(docs.BEGIN)[0].rstrip()
    page = docs.written(f"{prose}\n\n{docs.BEGIN}\nold\n{docs.END}\n\nafter\n", base_world)
    assert page.startswith(prose)
    assert page.endswith(f"{docs.END}\nafter\n")
    assert "\nold\n" not in page
    assert docs.written(page, base_world) == page


def test_docs__ask_for_the_chapter_of_an_equation(base_world):
    with pytest.raises(BookError, match="states no equation number"):
        docs.generated("# A page\n\n## Orders [10]\n", base_world)
