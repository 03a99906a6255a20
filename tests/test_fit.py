"""The capex fit: its record, likelihood, sampler, diagnostics, recovery, spread factor, quarters and stored files."""

import datetime as dt
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from sim import fit, history
from sim.book.load import priors_folder
from sim.errors import BookError
from sim.fit import checks, process, quarterly, sampler, spread, stored
from sim.fit.posterior import fit_record
from sim.fit.process import Hyper
from sim.fit.record import Record, record

FITS = priors_folder() / "fits"
TODAY = dt.date(2026, 2, 28)
QUICK = sampler.Size(chains=16, warmup=300, steps=700)
ALPHA = 1e-6


@pytest.fixture(scope="module")
def rows():
    return history.read(priors_folder() / "history" / "capex.csv")


@pytest.fixture(scope="module")
def quick(rows):
    return fit.fit_capex(rows, as_of=TODAY, size=QUICK)


def hyper(mu=0.2, tau=0.05, sigma_c=0.15, sigma_o=0.3, nu=6.0, own=(0.0, 0.0, 0.0, 0.0), chains=1):
    values = (np.full(chains, value) for value in (mu, tau, sigma_c, sigma_o, nu))
    return Hyper(*values, np.repeat(np.array(own)[:, None], chains, axis=1))


def made(growth):
    """A record whose growth is the given one."""
    level = np.exp(np.cumsum(np.concatenate([np.zeros((len(growth), 1)), growth], axis=1), axis=1))
    return Record(tuple("abcd"[: len(growth)]), tuple(range(2005, 2006 + growth.shape[1])), level, "")


# the record


def test_record__uses_only_what_was_published(rows):
    known = record(rows, as_of=dt.date(2024, 2, 8))
    assert (known.years[0], known.years[-1]) == (2005, 2023)
    assert record(rows, as_of=dt.date(2024, 1, 29)).years[-1] == 2022
    assert record(rows, as_of=TODAY, last_year=2015).years[-1] == 2015


def test_record__later_rows_change_nothing(rows):
    as_of = dt.date(2024, 2, 8)
    doubled = [replace(row, value=2 * row.value) if row.published > as_of else row for row in rows]
    assert record(doubled, as_of=as_of).digest == record(rows, as_of=as_of).digest
    assert record(doubled, as_of=TODAY).digest != record(rows, as_of=TODAY).digest


def test_record__total_is_the_reports(rows):
    """S4: 142.852 bn USD in 2023 after 146.005; growth of 2009 and 2010 with Meta in both years."""
    known = record(rows, as_of=TODAY)
    total = dict(zip(known.years, np.nansum(known.level, axis=0), strict=True))
    assert total[2023] == pytest.approx(142.852, rel=1e-3)
    assert total[2022] == pytest.approx(146.005, rel=1e-3)
    assert np.isnan(known.growth[3, :4]).all()
    assert np.isfinite(known.growth).sum() == 76


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda rows: [row for row in rows if row.entity != "meta"], "fit-rows"),
        (lambda rows: [row for row in rows if row.period in ("2023", "2024", "2025")], "fit-rows"),
        (lambda rows: [], "fit-rows"),
        (lambda rows: [replace(row, value=0.0) if row.key == "meta.capex.2012" else row for row in rows], "fit-value"),
    ],
)
def test_record__refuses_what_cannot_be_fitted(rows, change, code):
    with pytest.raises(BookError) as caught:
        record(change(rows), as_of=TODAY)
    assert caught.value.code == code
    assert caught.value.remedy


# likelihood


def brute(values, growth, y):
    """One year's likelihood by a fine trapezium rule over the common shock, with SciPy's t."""
    mu, sigma_c, sigma_o, nu = (float(getattr(values, name)[0]) for name in ("mu", "sigma_c", "sigma_o", "nu"))
    scale = sigma_o * np.sqrt((nu - 2) / nu)
    c = np.linspace(-12, 12, 24_001)
    density = stats.norm.pdf(c)
    for g, own in zip(growth, values.own, strict=True):
        if np.isfinite(g[y]):
            density = density * stats.t.pdf(g[y], nu, loc=mu + own[0] + sigma_c * c, scale=scale)
    return integrate.trapezoid(density, c)


