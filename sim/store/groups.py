"""Zarr v3 groups: a tree or a dataset to a folder with its manifest, the check of that folder, and back.

Text is stored as Zarr's variable-length UTF-8 and every chunk with a checksum. A missing chunk of floats reads as NaN,
not as zero, also for a reader that knows no manifest.

Zarr reads and writes a whole group in one event loop and in memory: its plain functions hand each of a thousand steps
to another thread, and most of their time is waiting for it.
"""

import asyncio
import json
import os
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from stat import S_ISREG
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import xarray as xr
from xarray import conventions

from sim.errors import IntegrityError
from sim.store import io
from sim.store.records import MANIFEST, File, Group, Manifest, canonical, sha256

if TYPE_CHECKING:
    from zarr.storage import MemoryStore

__all__ = ["DRAW", "ROOT", "damage", "open_group", "read_group", "save", "sha256_of"]

ROOT = "zarr.json"
DRAW = "draw"
LEVEL = 1  # of zstd: a higher one shrinks float32 draws by no further 0.1 %
FILE_SIZE = 128 * 2**20  # bytes; the largest file before compression
FEW = 2**20  # bytes; what is not worth compressing
Found = TypeVar("Found")


def save(tree: xr.DataTree, folder: Path, run: str, **of_range: Any) -> Group:
    """Write a tree to a new folder, and its manifest beside it, with ``first``, ``last`` and ``made`` of a range.

    Nothing is synced yet. The root says the run and, in ``content_sha256``, depends on every other file: its metadata
    tells groups apart.
    Raises ``IntegrityError`` for values that a run must not hold, before anything is written.
    """
    from zarr.storage import MemoryStore

    blobs: dict[str, Any] = {}
    finish(write(tree, MemoryStore(blobs)))
    root = json.loads(blobs.pop(ROOT).to_bytes())
    for parent in sorted({folder, *((folder / name).parent for name in blobs)}):
        io.make_folder(parent)
    files = {name: put(folder / name, memoryview(blobs.pop(name).as_numpy_array())) for name in sorted(blobs)}
    content = sha256(canonical({name: file.sha256 for name, file in files.items()}))
    root["attributes"] |= {"run": run, "content_sha256": content}
    files[ROOT] = put(folder / ROOT, json.dumps(root, indent=2).encode())
    manifest = Manifest(run=run, files=files, **of_range).dump()
    io.put(folder.with_name(folder.name + MANIFEST), manifest)
    return Group(manifest=sha256(manifest), root=files[ROOT].sha256)


def finish(work: Coroutine[Any, Any, Found]) -> Found:
    """Run a coroutine to its end, in a thread of its own: a notebook's has an event loop already."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


async def write(tree: xr.DataTree, store: "MemoryStore") -> None:
    """Write a tree, its times and coordinates told by CF as xarray does, each array of finite numbers."""
    from zarr.api import asynchronous

    for node in tree.subtree:
        data = node.to_dataset(inherit=False).drop_encoding()  # no unit that a stored time was read with
        variables, attributes = conventions.cf_encoder(*conventions.encode_dataset_coordinates(data))
        group = await asynchronous.create_group(store=store, path=node.path.strip("/"), attributes=attributes)
        for name, variable in variables.items():
            values = variable.values.astype(np.dtypes.StringDType()) if is_text(variable) else variable.values
            check_finite(str(name), variable, node)
            await group.create_array(str(name), data=values, **encode(variable))


def is_text(variable: xr.Variable) -> bool:
    """Whether a variable holds labels, in fixed width or as Python's strings."""
    return variable.dtype.kind in "UTO"


