"""Kept draws of several parts as one lazy dataset: only what is asked for is read, and without dask."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from xarray.backends import BackendArray
from xarray.core import indexing

from sim.errors import IntegrityError, Place
from sim.store import io
from sim.store.groups import DRAW, damage, open_group
from sim.store.records import Manifest

__all__ = ["Block", "join"]


class Block(NamedTuple):
    """A part that was found whole: its folder and its manifest."""

    folder: Path
    manifest: Manifest


class Joined(BackendArray):
    """One variable of several blocks, end to end along its last axis, the draws."""

    def __init__(self, pieces: Sequence[xr.Variable], blocks: Sequence[Block]) -> None:
        self.pieces = pieces
        self.blocks = blocks
        self.starts = np.cumsum([0, *(piece.shape[-1] for piece in pieces)])
        self.shape = (*pieces[0].shape[:-1], int(self.starts[-1]))
        self.dtype = pieces[0].dtype

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        """Values at a key, by xarray's rules for lazy arrays."""
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.BASIC, self.take)

    def take(self, key: tuple[Any, ...]) -> np.ndarray:
        """Values at integers and slices: each block gives its share of the draws."""
        wanted = np.arange(self.shape[-1])[key[-1]]
        shares = [self.share(i, key[:-1], np.atleast_1d(wanted)) for i in range(len(self.pieces))]
        values = np.concatenate(shares, axis=-1)
        return values if np.ndim(wanted) else values[..., 0]

    def share(self, i: int, lead: tuple[Any, ...], wanted: np.ndarray) -> np.ndarray:
        """Give what block ``i`` holds of the wanted draws; an error if the block was replaced since it was opened."""
        mine = wanted[(wanted >= self.starts[i]) & (wanted < self.starts[i + 1])] - self.starts[i]
        if not mine.size:
            return np.empty_like(self.pieces[i][(*lead, slice(0, 0))].values)
        low = int(mine.min())
        folder, manifest = self.blocks[i]
        with io.ours("read", folder):
            values = self.pieces[i][(*lead, slice(low, int(mine.max()) + 1))].values[..., mine - low]
        problems = damage(folder, manifest, full=False)
        if problems:
            problem = f"changed since the run was opened: {'; '.join(problems[:5])}"
            raise IntegrityError("store-changed", problem, place=Place(str(folder)), remedy="open the run again")
        return values


def join(blocks: Sequence[Block]) -> xr.Dataset:
    """All blocks as one dataset along ``draw``; other coordinates are the first block's."""
    from zarr.errors import ZarrUserWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ZarrUserWarning)  # a member moves while it is read: seen when it is opened
        opened = [open_group(block.folder).to_dataset() for block in blocks]
    first = opened[0]
    data = {
        name: xr.Variable(
            variable.dims,
            indexing.LazilyIndexedArray(Joined([piece.variables[name] for piece in opened], blocks)),
            variable.attrs,
        )
        for name, variable in first.data_vars.items()
    }
    draws = np.concatenate([piece[DRAW].values for piece in opened])
    return xr.Dataset(data, {**first.drop_vars(DRAW).coords, DRAW: (DRAW, draws)}, first.attrs)
