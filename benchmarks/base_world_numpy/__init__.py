"""The whole job of the base world in NumPy alone, twice: what the engine is measured against.

``idiomatic`` is what a good data scientist writes; ``tuned`` is what a patient one makes of it. Both have

    job(world, draws, seed)       statistics [statistic, axis, period] by (period, output), in the order of STATISTICS
    simulate(world, draws, seed)  the same draws and flows, thrown away: what simulation alone takes
"""

__all__ = ["LEVELS", "STATISTICS"]

LEVELS = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
STATISTICS = ("mean", "sd", *(f"p{round(100 * level):02}" for level in LEVELS))
"""What is told of every cell."""