def encode(variable: xr.Variable) -> dict[str, Any]:
    """Zarr settings of one variable: one file where it fits, and for draws one chunk per leading label in it.

    What is large is compressed. A few values get a checksum only, and all but draws no folder for their chunk.
    """
    from zarr.codecs import Crc32cCodec, ZstdCodec

    large = DRAW in variable.dims or variable.nbytes > FEW
    compressor = ZstdCodec(level=LEVEL, checksum=True) if large else Crc32cCodec()
    attributes = {name: value for name, value in variable.attrs.items() if name != "_FillValue"}
    settings: dict[str, Any] = {"attributes": attributes, "compressors": [compressor]}
    settings["dimension_names"] = variable.dims or None
    if DRAW not in variable.dims:
        settings["chunk_key_encoding"] = {"name": "default", "separator": "."}
    if variable.dtype.kind == "f":
        settings["fill_value"] = np.nan
    shape = tuple(max(size, 1) for size in variable.shape)
    if shape:
        rows = max(1, min(shape[0], FILE_SIZE * shape[0] // max(variable.nbytes, 1)))
        settings["chunks"] = (rows, *shape[1:])
    if len(shape) > 1 and DRAW in variable.dims:
        settings |= {"shards": (rows, *shape[1:]), "chunks": (1, *shape[1:])}
    return settings


def put(path: Path, data: bytes | memoryview) -> File:
    """Write one file of a group; what its manifest says of it."""
    io.put(path, data)
    return File(size=memoryview(data).nbytes, sha256=sha256(data))


def open_group(store: Any) -> xr.DataTree:
    """Open a group, a folder's or a Zarr store's, lazily, exactly as any reader of Zarr would."""
    return xr.open_datatree(store, engine="zarr", consolidated=False)


def read_group(folder: Path, manifest: Manifest) -> xr.DataTree:
    """Read the files of a group that its manifest names into memory, as :func:`open_group` would show them, by name."""
    from zarr.buffer.cpu import Buffer
    from zarr.storage import MemoryStore

    tree = open_group(MemoryStore({name: Buffer.from_bytes(io.read(folder / name)) for name in manifest.files}))
    finish(load(tree))
    nodes = {node.path: by_name(node.to_dataset(inherit=False)) for node in tree.load().subtree}
    return xr.DataTree.from_dict(dict(sorted(nodes.items())))


def by_name(data: xr.Dataset) -> xr.Dataset:
    """Put variables and coordinates in the order of their names: a store in memory gives them in none."""
    variables = {str(name): data.variables[name] for name in data.variables}
    named = sorted(variables)
    coords = {name: variables[name] for name in named if name in data.coords}
    return xr.Dataset({name: variables[name] for name in named if name not in coords}, coords, data.attrs)


async def load(tree: xr.DataTree) -> None:
    """Read the values of an opened tree that xarray can read in an event loop: all but truth values and the like."""
    for variable in (variable for node in tree.subtree for variable in node.variables.values()):
        with suppress(NotImplementedError):
            await variable.load_async()


def check_finite(name: str, variable: xr.Variable, node: xr.DataTree) -> None:
    """Raise ``IntegrityError`` naming the first value that is not a finite number, and where it stands.

    NaN, never infinity, is allowed where the variable's ``missing_ok`` attribute is true.
    """
    if variable.dtype.kind != "f":
        return
    values = variable.values
    bad = np.isinf(values) if variable.attrs.get("missing_ok") else ~np.isfinite(values)
    if bad.any():
        at = np.unravel_index(np.argmax(bad), bad.shape)
        labels = ", ".join(f"{dim}={label(node, dim, i)}" for dim, i in zip(variable.dims, at, strict=True))
        problem = f"{name} is {values[at]} at {labels or 'its only value'} ({bad.sum()} of {bad.size} values)"
        raise IntegrityError("store-not-finite", problem, remedy="nothing was published; check the priors behind it")


def label(node: xr.DataTree, dim: Any, index: Any) -> str:
    """Name a position along a dim as its coordinate does."""
    return str(node.coords[dim].values[index]) if dim in node.coords else str(index)


def damage(folder: Path, manifest: Manifest, *, full: bool) -> list[str]:
    """Say what is wrong with a group; an empty list if nothing is.

    Names and sizes of all files are compared with the manifest, and the hashes of metadata; ``full``, of all files.
    """
    if folder.is_symlink():
        return [f"{folder.name} is a link"]
    if not folder.is_dir():
        return [f"{folder.name} is missing"]
    with io.ours("list", folder):
        found = dict(walk(folder))
    wanted = manifest.files
    names = sorted(wanted.keys() | found.keys())
    checks = ((name, compare(folder / name, wanted.get(name), found.get(name), full)) for name in names)
    return [f"{folder.name}/{name} {problem}" for name, problem in checks if problem]


def compare(path: Path, wanted: File | None, size: int | None, full: bool) -> str:
    """Say what is wrong with one file, or nothing."""
    if wanted is None:
        return "does not belong there"
    if size is None:
        return "is missing"
    if size < 0:
        return "is a link or no plain file"
    if size != wanted.size:
        return f"has {size} bytes, not {wanted.size}"
    if (full or path.name == ROOT) and sha256_of(path) != wanted.sha256:
        return "has changed"
    return ""


def sha256_of(path: Path) -> str:
    """SHA-256 of a file, empty where there is none."""
    try:
        return sha256(io.read(path))
    except io.ABSENT:
        return ""


def walk(folder: Path, prefix: str = "") -> Iterator[tuple[str, int]]:
    """All files under a folder with their sizes [bytes]; -1 for a link or anything else that is no plain file."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from walk(folder / entry.name, f"{prefix}{entry.name}/")
            else:
                status = entry.stat(follow_symlinks=False)
                yield prefix + entry.name, status.st_size if S_ISREG(status.st_mode) else -1
