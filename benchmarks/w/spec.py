"""The numbers of W: 8 years, 6 buyers, 6 suppliers; 323 normal and 13 beta variates give 136 outputs.

Of each draw, with years t = 0..7, buyers b, suppliers s and z a standard normal each time it is written:

    growth[b,t]    = mu[b] + rho (growth[b,t-1] - mu[b]) + sigma[b] (CORRELATION_ROOT z)[b,t]
        mu = GROWTH + GROWTH_SD z, sigma = exp(LOG_SHOCK + LOG_SHOCK_SD z), rho ~ beta, growth[b,-1] = GROWTH_START
    capex[b,t]     = CAPEX_START exp(growth[b,0] + ... + growth[b,t])                                        bn USD
    ai[b,t]        = logistic(AI + AI_SD z + (AI_SLOPE + AI_SLOPE_SD z) t + AI_STEP_SD (z[0] + ... + z[t]))
    spend[b,t]     = capex[b,t] ai[b,t] accelerators[b], accelerators ~ beta                                 bn USD
    share[b,s,t]   = softmax over s of SUPPLIER[s] + SUPPLIER_STEP_SD (z[s,0] + ... + z[s,t]) + TASTE[b,s]
                     + TILT_SD z[b] TILT[s]
    price[s,t]     = exp(LOG_PRICE + PRICE_SLOPE t + PRICE_SD z)                                      thousand USD
    perf[s,t]      = exp(LOG_PERF + PERF_SLOPE t + PERF_SD z)                                                H100e
    revenue[s,t]   = sum over b of spend[b,t] share[b,s,t]                                                   bn USD
    shipped[s,t]   = revenue[s,t] perf[s,t] / price[s,t]                                                    M H100e
    users[b,t]     = ceiling / (1 + exp(-rate (t - midpoint))), all three of b and lognormal                     bn
    need[b,t]      = users 2 sessions requests tokens params peak / (MONTH util H100), util ~ beta          M H100e
        sessions, requests, tokens, params = exp(LOG_LEVEL + LOG_LEVEL_SD z + (TREND + TREND_SD z) t)
    installed[b,t] = (1 - retired) installed[b,t-1] + sum over s of spend share perf / price                M H100e
    short[t]       = sum over b of max(need[b,t] - installed[b,t], 0)                                       M H100e

The outputs, year fastest: shipped[s,t], revenue[s,t], then of each year capex, spend, shipped, need (summed) and short.
"""

import numpy as np

YEARS, BUYERS, SUPPLIERS = 8, 6, 6
LEVELS = 4
"""Sessions per user and month, requests per session, tokens per request, parameters."""

GROWTH = np.array([0.18, 0.16, 0.17, 0.20, 0.22, 0.15])
GROWTH_SD = 0.05
GROWTH_START = 0.30
LOG_SHOCK, LOG_SHOCK_SD = np.log(0.12), 0.3
PERSISTENCE = (4.0, 3.0)
"""Shapes of rho's beta."""
CAPEX_START = np.array([90.0, 85.0, 75.0, 70.0, 40.0, 60.0])
CORRELATION = np.where(
    np.eye(BUYERS, dtype=bool), 1, 0.45 + 0.05 * (np.outer(np.arange(BUYERS), np.arange(BUYERS)) % 3)
)
CORRELATION_ROOT = np.linalg.cholesky(CORRELATION)

AI, AI_SD = np.array([0.2, 0.3, 0.1, 0.4, 0.0, 0.8]), 0.25
AI_SLOPE, AI_SLOPE_SD = 0.12, 0.04
AI_STEP_SD = 0.10
ACCELERATORS = (12.0, 8.0)
"""Shapes of the beta of accelerators' part in AI capex."""

