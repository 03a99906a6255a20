"""W as most NumPy users write it: float64, draws first, whole arrays, np.percentile."""

import numpy as np
from scipy.special import expit, softmax

from benchmarks.w import spec
from benchmarks.w.summary import Summary

__all__ = ["job", "simulate", "summarised", "variates"]


def variates(draws: int, seed: int = 0) -> dict[str, np.ndarray]:
    """Every variate [draw, ...] from NumPy's default generator."""
    rng = np.random.default_rng(seed)
    return {
        name: rng.beta(*spec.BETAS[name], (draws, *shape))
        if name in spec.BETAS
        else rng.standard_normal((draws, *shape))
        for name, shape in spec.VARIATES.items()
    }


def simulate(z: dict[str, np.ndarray]) -> np.ndarray:
    """Outputs [draw, output] of the variates."""
    year = np.arange(spec.YEARS)
    capex = _capex(z)
    ai = expit(
        (spec.AI + spec.AI_SD * z["ai"])[:, :, None]
        + (spec.AI_SLOPE + spec.AI_SLOPE_SD * z["ai_slope"])[:, :, None] * year
        + spec.AI_STEP_SD * np.cumsum(z["ai_step"], axis=2)
    )
    spend = capex * ai * z["accelerators"][:, :, None]
    bought = spend[:, :, None, :] * _share(z)  # [draw, buyer, supplier, year]
    price = np.exp(spec.LOG_PRICE[:, None] + spec.PRICE_SLOPE * year + spec.PRICE_SD * z["price"])
    perf = np.exp(spec.LOG_PERF[:, None] + spec.PERF_SLOPE * year + spec.PERF_SD * z["perf"])
    revenue = bought.sum(axis=1)
    shipped = revenue * perf / price
    need = _need(z)
    added = np.einsum("nbst,nst->nbt", bought, perf / price)
    short = np.maximum(need - _installed(z, added), 0).sum(axis=1)
    totals = [capex.sum(axis=1), spend.sum(axis=1), shipped.sum(axis=1), need.sum(axis=1), short]
    return np.concatenate([each.reshape(len(short), -1) for each in (shipped, revenue, *totals)], axis=1)


def _capex(z: dict[str, np.ndarray]) -> np.ndarray:
    mu = spec.GROWTH + spec.GROWTH_SD * z["growth"]
    sigma = np.exp(spec.LOG_SHOCK + spec.LOG_SHOCK_SD * z["shock"])
    rho = z["persistence"][:, None]
    shocks = sigma[:, :, None] * np.einsum("bc,nct->nbt", spec.CORRELATION_ROOT, z["capex"])
    growth = np.empty_like(shocks)
    before = np.full_like(mu, spec.GROWTH_START)
    for t in range(spec.YEARS):
        before = growth[:, :, t] = mu + rho * (before - mu) + shocks[:, :, t]
    return spec.CAPEX_START[:, None] * np.exp(np.cumsum(growth, axis=2))


def _share(z: dict[str, np.ndarray]) -> np.ndarray:
    walk = spec.SUPPLIER[:, None] + spec.SUPPLIER_STEP_SD * np.cumsum(z["supplier_step"], axis=2)
    taste = spec.TASTE + spec.TILT_SD * z["tilt"][:, :, None] * spec.TILT
    return softmax(walk[:, None, :, :] + taste[:, :, :, None], axis=2)


def _need(z: dict[str, np.ndarray]) -> np.ndarray:
    year = np.arange(spec.YEARS)
    ceiling = np.exp(spec.LOG_CEILING + spec.LOG_CEILING_SD * z["ceiling"])
    rate = np.exp(spec.LOG_RATE + spec.LOG_RATE_SD * z["rate"])
    midpoint = np.exp(spec.LOG_MIDPOINT + spec.LOG_MIDPOINT_SD * z["midpoint"])
    users = ceiling[:, :, None] / (1 + np.exp(-rate[:, :, None] * (year - midpoint[:, :, None])))
    trend = spec.TREND + spec.TREND_SD * z["trend"]
    start = np.exp(spec.LOG_LEVEL + spec.LOG_LEVEL_SD[:, None] * z["level"])
    levels = start[:, :, :, None] * np.exp(trend[:, :, None, None] * year)
    peak = np.exp(spec.LOG_PEAK + spec.LOG_PEAK_SD * z["peak"])
    return users * levels.prod(axis=1) * spec.FLOP * (peak / z["utilisation"])[:, :, None]


def _installed(z: dict[str, np.ndarray], added: np.ndarray) -> np.ndarray:
    kept = 1 - np.exp(spec.LOG_RETIRED + spec.LOG_RETIRED_SD * z["retired"])[:, None]
    installed = np.empty_like(added)
    before = np.broadcast_to(spec.INSTALLED, added.shape[:2])
    for t in range(spec.YEARS):
        before = installed[:, :, t] = kept * before + added[:, :, t]
    return installed


def job(draws: int, seed: int = 0) -> Summary:
    """The whole job at once."""
    return summarised(simulate(variates(draws, seed)))


def summarised(outputs: np.ndarray) -> Summary:
    """Summary of outputs [draw, output]."""
    quantiles = np.percentile(outputs, 100 * np.array(spec.PROBABILITIES), axis=0)
    return Summary(outputs.mean(axis=0), outputs.std(axis=0), quantiles)
