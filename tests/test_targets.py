"""What a run is asked of single cells: read or refused with a remedy, and met or said not to be."""

import re
from types import SimpleNamespace
from typing import NamedTuple

import numpy as np
import pytest

import sim
from sim import cells, forecast, reduce, targets
from sim.book.load import priors_folder
from sim.errors import BookError
from sim.forecast import counting
from sim.tally import MOST_THRESHOLDS

REVENUE = "revenue[nvidia,2027]"


def place_of(world, output, label, period):
    """Row of a yearly cell among all cells, from the tables."""
    table = cells.tables(world)["year", output]
    at = table.periods.index(period) * len(table.labels) + table.labels.index(label)
    return cells.starts(world)["year", output] + at


# --- until -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "figure", "allowed"),
    [
        (f"p95:{REVENUE} < 0.5%", "p95", 0.005),
        (f"p5:{REVENUE}<0.01", "p05", 0.01),
        (f"  p05 : {REVENUE}  <  1e-3 ", "p05", 0.001),
        (f"mean:{REVENUE} < 2.5 %", "mean", 0.025),
        ("p50: revenue[nvidia, 2027] < 99%", "p50", 0.99),
    ],
)
def test_targets__are_read(base_world, text, figure, allowed):
    (found,) = targets.targets(base_world, [text])
    assert (found.figure, found.allowed) == (figure, pytest.approx(allowed))
    assert found.cell.place == place_of(base_world, "revenue", "nvidia", "2027")
    assert str(found).startswith(f"{figure}:revenue[nvidia")


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        ("", "until-form", "p95:revenue[nvidia,2027] < 0.5%"),
        (f"{REVENUE} < 0.5%", "until-form", "is no figure:output"),
        (f"p95:{REVENUE} > 0.5%", "until-form", "< share"),
        (f"p95:{REVENUE} < half", "until-form", "is no figure:output"),
        (f"p94:{REVENUE} < 0.5%", "until-figure", "one of p01, p05, p10"),
        (f"sd:{REVENUE} < 0.5%", "until-figure", "mean"),
        (f"p95:{REVENUE} < 0", "until-share", "between 0 and 100%"),
        (f"p95:{REVENUE} < -1%", "until-share", "between 0 and 100%"),
        (f"p95:{REVENUE} < 100%", "until-share", "between 0 and 100%"),
        (f"p95:{REVENUE} < 1e999", "until-share", "between 0 and 100%"),
        (f"p95:{REVENUE} < 1e", "target-number", "'1e' is no number"),
        ("p95:revenu[nvidia,2027] < 1%", None, "'revenue'"),
        ("p95:revenue[nvidai,2027] < 1%", None, "'nvidia'"),
        ("p95:revenue[nvidia,2072] < 1%", None, "2072"),
        ("p95:revenue[nvidia < 1%", None, "revenue[nvidia"),
    ],
)
def test_targets__that_cannot_be_read_say_what_to_write(base_world, text, code, words):
    with pytest.raises(BookError) as caught:
        targets.targets(base_world, [text])
    assert code is None or caught.value.code == code
    assert words in str(caught.value)
    assert caught.value.exit_code == 2


class At(NamedTuple):
    """What a target asks of a cell."""

    place: int


def statistics(**given):
    """Statistics of two cells, of which some are told."""
    nothing = np.full((len(reduce.LEVELS), 2), np.nan, np.float32)
    rest = dict.fromkeys(("mean", "mean_error", "sd", "zero"), nothing[0])
    return reduce.Statistics(**({"quantiles": nothing, "quantile_error": nothing} | rest | given))


