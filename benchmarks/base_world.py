"""A run of the base world, programs compiled, against the same model in NumPy."""

import sim
from benchmarks.base_world_numpy import idiomatic, tuned
from benchmarks.contest import Contender, Goal, Result, contest, result

__all__ = ["measure"]

ENGINE, IDIOMATIC, TUNED = "engine", "NumPy, idiomatic", "NumPy, tuned"
SIZES = {ENGINE: 100_000, IDIOMATIC: 8_192, TUNED: 32_768}
QUICK = 2_048


def measure(*, quick: bool) -> Result:
    world = sim.load()
    jobs = {
        ENGINE: lambda draws: sim.run(world, draws=draws, seed=1),
        IDIOMATIC: lambda draws: idiomatic.job(world, draws, 1),
        TUNED: lambda draws: tuned.job(world, draws, 1),
    }
    sizes = dict.fromkeys(jobs, QUICK) if quick else SIZES
    contenders = [Contender(name, lambda name=name: jobs[name](sizes[name]), sizes[name]) for name in jobs]
    goals = () if quick else (Goal(ENGINE, IDIOMATIC, 20), Goal(ENGINE, TUNED, 6))
    turns = contest(contenders, baseline=IDIOMATIC, rounds=1 if quick else 5, unit="draws", goals=goals)
    return result("Base world, whole job: simulate, mean, sd and quantiles of every summary output.", **turns)
