"""W in numba: loops over draws side by side that LLVM turns into vector instructions, statistics folded on the fly."""

from typing import NamedTuple

import numba
import numpy as np
from numba import njit, prange

from benchmarks.w import spec
from benchmarks.w.betas import logit_polynomial
from benchmarks.w.numba_math import FAST, exp, fill_with_normals, float_bits, log, sigmoid
from benchmarks.w.summary import BINS, LEAST, SHIFT, Summary, counted_summary

__all__ = ["job"]

LANES = 64
"""Draws side by side."""
F32 = np.float32
T, B, S, K = spec.YEARS, spec.BUYERS, spec.SUPPLIERS, spec.LEVELS
CELLS = len(spec.OUTPUTS)

LINES = {
    "growth": (spec.GROWTH, spec.GROWTH_SD),
    "shock": (spec.LOG_SHOCK, spec.LOG_SHOCK_SD),
    "ai": (spec.AI, spec.AI_SD),
    "ai_slope": (spec.AI_SLOPE, spec.AI_SLOPE_SD),
    "ai_step": (0, spec.AI_STEP_SD),
    "supplier_step": (0, spec.SUPPLIER_STEP_SD),
    "tilt": (0, spec.TILT_SD),
    "price": (spec.LOG_PRICE[:, None] + spec.PRICE_SLOPE * np.arange(T), spec.PRICE_SD),
    "perf": (spec.LOG_PERF[:, None] + spec.PERF_SLOPE * np.arange(T), spec.PERF_SD),
    "ceiling": (spec.LOG_CEILING + np.log(spec.FLOP), spec.LOG_CEILING_SD),
    "rate": (spec.LOG_RATE, spec.LOG_RATE_SD),
    "midpoint": (spec.LOG_MIDPOINT, spec.LOG_MIDPOINT_SD),
    "level": (spec.LOG_LEVEL, spec.LOG_LEVEL_SD[:, None]),
    "trend": (spec.TREND, spec.TREND_SD),
    "peak": (spec.LOG_PEAK, spec.LOG_PEAK_SD),
    "retired": (spec.LOG_RETIRED, spec.LOG_RETIRED_SD),
}
"""Mean and sd of every variate that is a line in its score."""


def _column(part: int) -> np.ndarray:
    """Means (0) or sds (1) of all rows; a row without a line keeps its score."""
    lines = [LINES.get(name, (0, 1))[part] for name in spec.VARIATES]
    full = [np.broadcast_to(line, shape).ravel() for line, shape in zip(lines, spec.VARIATES.values(), strict=True)]
    return np.concatenate(full).astype(F32)


class Rows(NamedTuple):
    """First row of each variate."""

    growth: int
    shock: int
    capex: int
    ai: int
    ai_slope: int
    ai_step: int
    supplier_step: int
    tilt: int
    price: int
    perf: int
    ceiling: int
    rate: int
    midpoint: int
    level: int
    trend: int
    peak: int
    retired: int
    persistence: int
    accelerators: int
    utilisation: int


AT = Rows(*(int(spec.rows(name).flat[0]) for name in Rows._fields))
MEAN, SD = _column(0), _column(1)
LOGITS = np.concatenate(
    [np.tile(logit_polynomial(*spec.BETAS[name]), (spec.rows(name).size, 1)) for name in spec.BETAS]
)
LOGITS = LOGITS[:, ::-1].astype(F32)
ROOT, TASTE, TILT, START, SUPPLIER, INSTALLED = (
    np.asarray(each, F32)
    for each in (
        spec.CORRELATION_ROOT,
        spec.TASTE,
        spec.TILT,
        np.log(spec.CAPEX_START),
        spec.SUPPLIER,
        spec.INSTALLED,
    )
)
ZERO, ONE, GROWTH_START = F32(0), F32(1), F32(spec.GROWTH_START)


@njit(**FAST)
def _shape(z):
    """Turn scores into variates in place."""
    for row in range(AT.persistence):
        for lane in range(LANES):
            z[row, lane] = MEAN[row] + SD[row] * z[row, lane]
    for beta in range(LOGITS.shape[0]):
        row = AT.persistence + beta
        for lane in range(LANES):
            logit = ZERO
            for power in range(LOGITS.shape[1]):
                logit = logit * z[row, lane] + LOGITS[beta, power]
            z[row, lane] = sigmoid(logit)


