"""Zarr v3 groups: a tree or a dataset to a folder with its manifest, the check of that folder, and back.

Text is stored as Zarr's variable-length UTF-8 and every chunk with a checksum. A missing chunk of floats reads as NaN,
not as zero, also for a reader that knows no manifest.
"""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from stat import S_ISREG
from typing import Any

import numpy as np
import xarray as xr
from zarr.codecs import ZstdCodec
from zarr.storage import MemoryStore

from sim.errors import IntegrityError, Place
from sim.store import io
from sim.store.records import MANIFEST, File, Group, Manifest, canonical, damaged, sha256

__all__ = ["DRAW", "ROOT", "check_values", "damage", "open_group", "save", "sha256_of"]

ROOT = "zarr.json"
DRAW = "draw"
LEVEL = 1  # of zstd: a higher one shrinks float32 draws by no further 0.1 %
FILE_SIZE = 128 * 2**20  # bytes; the largest file before compression


def save(tree: xr.DataTree, folder: Path, run: str, first: int | None = None, last: int | None = None) -> Group:
    """Write a tree to a new folder, and its manifest beside it. Nothing is synced but the files.

    The root says the run and, in ``content_sha256``, depends on every other file: its metadata tells groups apart.
    """
    blobs: dict[str, Any] = {}
    plain = tree.map_over_datasets(as_text)
    encoding = {node.path: {name: encode(var) for name, var in node.variables.items()} for node in plain.subtree}
    plain.to_zarr(MemoryStore(blobs), zarr_format=3, consolidated=False, mode="w-", encoding=encoding)
    root = json.loads(blobs.pop(ROOT).to_bytes())
    files = {}
    for name in sorted(blobs):
        files[name] = put(folder / name, memoryview(blobs.pop(name).as_numpy_array()))
    content = sha256(canonical({name: file.sha256 for name, file in files.items()}))
    root["attributes"] |= {"run": run, "content_sha256": content}
    files[ROOT] = put(folder / ROOT, json.dumps(root, indent=2).encode())
    manifest = Manifest(run=run, first=first, last=last, files=files).dump()
    io.write(folder.with_name(folder.name + MANIFEST), manifest)
    return Group(manifest=sha256(manifest), root=files[ROOT].sha256)


def put(path: Path, data: bytes | memoryview) -> File:
    """Write one file of a group; what its manifest says of it."""
    io.make_folder(path.parent)
    io.write(path, data)
    return File(size=memoryview(data).nbytes, sha256=sha256(data))


def as_text(data: xr.Dataset) -> xr.Dataset:
    """Turn the dataset's fixed-width text into Python strings, which Zarr stores as plain UTF-8."""
    text = {name: var.astype(object) for name, var in data.variables.items() if var.dtype.kind in "UT"}
    return data.assign({n: v for n, v in text.items() if n in data.data_vars}).assign_coords(
        {n: v for n, v in text.items() if n in data.coords}
    )


def encode(variable: xr.Variable) -> dict[str, Any]:
    """Zarr settings of one variable: one file where it fits, and for draws one chunk per leading label in it."""
    settings: dict[str, Any] = {"compressors": [ZstdCodec(level=LEVEL, checksum=True)]}
    if variable.dtype.kind == "f":
        settings |= {"fill_value": np.nan, "_FillValue": None}
    shape = tuple(max(size, 1) for size in variable.shape)
    if shape:
        rows = max(1, min(shape[0], FILE_SIZE * shape[0] // max(variable.nbytes, 1)))
        settings["chunks"] = (rows, *shape[1:])
    if len(shape) > 1 and DRAW in variable.dims:
        settings |= {"shards": (rows, *shape[1:]), "chunks": (1, *shape[1:])}
    return settings


def open_group(folder: Path) -> xr.DataTree:
    """Open a group lazily, exactly as any reader of Zarr would."""
    return xr.open_datatree(folder, engine="zarr", consolidated=False)


def check_values(wanted: xr.DataTree, folder: Path) -> None:
    """Reopen a staged group: every variable has its shape, and every float of it is finite.

    NaN, never infinity, is allowed where the variable's ``missing_ok`` attribute is true.
    """
    found = open_group(folder)
    for node in wanted.subtree:
        for name, variable in node.variables.items():
            got = found[node.path].variables[name]
            if got.sizes != variable.sizes:
                raise damaged(f"{name} reads back as {dict(got.sizes)}, not {dict(variable.sizes)}", Place(str(folder)))
            check_finite(str(name), got, node)


def check_finite(name: str, variable: xr.Variable, node: xr.DataTree) -> None:
    """Raise ``IntegrityError`` naming the first value that is not a finite number, and where it stands."""
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
    try:
        found = dict(walk(folder))
    except OSError as error:
        return [f"{folder.name} cannot be read ({error.strerror})"]
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
    """SHA-256 of a file, empty where it cannot be read."""
    try:
        return sha256(path.read_bytes())
    except OSError:
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