@pytest.mark.parametrize(
    ("values", "tolerance"),
    [
        (hyper(), 1e-6),
        (hyper(nu=60.0, sigma_c=0.02), 1e-6),
        (hyper(sigma_c=0.25, sigma_o=0.35, nu=4.0, own=(0.1, -0.1, 0.05, 0.0)), 1e-5),
        (hyper(sigma_c=0.3, sigma_o=0.3, nu=3.0), 2e-3),
    ],
)
def test_likelihood__agrees_with_brute_force(rows, values, tolerance):
    """Years with outliers and with a missing company included; log density to the tolerance over all 20 years."""
    growth = record(rows, as_of=TODAY).growth
    expected = sum(np.log(brute(values, growth, y)) for y in range(growth.shape[1]))
    assert process.log_likelihood(values, growth)[0] == pytest.approx(expected, abs=tolerance)


def test_likelihood__without_a_common_shock_is_the_t_density(rows):
    growth = record(rows, as_of=TODAY).growth
    values = hyper(sigma_c=0.0, own=(0.1, 0.0, -0.1, 0.2))
    apart = growth - 0.2 - values.own
    scale = 0.3 * np.sqrt(4 / 6)
    assert process.log_likelihood(values, growth)[0] == pytest.approx(np.nansum(stats.t.logpdf(apart, 6, scale=scale)))


def test_t__of_the_simulation_is_that_of_the_likelihood():
    """Distribution of 2e5 simulated own shocks by KS at 1e-6: sees an error of 1 % in probability, and sd to 2 %."""
    values = hyper(mu=0.0, tau=0.0, sigma_c=0.0, sigma_o=0.4, nu=7.0, chains=50_000)
    growth = process.simulate(values, 1, np.random.default_rng(1)).ravel()
    assert stats.kstest(growth, stats.t(7, scale=0.4 * np.sqrt(5 / 7)).cdf).pvalue > ALPHA
    assert growth.std() == pytest.approx(0.4, rel=0.02)


def test_simulate__shares_the_common_shock_and_keeps_own_drifts():
    values = hyper(own=(0.3, 0.0, 0.0, -0.3), chains=100_000)
    growth = process.simulate(values, 2, np.random.default_rng(2))
    assert growth[0].mean() == pytest.approx(0.5, abs=0.005)
    assert growth[3].mean() == pytest.approx(-0.1, abs=0.005)
    assert np.cov(growth[1, 0], growth[2, 0])[0, 1] == pytest.approx(0.15**2, abs=0.002)
    assert np.cov(growth[1, 0], growth[1, 1])[0, 1] == pytest.approx(0, abs=0.002)


def test_posterior__is_the_prior_when_nothing_is_seen():
    """The quantiles of every parameter against the hyper-priors themselves: holds the Jacobians."""
    nothing = np.full((4, 3), np.nan)
    rng = np.random.default_rng(3)
    points, _ = sampler.metropolis(
        lambda point: process.log_posterior(point, nothing),
        process.start(4, 32, rng),
        sampler.Size(32, 1000, 3000),
        rng,
    )
    drawn = process.unpack(points.reshape(9, -1))
    beyond = stats.gamma(2, scale=10)
    levels = np.array([0.25, 0.5, 0.75])
    expected = {
        "mu": stats.norm(0.15, 0.2).ppf(levels),
        "tau": stats.halfnorm(scale=0.1).ppf(levels),
        "sigma_c": stats.halfnorm(scale=0.25).ppf(levels),
        "sigma_o": stats.halfnorm(scale=0.5).ppf(levels),
        "nu": beyond.ppf(beyond.cdf(2) + levels * beyond.sf(2)),
    }
    for name, quantiles in expected.items():
        draws = getattr(drawn, name).reshape(32, -1)
        allowed = 5.5 * sampler.quantile_errors(draws, tuple(levels))
        assert (np.abs(np.quantile(draws, levels) - quantiles) < allowed).all(), name


# sampler and diagnostics