@pytest.mark.parametrize(
    ("value", "error", "expected"),
    [(200, 1, 0.05), (-200, 1, 0.05), (0, 1, np.inf), (np.nan, 1, np.inf), (5, 0, 0)],
)
def test_far__is_the_stated_error_over_the_size_of_the_figure_and_the_part_allowed(value, error, expected):
    mean = statistics(mean=np.array([7, value], np.float32), mean_error=np.array([9, error], np.float32)).at(1)
    assert targets.Target("mean", At(1), 0.1).far(mean) == pytest.approx(expected)
    quantiles, errors = np.full((2, len(reduce.LEVELS), 2), 3, np.float32)
    level = reduce.LEVELS.index(0.9)
    quantiles[level, 1], errors[level, 1] = value, error
    p90 = statistics(quantiles=quantiles, quantile_error=errors).at(1)
    assert targets.Target("p90", At(1), 0.1).far(p90) == pytest.approx(expected)
    assert targets.Target("p95", At(1), 0.1).far(p90) == 10


class Counted:
    """What ``counted`` asks of an engine: an error that falls with the root of the draws."""

    gauge = None
    on = SimpleNamespace(size=2)
    shape = SimpleNamespace(block=8, blocks=1 << 10)

    def __init__(self, monkeypatch):
        """Statistics say that P95 is 1 and its error 1 / sqrt(draws)."""
        self.asked = []
        monkeypatch.setattr(reduce, "statistics", lambda sums, _: self.statistics(sums.draws))

    def statistics(self, draws):
        """An error of 1 / sqrt(draws) of all."""
        ones = np.ones((len(reduce.LEVELS), 1))
        return statistics(quantiles=ones, quantile_error=ones / np.sqrt(draws))

    def nothing(self):
        """No draws."""
        return SimpleNamespace(draws=0)

    def sums(self, first, last, progress, onto):
        """Some draws."""
        self.asked.append((first, last))
        onto.draws += last - first
        progress(onto.draws)


LOOK = counting.FIRST_LOOK


@pytest.mark.parametrize(
    ("allowed", "most", "looks"),
    [
        (0.02, 10**9, [LOOK]),
        (1 / 128, 10**9, [LOOK]),  # 1 / sqrt(16384) is met exactly
        (0.0077, 10**9, [LOOK, 2 * LOOK]),
        (0.003, 10**9, [LOOK, 2 * LOOK, 4 * LOOK, 8 * LOOK]),
        (0.003, 50_000, [LOOK, 2 * LOOK, 50_000]),  # never beyond
        (0.02, 1000, [1000]),
        (0.001, 1000, [1000]),
    ],
)
def test_until__ends_at_the_first_look_that_meets_it_and_never_beyond_the_draws(monkeypatch, allowed, most, looks):
    engine, said = Counted(monkeypatch), []
    wanted = [
        targets.Target("p95", At(place=0), allowed),
        targets.Target("p05", At(place=0), 0.9),
    ]
    monkeypatch.setattr(counting, "check_finite", lambda *given: None)
    asked = SimpleNamespace(sampler="mc", engine=engine, wanted=wanted, draws=most)
    sums, _, ranges = counting.counted(asked, counting.Saved(engine), lambda *told: said.append(told))
    assert ranges == []
    assert sums.draws == looks[-1]
    assert engine.asked == list(zip([0, *looks], looks, strict=False))
    assert [done for done, _ in said] == looks
    assert [still == "" for _, still in said] == [True] + [False] * (len(looks) - 1)
    for _, still in said[1:]:
        assert still.startswith("p95:")
        assert still.endswith(f"of {allowed:.2%}")


# --- thresholds ------------------------------------------------------------------------------------------------------


def test_thresholds__are_read(base_world):
    texts = [f"{REVENUE} > 400", "h100e[total, 2030]<-1e-3", "  capex[reported,2026] >  1500.5 "]
    found = targets.thresholds(base_world, texts)
    wanted = [("revenue", "nvidia", "2027"), ("h100e", "total", "2030"), ("capex", "reported", "2026")]
    assert found.cell[:3].tolist() == [place_of(base_world, *each) for each in wanted]
    assert found.sign[:3].tolist() == [1, -1, 1]
    np.testing.assert_array_equal(found.value[:3], np.array([400, -0.001, 1500.5], np.float32))
    assert len(found.cell) == MOST_THRESHOLDS
    assert np.isposinf(found.value[3:]).all()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "for example"),
        (REVENUE, "is no output[label,period] > number"),
        (f"{REVENUE} = 400", "is no output[label,period] > number"),
        (f"{REVENUE} > nan", "is no output[label,period] > number"),
        (f"{REVENUE} > 4-4", "'4-4' is no number"),
        ("revenu[nvidia,2027] > 400", "'revenue'"),
        ("revenue[nvidai,2027] > 400", "'nvidia'"),
    ],
)
def test_thresholds__that_cannot_be_read_say_what_to_write(base_world, text, words):
    with pytest.raises(BookError) as caught:
        targets.thresholds(base_world, [text])
    assert words in str(caught.value)


