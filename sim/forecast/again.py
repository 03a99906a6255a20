"""Stored runs asked again: whether one answers the question, and what question an unfinished one was."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import xarray as xr

from sim import address, reduce, store, world
from sim.book.load import again
from sim.errors import IntegrityError, Place, RefusedError
from sim.forecast import counting
from sim.forecast.question import Question, ask

__all__ = ["asked_again", "finished"]


def finished(out: Path, asked: Question) -> xr.DataTree | None:
    """The stored run of the same question, if it answers it and, where asked, kept its draws.

    It does with as many draws, or where its own errors, of ``FIRST_LOOK`` draws or more, are as small as wanted.
    """
    folder = out / store.run_id(asked.config)
    if not (folder / store.COMMIT).exists():
        return None
    try:
        commit = store.read_commit(folder)
        enough = commit.draws.done >= asked.draws
        looked = bool(asked.wanted) and commit.draws.done >= counting.FIRST_LOOK
        kept = not asked.keep_draws or sum(each.last + 1 - each.first for each in commit.parts) == commit.draws.done
        if not (enough or looked) or not kept:
            return None
        tree = store.open_run(folder)
    except IntegrityError:
        return None
    return tree if enough or all(target.far(_stored(tree, target.cell)) <= 1 for target in asked.wanted) else None


def _stored(tree: xr.DataTree, cell: address.Cell) -> reduce.Statistics:
    """What a stored run says of one cell."""
    period, name = cell.table
    group = tree[f"prior_predictive/{period}"].to_dataset()
    figures = (group[name + figure].values for figure in ("", "_error", "_mean", "_mean_error", "_sd", "_zero"))
    return reduce.Statistics(*figures).at(cell.row, cell.column)


def asked_again(folder: Path, request: store.Request) -> Question:
    """The question of a stored run. RefusedError: its book cannot be found again, or makes other numbers today."""
    record, place = request.record, Place(str(folder))
    config, recipe = record["config"], record.get("recipe")
    if recipe is None:
        remedy = "run the command that made it again"
        raise RefusedError("resume-recipe", "says not how its book was put together", place=place, remedy=remedy)
    asked = ask(
        world.build(again(recipe)),
        draws=request.draws,
        seed=int(config["seed"]),
        sampler=config["sampler"],
        device=record["device"],
        until=request.until,
        thresholds=config["thresholds"],
        exact_quantiles=config["quantiles"] == "exact",
        keep_draws=request.keep_draws,
        defaults=False,
    )
    changed = list(_changed(record, store.run_record(asked.record)))
    if changed:
        problem = f"was begun with another {', '.join(changed)}; its draws and new ones do not belong together"
        raise RefusedError("resume-changed", problem, place=place, remedy="ask for the run again, with --fresh")
    return asked


def _changed(then: dict[str, Any], now: dict[str, Any]) -> Iterator[str]:
    """What of all that makes numbers is not as it was."""
    for key, value in now["config"].items():
        if then["config"].get(key) != value:
            yield f"{key} ({str(then['config'].get(key))[:12]}, now {str(value)[:12]})"
    for name, version in now["versions"].items():
        if then["versions"].get(name) != version:
            yield f"{name} ({then['versions'].get(name)}, now {version})"
    yield from (key for key in ("code", "machine") if then.get(key) != now[key])
