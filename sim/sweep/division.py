"""How a variant of many draws is divided into tasks: ranges of whole blocks, then what joins them."""

from sim.sweep.spec import Settings

__all__ = ["RANGE", "WHOLE", "ranges"]

WHOLE = 1_000_000
"""Draws up to which a variant is one task."""
RANGE = 1 << 20
"""Draws of one range: whole blocks on any kind of device."""


def ranges(settings: Settings) -> list[tuple[int, int]]:
    """First draw, and the one after the last, of each range that is counted on its own; none where one task does all.

    Sobol points and kept draws are never divided. What is left after the last whole range, the joining run counts.
    """
    if settings.draws <= WHOLE or settings.sampler != "mc" or settings.keep_draws:
        return []
    return [(first, first + RANGE) for first in range(0, settings.draws - RANGE + 1, RANGE)]