def test_metropolis__finds_a_correlated_normal():
    covariance = np.array([[1.0, 0.9, 0.0], [0.9, 1.0, 0.3], [0.0, 0.3, 4.0]])
    inverse, mean = np.linalg.inv(covariance + np.eye(3) * 0.2), np.array([1.0, -2.0, 3.0])
    rng = np.random.default_rng(4)

    def log_density(point):
        apart = point - mean[:, None]
        return -np.einsum("ic,ij,jc->c", apart, inverse, apart) / 2

    points, accepted = sampler.metropolis(
        log_density, 5 * rng.standard_normal((3, 32)), sampler.Size(32, 500, 4000), rng
    )
    draws = points.reshape(3, -1)
    assert 0.15 < accepted < 0.5
    assert draws.mean(axis=1) == pytest.approx(mean, abs=0.1)
    assert np.cov(draws) == pytest.approx(covariance + np.eye(3) * 0.2, abs=0.2)
    assert max(sampler.split_rhat(each) for each in points) < 1.02


def test_metropolis__gives_the_same_for_the_same_seed(rows, quick):
    again = fit.fit_capex(rows, as_of=TODAY, size=QUICK)
    assert np.array_equal(again.points, quick.points)
    assert not np.array_equal(fit.fit_capex(rows, as_of=TODAY, size=QUICK, seed=1).points, quick.points)


def test_diagnostics__of_independent_draws():
    draws = np.random.default_rng(5).standard_normal((8, 2000))
    assert sampler.split_rhat(draws) == pytest.approx(1, abs=0.005)
    assert sampler.bulk_ess(draws) == pytest.approx(16000, rel=0.1)
    assert sampler.tail_ess(draws) == pytest.approx(16000, rel=0.15)
    exact = np.sqrt(0.25 / 16000) / stats.norm.pdf(0)
    assert sampler.quantile_errors(np.random.default_rng(6).standard_normal((16, 1000)), (0.5,))[0] == pytest.approx(
        exact, rel=0.6
    )


@pytest.mark.parametrize("rho", [0.5, 0.9])
def test_diagnostics__of_an_autoregression(rho):
    """ESS of an AR(1) is N (1 - rho) / (1 + rho)."""
    rng = np.random.default_rng(7)
    draws = np.empty((16, 5000))
    draws[:, 0] = rng.standard_normal(16)
    for step in range(1, 5000):
        draws[:, step] = rho * draws[:, step - 1] + np.sqrt(1 - rho**2) * rng.standard_normal(16)
    assert sampler.bulk_ess(draws) == pytest.approx(80_000 * (1 - rho) / (1 + rho), rel=0.15)


@pytest.mark.parametrize("spoil", [lambda x: x + np.arange(8)[:, None] / 4, lambda x: x * (1 + np.arange(8)[:, None])])
def test_rhat__sees_chains_that_differ_in_place_or_width(spoil):
    assert sampler.split_rhat(spoil(np.random.default_rng(8).standard_normal((8, 1000)))) > 1.05


# recovery


def test_fit__recovers_known_parameters():
    """20 records of four companies and 20 years; parameters from the hyper-priors, own sd within 0.2 to 0.8.

    Of 100 parameters about 90 lie in their 90 % intervals. The bound is the binomial's at 1e-6 and sees intervals
    that hold about two thirds; docs/fit.md gives 100 records by parameter.
    """
    size, inside = sampler.Size(16, 300, 500), 0
    for seed in range(20):
        rng = np.random.default_rng([9, seed])
        tau, nu, sigma_o = abs(rng.normal(0, 0.1)), 0.0, 0.0
        while nu <= 2:
            nu = rng.gamma(2, 10)
        while not 0.2 < sigma_o < 0.8:
            sigma_o = abs(rng.normal(0, 0.5))
        truth = Hyper(
            *(np.array([value]) for value in (rng.normal(0.15, 0.2), tau, abs(rng.normal(0, 0.25)))),
            np.array([sigma_o]),
            np.array([nu]),
            tau * rng.standard_normal((4, 1)),
        )
        growth = process.simulate(truth, 20, rng)[..., 0]
        drawn = fit_record(made(growth), as_of=TODAY, seed=seed, size=size).hyper
        for name in process.NAMES:
            low, high = np.quantile(getattr(drawn, name), (0.05, 0.95))
            inside += low <= getattr(truth, name)[0] <= high
    assert stats.binom.ppf(ALPHA, 100, 0.9) <= inside <= 100


# predictive checks


