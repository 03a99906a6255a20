"""The numbers that are definitions rather than beliefs: everything uncertain is a prior instead.

A name ends in its unit where the unit is not obvious. TFLOP/s of one accelerator equals EFLOP/s of a million
of them, so the peaks below also convert EFLOP/s into M H100e and M A100e without another factor.
"""

from typing import Final

__all__ = [
    "A100_TFLOPS",
    "BINDING_MARGIN",
    "CAPACITY_GUARD",
    "COMPUTE_GUARD",
    "DAYS_PER_YEAR",
    "DOLLAR_GUARD",
    "H100_8BIT_TFLOPS",
    "H100_TFLOPS",
    "HOURS_PER_DAY",
    "INFERENCE_FLOP",
    "LEAST_GUIDED",
    "MONTH_DAYS",
    "NEWTON_STEPS",
    "OUTLOOK_END",
    "PRICE_YEAR",
    "QUARTERS",
    "RATIO_GUARD",
    "SECONDS_PER_DAY",
    "SHARE_GUARD",
    "SHARPNESS",
    "STAGES",
    "TRAINING_FLOP",
]

TRAINING_FLOP: Final = 6.0
"""FLOP per parameter and training token: 2 in the forward pass, 4 in the backward pass (HT24:T55)."""

INFERENCE_FLOP: Final = 2.0
"""FLOP per active parameter and token served: one multiplication and one addition (HT24:T55)."""

HOURS_PER_DAY: Final = 24.0
SECONDS_PER_DAY: Final = 86_400.0
DAYS_PER_YEAR: Final = 365.25

MONTH_DAYS: Final = 30.0
"""Days in the reports' month (HT24:T56)."""

A100_TFLOPS: Final = 312.0
"""Dense 16-bit TFLOP/s of an A100, by which the A100 equivalent (A100e) is defined (GH24:F7)."""

H100_TFLOPS: Final = 989.0
"""Dense 16-bit TFLOP/s of an H100 SXM, by which the H100 equivalent (H100e) is defined (NVIDIA data sheet)."""

H100_8BIT_TFLOPS: Final = 1_979.0
"""Dense 8-bit TFLOP/s of an H100 SXM, by which the 8-bit H100 equivalent is defined (NVIDIA data sheet)."""

PRICE_YEAR: Final = 2022.0
"""First year of the time axis: a chip launched before has its price stated for that year (equation 5)."""

OUTLOOK_END: Final = 2031.0
"""Date, in decimal years, of the beliefs named ``..._2030``, whatever the time axis: the end of 2030 (equation 3)."""

QUARTERS: Final = 4
"""Quarters in a year."""

STAGES: Final = 4
"""Stages of an accelerator's life: an Erlang distribution of four has a variation coefficient of 1/2 (equation 13)."""

NEWTON_STEPS: Final = 8
"""Newton steps for the growth of a guided year: from rest to float32 precision for targets within a factor of 50."""

LEAST_GUIDED: Final = 0.25
"""Least spending in an open quarter of a guided year, over the last quarter's: keeps a draw whose beat would take back
more than the year has left from ending at nothing (equation 1)."""

SHARE_GUARD: Final = 1e-4
"""Distance that shares keep from 0 and 1 where their log odds are taken."""

SHARPNESS: Final = 4
"""Power of the soft limit on spending: a quarter of the ceiling loses 0.1 %, the ceiling itself 16 % (equation 2)."""

DOLLAR_GUARD: Final = 1e-9
"""Smallest purchase whose logarithm is taken, or cash by which is divided [bn USD]: one dollar."""

COMPUTE_GUARD: Final = 1e-9
"""Smallest need or installed base whose logarithm is taken, or by which is divided [M H100e]: a thousandth of one."""

RATIO_GUARD: Final = 1e-6
"""Smallest part of the affordable orders or of the ceiling, so that its power has a finite gradient (2 and 10)."""

CAPACITY_GUARD: Final = 1e-12
"""Smallest capacity by which is divided: of a supplier that has shipped nothing."""

BINDING_MARGIN: Final = 0.05
"""Log distance below which neither need nor supply is said to hold a buyer back (equation 12)."""