@njit(**FAST)
def _begin(z, fixed, state):
    """What a draw keeps over the years, and where it begins."""
    _exp(z[AT.shock : AT.shock + B], fixed.shock)
    _exp(z[AT.rate : AT.rate + B], fixed.rate)
    _exp(z[AT.midpoint : AT.midpoint + B], fixed.midpoint)
    for lane in range(LANES):
        fixed.kept[lane] = ONE - exp(z[AT.retired, lane])
    for lane in range(LANES):
        fixed.trend[lane] = z[AT.trend, lane] + z[AT.trend + 1, lane] + z[AT.trend + 2, lane] + z[AT.trend + 3, lane]
    for b in range(B):
        for lane in range(LANES):
            fixed.log_need[b, lane] = z[AT.ceiling + b, lane] + z[AT.peak + b, lane] - log(z[AT.utilisation + b, lane])
        for k in range(K):
            for lane in range(LANES):
                fixed.log_need[b, lane] += z[AT.level + k * B + b, lane]
        for s in range(S):
            for lane in range(LANES):
                fixed.taste[s, b, lane] = exp(TASTE[b, s] + TILT[s] * z[AT.tilt + b, lane])
        state.growth[b] = GROWTH_START
        state.log_capex[b] = START[b]
        state.ai_walk[b] = ZERO
        state.installed[b] = INSTALLED[b]
        state.supplier[b] = SUPPLIER[b]


@njit(**FAST)
def _exp(rows, out):
    for row in range(len(rows)):
        for lane in range(LANES):
            out[row, lane] = exp(rows[row, lane])


@njit(**FAST)
def _add(row, total):
    for lane in range(LANES):
        total[lane] += row[lane]


@njit(**FAST)
def _split(z, state, t):
    """Suppliers' weights and what a thousand USD buy from each."""
    for s in range(S):
        _add(z[AT.supplier_step + s * T + t], state.supplier[s])
        for lane in range(LANES):
            state.worth[s, lane] = exp(z[AT.perf + s * T + t, lane] - z[AT.price + s * T + t, lane])
    _exp(state.supplier, state.weight)


@njit(**FAST)
def _earn(z, fixed, state, b, t):
    """A buyer's capex and what it spends on accelerators, in the buffers of that name."""
    year = F32(t)
    drift, rho, slope = z[AT.growth + b], z[AT.persistence], z[AT.ai_slope + b]
    state.shock[:] = ZERO
    for c in range(b + 1):
        for lane in range(LANES):
            state.shock[lane] += ROOT[b, c] * z[AT.capex + c * T + t, lane]
    growth = state.growth[b]
    for lane in range(LANES):
        growth[lane] = drift[lane] + rho[lane] * (growth[lane] - drift[lane]) + fixed.shock[b, lane] * state.shock[lane]
    _add(growth, state.log_capex[b])
    _add(z[AT.ai_step + b * T + t], state.ai_walk[b])
    for lane in range(LANES):
        state.capex[lane] = exp(state.log_capex[b, lane])
    for lane in range(LANES):
        ai = sigmoid(z[AT.ai + b, lane] + slope[lane] * year + state.ai_walk[b, lane])
        state.spend[lane] = state.capex[lane] * ai * z[AT.accelerators + b, lane]


@njit(**FAST)
def _buy(fixed, state, cells, b, t):
    """Split a buyer's spending over the suppliers; ``added`` is what it receives."""
    state.whole[:] = ZERO
    for s in range(S):
        for lane in range(LANES):
            state.whole[lane] += state.weight[s, lane] * fixed.taste[s, b, lane]
    for lane in range(LANES):
        state.whole[lane] = state.spend[lane] / state.whole[lane]
    for lane in range(LANES):
        state.installed[b, lane] *= fixed.kept[lane]
    for s in range(S):
        for lane in range(LANES):
            state.bought[lane] = state.weight[s, lane] * fixed.taste[s, b, lane] * state.whole[lane]
        _add(state.bought, cells[(S + s) * T + t])
        for lane in range(LANES):
            state.installed[b, lane] += state.bought[lane] * state.worth[s, lane]