def test_statistics__by_hand():
    total = np.log(np.array([1.1, 0.9, 1.2, 1.0]))
    growth = np.stack([total, -total])
    found = checks.statistics(growth, total)
    assert found["mean"] == pytest.approx(total.mean())
    assert found["sd"] == pytest.approx(total.std(ddof=1))
    assert found["lag1"] == pytest.approx(np.corrcoef(total[1:], total[:-1])[0, 1])
    assert found["down_share"] == 0.25
    assert found["company_correlation"] == pytest.approx(-1)
    assert found["company_sd"] == pytest.approx(total.std(ddof=1))


def test_checks__the_record_is_the_issues(quick):
    """Mean .26, sd .18, lag-1 autocorrelation -.16 of 2011-2025, one fall in 15 years; none of them extreme."""
    found = checks.predictive_checks(quick)
    assert found["mean"].observed == pytest.approx(0.26, abs=0.005)
    assert found["sd"].observed == pytest.approx(0.18, abs=0.005)
    assert found["lag1"].observed == pytest.approx(-0.16, abs=0.006)
    assert found["down_share"].observed == pytest.approx(1 / 15)
    assert all(0.01 < check.p < 0.99 for check in found.values())


# spread factor


@given(st.floats(0.3, 3))
def test_factor__undoes_a_wrong_width(width):
    """Normal outcomes and normal intervals ``width`` times too wide: the factor is 1 / width."""
    rng = np.random.default_rng(10)
    half = width * stats.norm.ppf(0.5 + np.array(spread.COVERAGES) / 2)
    distance = np.abs(rng.standard_normal((4, 3000, 1))) / half
    found = spread._factor(distance)
    assert found == pytest.approx(1 / width, rel=0.05)


def test_factor__shrinks_towards_one_and_has_nominal_coverage():
    rng = np.random.default_rng(11)
    half = 2 * stats.norm.ppf(0.5 + np.array(spread.COVERAGES) / 2)
    distance = np.abs(rng.standard_normal((4, 600, 1))) / half
    found = spread.factor(distance, np.repeat(np.arange(15), 40), seed=0)
    assert found.found < found.shrunk < 1
    assert found.shrunk == pytest.approx(found.found ** (15 / 20))
    assert found.low < found.found < found.high
    assert found.covered_found == pytest.approx(spread.COVERAGES, abs=0.03)
    assert found.cases == 2400


def test_half_widths__by_hand():
    """Quantiles of 0..100 are themselves: 75 is the upper edge of the 50 % interval, 5 the lower one of the 90 %."""
    draws = np.broadcast_to(np.arange(101.0), (3, 101))
    found = spread.half_widths(draws, np.array([75.0, 5.0, 50.0]))
    assert found[:, 0] == pytest.approx([1, 1.8, 0])
    assert found[:, 2] == pytest.approx([25 / 45, 1, 0])


def test_rolling__forecasts_only_what_is_known_and_from_the_past_alone(rows):
    """Outcomes of 2014 on leave the fits and forecasts from 2010 and 2011 of up to two years untouched."""
    tiny = sampler.Size(8, 100, 50)
    short = fit.fit_capex(rows, as_of=TODAY, last_year=2013, size=tiny)
    longer = fit.fit_capex(rows, as_of=TODAY, last_year=2014, size=tiny)
    one, two = (spread.rolling(each, tiny) for each in (short, longer))
    assert one.origin.tolist() == [2010, 2010, 2010, 2011, 2011, 2012]
    assert one.horizon.tolist() == [1, 2, 3, 1, 2, 1]
    assert np.array_equal(two.total[:3], one.total[:3])
    assert np.array_equal(two.companies[:, :3], one.companies[:, :3])


# quarters


def test_timing__is_the_base_books(base_world):
    table = base_world.book.priors["shock_timing"].table
    assert [table[(season,)].value for season in ("Q1", "Q2", "Q3", "Q4")] == list(quarterly.TIMING)


def test_quarterly__without_shocks_grows_by_the_drift():
    values = hyper(mu=0.2, tau=0.0, sigma_c=0.0, sigma_o=0.0, own=(0.1, 0.0, 0.0, 0.0))
    growth = quarterly.quarterly(values, 3, np.random.default_rng(0))[..., 0]
    assert growth == pytest.approx(np.array([[0.3] * 3, [0.2] * 3, [0.2] * 3, [0.2] * 3]), abs=1e-6)