def test_exceedances__are_shares_with_their_binomial_errors():
    found = targets.exceedances(["a", "b", "c"], np.array([0, 250, 1000, 7]), 1000)
    assert [each.text for each in found] == ["a", "b", "c"]
    assert [each.probability for each in found] == [0, 0.25, 1]
    assert [each.error for each in found] == pytest.approx([0, np.sqrt(0.25 * 0.75 / 1000), 0])


# --- thresholds of every run ------------------------------------------------------------------------------------------


def test_defaults__of_the_shipped_list_are_all_there_in_the_base_book(base_world):
    shipped = targets.read_defaults(priors_folder() / "thresholds.yaml")
    assert 10 <= len(shipped) <= MOST_THRESHOLDS - 12  # there is room for those of a user
    assert tuple(targets.defaults(base_world)) == shipped
    assert len({each.text for each in shipped}) == len({each.key for each in shipped}) == len(shipped)
    assert all(each.about and each.source for each in shipped)


def test_defaults__lie_where_the_answer_is_open(asked):
    """Between one draw in a hundred and all but one: the list is of its time, and needs a look when this fails."""
    table = asked["prior_predictive/exceedance"].to_dataset()
    assert table["probability"].values.min() > 0.01
    assert table["probability"].values.max() < 0.99


def test_defaults__are_those_of_cells_that_the_world_has_and_forecasts():
    short = forecast.load("base", overrides={"horizon": "2027Q4"})
    found = [each.text for each in targets.defaults(short)]
    assert found
    assert all("2026]" in text or "2027]" in text for text in found)


@pytest.fixture
def _listed(monkeypatch, tmp_path):
    """The shipped list replaced by one of three: a cell that is over, one that is nowhere, and one that is ahead."""
    path = tmp_path / "mine.yaml"
    path.write_text(LIST + over("capex[reported,2023]") + over("revenue[nobody,2027]"), encoding="utf-8")
    monkeypatch.setattr(targets, "_shipped", lambda: targets.read_defaults(path))


def over(cell):
    return PLAIN_ENTRY.replace("first:", f"{cell[:5]}:").replace("revenue[nvidia,2027]", cell)


PLAIN_ENTRY = """\
  first:
    threshold: "revenue[nvidia,2027] > 400"
    unit: bn USD
    about: Twice the fiscal year 2026.
    source:
      - {cite: history/revenue, where: nvidia.revenue_data_center.FY2026, says: "193.737 bn USD"}
      - {judgement: "Twice that."}
"""
LIST = f"thresholds:\n{PLAIN_ENTRY}"


@pytest.mark.usefixtures("_listed")
@pytest.mark.parametrize(
    ("given", "more"),
    [
        ([], [f"{REVENUE} > 400"]),
        (["revenue[nvidia,2027]>4e2"], []),  # the same, otherwise written
        (["revenue[nvidia,2027] < 400"], [f"{REVENUE} > 400"]),
        ([f"{REVENUE} > {i}" for i in range(MOST_THRESHOLDS)], []),
        ([f"{REVENUE} > {i}" for i in range(MOST_THRESHOLDS - 1)], [f"{REVENUE} > 400"]),
    ],
)
def test_with_defaults__adds_what_says_something_else_as_far_as_there_is_room(base_world, given, more):
    assert targets.with_defaults(base_world, given) == (*given, *more)