@njit(**FAST)
def _use(fixed, state, cells, b, t):
    """A buyer's need and what it is short of."""
    year = F32(t)
    for lane in range(LANES):
        users = sigmoid(fixed.rate[b, lane] * (year - fixed.midpoint[b, lane]))
        state.need[lane] = exp(fixed.log_need[b, lane] + fixed.trend[lane] * year) * users
    short = cells[(2 * S + 4) * T + t]
    for lane in range(LANES):
        short[lane] += max(state.need[lane] - state.installed[b, lane], ZERO)
    _add(state.need, cells[(2 * S + 3) * T + t])


@njit(**FAST)
def _advance(z, fixed, state, cells, t):
    """One year. Each loop writes one row: with more, LLVM finds too many pairs that might overlap."""
    _split(z, state, t)
    cells[S * T + t :: T] = ZERO
    for b in range(B):
        _earn(z, fixed, state, b, t)
        _add(state.capex, cells[2 * S * T + t])
        _add(state.spend, cells[(2 * S + 1) * T + t])
        _buy(fixed, state, cells, b, t)
        _use(fixed, state, cells, b, t)
    for s in range(S):
        for lane in range(LANES):
            cells[s * T + t, lane] = cells[(S + s) * T + t, lane] * state.worth[s, lane]
        _add(cells[s * T + t], cells[(2 * S + 2) * T + t])


@njit(**FAST)
def _fold(cells, counts, sums):
    """Count the values' float bits, and add them and their squares."""
    for cell in range(CELLS):
        total, square = ZERO, ZERO
        for lane in range(LANES):
            value = cells[cell, lane]
            total += value
            square += value * value
            bin = (float_bits(value) >> SHIFT) - LEAST
            counts[cell, min(max(bin, 0), BINS - 1)] += 1
        sums[0, cell] += total
        sums[1, cell] += square


class Fixed(NamedTuple):
    """Buffers for what a draw keeps [.., lane]."""

    shock: np.ndarray
    rate: np.ndarray
    midpoint: np.ndarray
    log_need: np.ndarray
    taste: np.ndarray
    kept: np.ndarray
    trend: np.ndarray


class State(NamedTuple):
    """Buffers for what a year hands to the next [.., lane], and for one buyer's year [lane]."""

    growth: np.ndarray
    log_capex: np.ndarray
    ai_walk: np.ndarray
    installed: np.ndarray
    supplier: np.ndarray
    weight: np.ndarray
    worth: np.ndarray
    shock: np.ndarray
    capex: np.ndarray
    spend: np.ndarray
    whole: np.ndarray
    bought: np.ndarray
    need: np.ndarray


@njit(**FAST)
def _rows(rows):
    return np.empty((rows, LANES), F32)


@njit(**FAST)
def _row():
    return np.empty(LANES, F32)


@njit(parallel=True, **FAST)
def _run(groups, generators, counts, sums):
    """Groups of draws, shared between cores; counts [core, cell, bin] and sums [core, moment, cell] are added to."""
    for core in prange(len(generators)):
        fixed = Fixed(_rows(B), _rows(B), _rows(B), _rows(B), np.empty((S, B, LANES), F32), _row(), _row())
        buyers, suppliers = (_rows(B), _rows(B), _rows(B), _rows(B)), (_rows(S), _rows(S), _rows(S))
        state = State(*buyers, *suppliers, _row(), _row(), _row(), _row(), _row(), _row())
        z, cells = _rows(len(MEAN)), _rows(CELLS)
        for _ in range(core, groups, len(generators)):
            fill_with_normals(generators[core], z)
            _shape(z)
            _begin(z, fixed, state)
            for t in range(T):
                _advance(z, fixed, state, cells, t)
            _fold(cells, counts[core], sums[core])


def job(draws: int, seed: int = 0) -> Summary:
    """The whole job; draws are rounded up to whole groups."""
    cores, groups = numba.config.NUMBA_NUM_THREADS, -(-draws // LANES)
    words = np.random.SeedSequence(seed).generate_state(cores * 4 * LANES)
    counts, sums = np.zeros((cores, CELLS, BINS), np.int32), np.zeros((cores, 2, CELLS))
    _run(groups, words.astype(np.uint32).reshape(cores, 4, LANES), counts, sums)
    return counted_summary(counts.sum(axis=0), *sums.sum(axis=0) / (groups * LANES))
