"""W in NumPy, tuned: float32, draws last, blocks that fit a core's cache, both cores by threads, sorted quantiles."""

import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from benchmarks.w import spec
from benchmarks.w.summary import Summary, sorted_summary

__all__ = ["job", "simulate"]

BLOCK = 2_048
F32 = np.float32


def _fixed(values: np.ndarray) -> np.ndarray:
    """Fixed numbers beside draws."""
    return np.asarray(values, F32)[..., None]


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def variates(rng: np.random.Generator, n: int) -> dict[str, np.ndarray]:
    """Every variate, the year first where it has years and draws last."""
    found = {}
    for name, shape in spec.VARIATES.items():
        if name in spec.BETAS:
            found[name] = rng.beta(*spec.BETAS[name], (*shape, n)).astype(F32)
        else:
            found[name] = rng.standard_normal((*shape[::-1], n), dtype=F32)
    return found


def simulate(z: dict[str, np.ndarray], cells: np.ndarray) -> None:
    """Write the outputs of a block of variates into cells [output, draw]."""
    shipped, revenue = cells[: 2 * spec.SUPPLIERS * spec.YEARS].reshape(2, spec.SUPPLIERS, spec.YEARS, -1)
    totals = cells[2 * spec.SUPPLIERS * spec.YEARS :].reshape(5, spec.YEARS, -1)
    rho = z["persistence"]
    drift = _fixed(spec.GROWTH) + F32(spec.GROWTH_SD) * z["growth"]
    shock = np.exp(F32(spec.LOG_SHOCK) + F32(spec.LOG_SHOCK_SD) * z["shock"])
    ai = _fixed(spec.AI) + F32(spec.AI_SD) * z["ai"]
    ai_slope = F32(spec.AI_SLOPE) + F32(spec.AI_SLOPE_SD) * z["ai_slope"]
    taste = np.exp(_fixed(spec.TASTE.T) + F32(spec.TILT_SD) * _fixed(spec.TILT)[:, None] * z["tilt"])
    log_need, trend, rate, midpoint = _need(z)
    kept = 1 - np.exp(F32(spec.LOG_RETIRED) + F32(spec.LOG_RETIRED_SD) * z["retired"])
    mixed = np.matmul(spec.CORRELATION_ROOT.astype(F32), z["capex"])
    growth, log_capex = F32(spec.GROWTH_START), _fixed(np.log(spec.CAPEX_START))
    ai_walk, supplier, installed = F32(0), _fixed(spec.SUPPLIER), _fixed(spec.INSTALLED)
    log_worth = _fixed(spec.LOG_PERF - spec.LOG_PRICE)
    for t in range(spec.YEARS):
        growth = drift + rho * (growth - drift) + shock * mixed[t]
        log_capex = log_capex + growth
        ai_walk = ai_walk + F32(spec.AI_STEP_SD) * z["ai_step"][t]
        supplier = supplier + F32(spec.SUPPLIER_STEP_SD) * z["supplier_step"][t]
        capex = np.exp(log_capex)
        spend = capex * z["accelerators"] * _sigmoid(ai + ai_slope * F32(t) + ai_walk)
        bought = taste * np.exp(supplier)[:, None]  # [supplier, buyer, draw]
        bought *= spend / bought.sum(axis=0)
        moved = F32(spec.PERF_SD) * z["perf"][t] - F32(spec.PRICE_SD) * z["price"][t]
        worth = np.exp(log_worth + F32((spec.PERF_SLOPE - spec.PRICE_SLOPE) * t) + moved)
        revenue[:, t] = bought.sum(axis=1)
        shipped[:, t] = revenue[:, t] * worth
        installed = kept * installed + (bought * worth[:, None]).sum(axis=0)
        need = np.exp(log_need + trend * F32(t)) * _sigmoid(rate * (F32(t) - midpoint))
        short = np.maximum(need - installed, 0)
        for row, each in enumerate((capex, spend, shipped[:, t], need, short)):
            each.sum(axis=0, out=totals[row, t])


def _need(z: dict[str, np.ndarray]) -> tuple[np.ndarray, ...]:
    """Log of year 0's need if every user had come, its growth, and rate and midpoint of users."""
    fixed = spec.LOG_CEILING + spec.LOG_LEVEL.sum(axis=0) + np.log(spec.FLOP) + spec.LOG_PEAK
    levels = np.einsum("k,bkn->bn", spec.LOG_LEVEL_SD.astype(F32), z["level"])
    moving = levels + F32(spec.LOG_CEILING_SD) * z["ceiling"] + F32(spec.LOG_PEAK_SD) * z["peak"]
    trend = F32(spec.TREND.sum()) + spec.TREND_SD.astype(F32) @ z["trend"]
    rate = np.exp(F32(spec.LOG_RATE) + F32(spec.LOG_RATE_SD) * z["rate"])
    midpoint = np.exp(F32(spec.LOG_MIDPOINT) + F32(spec.LOG_MIDPOINT_SD) * z["midpoint"])
    return _fixed(fixed) + moving - np.log(z["utilisation"]), trend, rate, midpoint


def job(draws: int, seed: int = 0) -> Summary:
    """The whole job: each thread simulates its blocks, then summarises its outputs."""
    cores = os.cpu_count() or 1
    cells = np.empty((len(spec.OUTPUTS), draws), F32)
    starts = range(0, draws, BLOCK)
    seeds = np.random.SeedSequence(seed).spawn(cores)

    def work(core: int) -> None:
        rng = np.random.Generator(np.random.SFC64(seeds[core]))
        for start in starts[core::cores]:
            block = cells[:, start : start + BLOCK]
            made = np.empty(block.shape, F32)
            simulate(variates(rng, block.shape[1]), made)
            block[:] = made

    with ThreadPoolExecutor(cores) as pool:
        list(pool.map(work, range(cores)))
        parts: Iterable[Summary] = pool.map(sorted_summary, np.array_split(cells, cores))
        return Summary(*(np.concatenate(each, axis=-1) for each in zip(*parts, strict=True)))