@pytest.mark.parametrize(
    ("old", "new", "line", "code", "says"),
    [
        ("thresholds:", "threshold:", 1, "book-unknown-key", "thresholds"),
        ("about: Twice", "abuot: Twice", 5, "book-unknown-key", "'about'"),
        ("    about: Twice the fiscal year 2026.\n", "", 3, "book-missing-key", "about"),
        ("unit: bn USD", "unit: M USD", 4, "threshold-unit", "bn USD"),
        ('"revenue[nvidia,2027] > 400"', '"revenue[nvidia,2027]"', 3, "threshold-form", "for example"),
        ('"revenue[nvidia,2027] > 400"', '"revenue[nvidia,2027] > 1e999"', 3, "target-number", "largest float"),
        ('"revenue[nvidia,2027] > 400"', '"revenu[nvidia,2027] > 400"', 3, "cell-output", "'revenue'"),
        ('"revenue[nvidia,2027] > 400"', "400", 3, "book-type", "text"),
        ("193.737 bn", "193 bn", 7, "book-figure", "193.737"),
        ("FY2026, says", "FY2062, says", 7, "book-unknown-source", "did you mean"),
        ("    source:\n", "    sources:\n", 3, "book-uncited", "source"),
    ],
)
def test_read_defaults__refuses_at_the_line(tmp_path, old, new, line, code, says):
    assert LIST.count(old) == 1
    path = tmp_path / "mine.yaml"
    path.write_text(LIST.replace(old, new), encoding="utf-8")
    with pytest.raises(BookError) as caught:
        targets.read_defaults(path)
    assert (caught.value.code, caught.value.place.line) == (code, line), caught.value
    assert says in str(caught.value)


# --- a run that is asked all of it -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def asked(base_world):
    """4,001 draws of the base world with exact quantiles and two thresholds, and a target that they meet."""
    return sim.run(
        base_world,
        draws=4001,
        seed=7,
        device="cpu",
        until=[f"p50:{REVENUE} < 50%"],
        thresholds=[f"{REVENUE} > 400", "revenue[total,2030] < 1000"],
        exact_quantiles=True,
    )


def test_run__quantiles_are_exact_where_that_is_asked(asked, base_world, base_cells):
    at = place_of(base_world, "revenue", "nvidia", "2027")
    exact = np.quantile(base_cells[at, :4001].astype(np.float64), reduce.LEVELS).astype(np.float32)
    found = asked["prior_predictive/year"]["revenue"].sel(supplier="nvidia", year="2027")
    np.testing.assert_array_equal(found.values, exact)


def test_run__probabilities_of_passing_are_shares_of_the_draws(asked, base_world, base_cells):
    table = asked["prior_predictive/exceedance"].to_dataset()
    nvidia = base_cells[place_of(base_world, "revenue", "nvidia", "2027"), :4001]
    total = base_cells[place_of(base_world, "revenue", "total", "2030"), :4001]
    shares = [np.mean(nvidia > 400), np.mean(total < 1000)]
    assert table["threshold"].values[:2].tolist() == [f"{REVENUE} > 400", "revenue[total,2030] < 1000"]
    np.testing.assert_allclose(table["probability"][:2], shares)
    np.testing.assert_allclose(table["error"][:2], [np.sqrt(p * (1 - p) / 4001) for p in shares])


def test_run__counts_the_shipped_thresholds_behind_those_asked(asked, base_world, base_cells):
    table = asked["prior_predictive/exceedance"].to_dataset()
    rest = [each.text for each in targets.defaults(base_world) if each.text != f"{REVENUE} > 400"]
    assert table["threshold"].values[2:].tolist() == rest
    for text, share in zip(rest, table["probability"].values[2:], strict=True):
        cell, above, value = re.fullmatch(r"(.+) ([<>]) ([\d.]+)", text).groups()
        output, label, year = re.findall(r"\w+", cell)
        drawn = base_cells[place_of(base_world, output, label, year), :4001]
        limit = np.float32(value)
        assert share == pytest.approx(np.mean(drawn > limit if above == ">" else drawn < limit)), text


def test_run__ends_at_the_draws_that_met_the_target(asked):
    assert asked.attrs["draws"] == 4001