SUPPLIER = np.array([1.6, 0.3, 0.1, -0.4, -0.8, -1.2])
SUPPLIER_STEP_SD = 0.25
TASTE = 0.35 * np.sin(1 + 1.7 * np.arange(BUYERS)[:, None] + 2.3 * np.arange(SUPPLIERS))
TILT, TILT_SD = np.array([0.5, -0.3, 0.8, -0.6, 0.2, -0.7]), 0.3
LOG_PRICE, PRICE_SLOPE, PRICE_SD = np.log([30.0, 18.0, 12.0, 10.0, 8.0, 6.0]), 0.04, 0.08
LOG_PERF, PERF_SLOPE, PERF_SD = np.log([1.0, 0.75, 0.6, 0.5, 0.4, 0.3]), 0.35, 0.10

LOG_CEILING, LOG_CEILING_SD = np.log([3.0, 2.5, 2.8, 1.5, 0.6, 1.2]), 0.25
LOG_RATE, LOG_RATE_SD = np.log(0.7), 0.2
LOG_MIDPOINT, LOG_MIDPOINT_SD = np.log(3.0), 0.25
LOG_LEVEL = np.log([[25.0], [6.0], [2500.0], [1.5e11]]) + 0.1 * np.cos(np.arange(LEVELS * BUYERS)).reshape(
    LEVELS, BUYERS
)
LOG_LEVEL_SD = np.array([0.4, 0.3, 0.5, 0.5])
TREND, TREND_SD = np.array([0.10, 0.12, 0.30, 0.05]), np.array([0.03, 0.04, 0.08, 0.04])
LOG_PEAK, LOG_PEAK_SD = np.log(2.5), 0.2
UTILISATION = (9.0, 15.0)
"""Shapes of the beta of a fleet's utilisation."""
FLOP = 2e9 / (30 * 86_400 * 1e15) / 1e6
"""M H100e in use for a billion parameters-times-tokens a month: 2 FLOP each, 30 days, 1e15 FLOP/s per H100e."""
LOG_RETIRED, LOG_RETIRED_SD = np.log(0.22), 0.25
INSTALLED = np.array([0.8, 0.7, 0.6, 0.5, 0.2, 0.3])

VARIATES = {
    "growth": (BUYERS,),
    "shock": (BUYERS,),
    "capex": (BUYERS, YEARS),
    "ai": (BUYERS,),
    "ai_slope": (BUYERS,),
    "ai_step": (BUYERS, YEARS),
    "supplier_step": (SUPPLIERS, YEARS),
    "tilt": (BUYERS,),
    "price": (SUPPLIERS, YEARS),
    "perf": (SUPPLIERS, YEARS),
    "ceiling": (BUYERS,),
    "rate": (BUYERS,),
    "midpoint": (BUYERS,),
    "level": (LEVELS, BUYERS),
    "trend": (LEVELS,),
    "peak": (BUYERS,),
    "retired": (),
    "persistence": (),
    "accelerators": (BUYERS,),
    "utilisation": (BUYERS,),
}
"""Shape of each variate; the last three are betas, all others standard normals."""

BETAS = {"persistence": PERSISTENCE, "accelerators": ACCELERATORS, "utilisation": UTILISATION}
"""The variates that are betas, by their shapes."""

_SIZES = {name: int(np.prod(shape)) for name, shape in VARIATES.items()}


def rows(name: str) -> np.ndarray:
    """Rows of a variate in the table of 336, in the variate's shape."""
    names = list(VARIATES)
    before = sum(_SIZES[other] for other in names[: names.index(name)])
    return before + np.arange(_SIZES[name]).reshape(VARIATES[name])


OUTPUTS = (
    *(f"shipped[{s},{t}]" for s in range(SUPPLIERS) for t in range(YEARS)),
    *(f"revenue[{s},{t}]" for s in range(SUPPLIERS) for t in range(YEARS)),
    *(f"{name}[{t}]" for name in ("capex", "spend", "shipped", "need", "short") for t in range(YEARS)),
)
PROBABILITIES = (0.01, 0.05, 0.25, 0.50, 0.75, 0.95, 0.99)
"""Of the quantiles that a full job gives."""