def test_quarterly__at_once_in_the_first_quarter_is_the_annual_process():
    values = hyper(mu=0.25, chains=20_000)
    growth = quarterly.quarterly(values, 6, np.random.default_rng(1), timing=(1.0, 0.0, 0.0, 0.0))
    found = quarterly.moments(growth, values)
    assert found.sd == pytest.approx(np.hypot(0.15, 0.3), rel=0.01)
    assert found.lag1 == pytest.approx(0, abs=0.01)


def test_quarterly__loses_spread_as_the_first_order_says():
    """With a = .8125 the sd is sqrt(a^2 + (1 - a)^2) of the annual one and the lag-1 a (1 - a) over that squared."""
    values = hyper(mu=0.0, sigma_c=0.02, sigma_o=0.05, nu=30.0, chains=20_000)
    found = quarterly.moments(quarterly.quarterly(values, 6, np.random.default_rng(2)), values)
    a = 0.8125
    square = a**2 + (1 - a) ** 2
    assert found.sd == pytest.approx(np.sqrt(square) * np.hypot(0.02, 0.05), rel=0.01)
    assert found.lag1 == pytest.approx(a * (1 - a) / square, abs=0.01)
    assert quarterly.horizon_ratios()[0] == pytest.approx(a)


# stored


def test_fit__says_when_a_record_is_too_short_for_the_factor(rows):
    with pytest.raises(BookError) as caught:
        fit.fit(rows, as_of=dt.date(2013, 6, 1))
    assert caught.value.code == "fit-early"


def test_fit__runs_from_the_shortest_record(rows, tmp_path):
    tiny = sampler.Size(8, 100, 50)
    short = fit.fit(rows, as_of=TODAY, last_year=2014, size=tiny, rolling_size=tiny)
    assert fit.read(fit.write(short, tmp_path))["record"]["growth_years"] == [2006, 2014]


@pytest.mark.parametrize("as_of", stored.VINTAGES, ids=str)
def test_stored__is_of_the_record_known_then_and_can_be_trusted(rows, as_of):
    document = fit.read(FITS / f"capex_{as_of}.yaml")
    known = record(rows, as_of=as_of)
    assert document["as_of"] == as_of
    assert document["record"]["sha256"] == known.digest
    assert document["record"]["growth_years"] == [known.years[1], known.years[-1]]
    for values in document["parameters"].values():
        assert values["rhat"] < 1.015
        assert min(values["ess_bulk"], values["ess_tail"]) > 1000
        assert values["p05"] < values["p25"] < values["p50"] < values["p75"] < values["p95"]


def test_stored__is_made_again_within_monte_carlo_error(quick):
    """A fourteenth of the draws with the same seed: five standard errors of both on each of three quantiles."""
    document = fit.read(FITS / f"capex_{TODAY}.yaml")
    for name, values in quick.summary().items():
        there = document["own_drift"][name[2:]] if name.startswith("m.") else document["parameters"][name]
        for level in ("p05", "p50", "p95"):
            error = np.hypot(values[f"mcse_{level}"], there[f"mcse_{level}"]) + 1e-4
            assert abs(values[level] - there[level]) < 5 * error, (name, level)


def test_write__gives_what_read_reads(quick, tmp_path):
    found = spread.Factor(0.5, 0.6, 0.4, 0.7, (0.6,) * 3, (0.5,) * 3, (0.55,) * 3, 10)
    made_ = stored.Fit(
        quick,
        checks.predictive_checks(quick),
        checks.predictive_checks(quick, partial(quarterly.quarterly, scale=1.1)),
        {"companies": found, "total": found},
        {"companies": {"plain": (0.5,)}},
        {},
    )
    path = fit.write(made_, tmp_path)
    document = fit.read(path)
    assert path.name == "capex_2026-02-28.yaml"
    assert document["spread_factor"]["total"]["shrunk"] == 0.6
    own = document["recommended"]["capex_own_sd.default"]
    scale = 0.6 * quarterly.scale_needed()
    assert own["p95"] == pytest.approx(scale * made_.summary["sigma_o"]["p95"], abs=1e-4)
