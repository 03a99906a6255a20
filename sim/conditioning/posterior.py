"""From a world and observed figures to the posterior: reweighted draws of the prior, or tempered particles."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import xarray as xr
from jaxtyping import Float32, Float64

from sim import cells, devices, store
from sim.conditioning import tempering
from sim.conditioning.groups import Fit, posterior_tree
from sim.conditioning.observations import Observation, digest, log_likelihood, quantities, read, residuals
from sim.conditioning.particles import Particles, random
from sim.conditioning.sample import Sample
from sim.conditioning.weights import FEW, TOO_FEW, Thinned, effective_size, thinned, weigh
from sim.engine import STREAM_VERSION, Engine
from sim.ensemble import Quantity, ensemble
from sim.errors import BookError, IntegrityError
from sim.world import World

__all__ = ["condition"]

CARRIED = 1 << 14
"""Most draws of which every belief and cell is kept; what thinning to them loses is far below what weighting does."""
PARTICLES = 1 << 12
"""Particles that are tempered."""

Progress = Callable[[int, str], None]


def condition(
    world: World,
    on: str | Path | Sequence[Observation],
    *,
    draws: int = 100_000,
    seed: int = 0,
    out: str | Path | None = None,
    progress: Progress | None = None,
) -> xr.DataTree:
    """The run of a world conditioned on observed figures; with ``out`` also stored there, and given as opened.

    Draws are weighted by how likely they make the observations. Where fewer than 50 of them are effective, or the
    weights have no mean, 4,096 particles are tempered instead. Groups: those of a run, ``posterior`` (every prior
    after, and how far it moved), ``posterior_predictive/*`` (as ``prior_predictive``), ``observed_data/observations``.
    BookError: an observation that cannot be used, at its file and line. RefusedError: the posterior is out of reach.
    """
    if draws < FEW:
        raise BookError("condition-draws", f"{draws} draws are too few to weight", remedy="ask for 100000")
    if out is not None:
        store.refuse_foreign(Path(out))
    observations = read(on) if isinstance(on, str | Path) else list(on)
    devices.cache_programs()
    wanted = quantities(world, observations)
    engine = Engine(world, seed, devices.mesh())
    before, after, fit = _fitted(engine, observations, wanted, draws, progress)
    config = _config(engine, observations)
    tree = posterior_tree(world, before, after, fit, _attrs(world, config, draws, fit))
    if out is None:
        return tree
    record = {"config": config, "scenario": world.book.name, "device": devices.kind(engine.on)}
    return store.open_run(store.publish(Path(out), record, tree, draws=draws))


def _fitted(
    engine: Engine,
    observations: Sequence[Observation],
    wanted: Sequence[Quantity],
    draws: int,
    progress: Progress | None,
) -> tuple[Sample, Sample, Fit]:
    """Samples before and after the observations: weighted draws of the prior, or particles where these are too few."""
    drawn = _drawn(engine, wanted, draws, progress)
    weighing = weigh(log_likelihood(residuals(observations, drawn)))
    prior = thinned(np.full(draws, 1 / draws), CARRIED)
    if weighing.usable:
        before, after = _gathered(engine, draws, [prior, thinned(weighing.weights, CARRIED)])
        after = after._replace(effective=min(weighing.effective, after.effective))
        return before, after, Fit(observations, wanted, drawn, drawn, weighing.weights, weighing, after.effective, {})
    after, moved, told = _tempered(
        engine, observations, wanted, lambda still: progress(draws, still) if progress else None
    )
    (before,) = _gathered(engine, draws, [prior])
    return before, after, Fit(observations, wanted, drawn, moved, after.weights, weighing, after.effective, told)


def _drawn(
    engine: Engine, wanted: Sequence[Quantity], draws: int, progress: Progress | None
) -> Float64[np.ndarray, "quantity draw"]:
    """The observed quantities in every draw. IntegrityError: one is not finite."""
    tell = None if progress is None else (lambda done: progress(done, ""))
    found = ensemble(engine.world, wanted, draws=draws, seed=engine.seed, progress=tell).quantities
    if not np.isfinite(found).all():
        row, draw = (int(each[0]) for each in np.nonzero(~np.isfinite(found)))
        problem = f"{wanted[row]} of draw {draw} is {found[row, draw]}"
        raise IntegrityError("condition-not-finite", problem, remedy="narrow the widest priors; nothing was stored")
    return found


def _gathered(engine: Engine, draws: int, parts: Sequence[Thinned]) -> list[Sample]:
    """Every belief and cell of some of the draws, simulated once more: they are made again sooner than held."""
    blocks, rows = engine.blocks_of(0, draws), cells.cells_per_draw(engine.world)
    found = [
        Sample(
            np.empty((len(engine.world.entries), len(part.places)), np.float32),
            np.empty((rows, len(part.places)), np.float32),
            part.weights,
            effective_size(part.weights),
        )
        for part in parts
    ]
    for (first, made), values in zip(engine.cells_of(blocks, draws), engine.values_of(blocks, draws), strict=True):
        for part, sample in zip(parts, found, strict=True):
            low, high = np.searchsorted(part.places, [first, first + values.shape[1]])
            here = part.places[low:high] - first
            sample.values[:, low:high] = values[:, here]
            sample.cells[:, low:high] = made[:rows, here]
    return found


def _tempered(
    engine: Engine, observations: Sequence[Observation], wanted: Sequence[Quantity], tell: Callable[[str], None]
) -> tuple[Sample, Float64[np.ndarray, "quantity draw"], dict[str, Any]]:
    """Tempered particles, the observed quantities in them, and how they came to be.

    RefusedError: they do not reach the posterior, or too few of them are independent.
    """
    particles = Particles(engine, wanted)
    found = tempering.temper(
        particles.scores(PARTICLES),
        lambda scores: residuals(observations, particles.observed(scores)),
        random(engine.seed),
        lambda power: tell(f"tempering, at {power:.2g} of the likelihood"),
    )
    effective = tempering.effective(found)
    if effective < TOO_FEW:
        raise tempering.degenerate(f"{PARTICLES:,} tempered particles are worth {effective:.0f} independent draws")
    values = particles.values(found.scores)
    weights = np.full(PARTICLES, 1 / PARTICLES)
    told = {"stages": len(found.acceptance), "acceptance": round(float(np.mean(found.acceptance)), 3)}
    return Sample(values, _cells(engine, values), weights, effective), particles.observed(found.scores), told


def _cells(engine: Engine, values: Float32[np.ndarray, "entry draw"]) -> Float32[np.ndarray, "cell draw"]:
    """Every cell of draws whose beliefs are at hand."""
    return np.concatenate(list(_cells_by_call(engine, values)), axis=1)[:, : values.shape[1]]


def _cells_by_call(
    engine: Engine, values: Float32[np.ndarray, "entry draw"]
) -> Iterator[Float32[np.ndarray, "cell draw"]]:
    shape, rows = (engine.on.size, engine.shape.blocks, engine.shape.block), cells.cells_per_draw(engine.world)
    size = int(np.prod(shape))
    for start in range(0, values.shape[1], size):
        some = values[:, np.minimum(np.arange(start, start + size), values.shape[1] - 1)]
        given = jnp.asarray(np.moveaxis(some.reshape(len(values), *shape), 0, 2))
        made = np.asarray(engine.simulated(given))
        yield np.moveaxis(made, 2, 0).reshape(made.shape[2], -1)[:rows]


def _config(engine: Engine, observations: Sequence[Observation]) -> dict[str, Any]:
    """What makes a posterior's numbers, but the number of draws."""
    return {
        "kind": "condition",
        "book": engine.world.book.digest,
        "as_of": engine.world.book.as_of.isoformat(),
        "history": engine.world.record.digest,
        "seed": str(engine.seed),
        "sampler": engine.sampler,
        "stream_version": STREAM_VERSION,
        "block": engine.shape.block,
        "dtype": "float32",
        "observations": digest(observations),
    }


def _attrs(world: World, config: dict[str, Any], draws: int, fit: Fit) -> dict[str, Any]:
    return {
        "title": f"chipcast {world.book.name}, conditioned",
        "scenario": world.book.name,
        "as_of": config["as_of"],
        "draws": draws,
        "seed": config["seed"],
        "sampler": config["sampler"],
        "stream_version": STREAM_VERSION,
        "book_sha256": world.book.digest,
        "observations_sha256": config["observations"],
        "notice": "A model's distributions, not investment advice. History includes data of Epoch AI, CC BY.",
        **fit.attrs,
    }
