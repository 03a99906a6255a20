"""What the store's JSON files say: manifests, commits and run records, and the hashes that tie them together."""

import hashlib
import json
import re
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from platform import python_version
from typing import Any, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sim.errors import ChipcastError, IntegrityError, Place, RefusedError
from sim.store import io

__all__ = [
    "FORMAT_VERSION",
    "KINDS",
    "MANIFEST",
    "NEWER",
    "NOT_WHOLE",
    "REPAIR",
    "Commit",
    "Draws",
    "File",
    "Group",
    "Manifest",
    "Range",
    "Request",
    "canonical",
    "made_of",
    "read",
    "run_id",
    "sha256",
]

FORMAT_VERSION = 2
MANIFEST = ".MANIFEST.json"  # beside the group: inside, it makes every reader of Zarr warn of a stray file
PACKAGES = ("chipcast", "jax", "jaxlib", "numpy", "xarray", "zarr")
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
NEWER = "store-newer-format"
NOT_WHOLE = ("store-damaged", "store-unfinished", "store-no-request")
"""Codes of errors that say that something stored is not, or not yet, what was published."""
KINDS = ("parts", "sums")
"""What is stored by ranges of draws: the draws themselves, and what was counted of them."""
REPAIR = "chipcast resume RUN --repair makes it whole again"
MAKES_NUMBERS = ("config", "versions", "code", "device", "machine", "dtype")
"""What of a run's record its numbers depend on, to the bit; the rest is names."""


def canonical(value: Any) -> bytes:
    """JSON in one spelling: sorted keys, no white space, UTF-8. Raises ``ValueError`` on NaN or infinity."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def sha256(data: bytes | memoryview) -> str:
    """SHA-256 of some bytes, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def run_id(config: dict[str, Any]) -> str:
    """Identity of the question a run answers: the first 12 characters of the hash of its canonical config.

    The number of draws is no part of the config: more draws extend the same run.
    """
    return sha256(canonical(config))[:12]


def check_name(name: str) -> str:
    """Give the name back if it may name a run's folder: lower-case letters, digits and hyphens only."""
    if not NAME.fullmatch(name):
        raise RefusedError(
            "store-bad-name", f"{name[:80]!r} is no run id", remedy="a run id has only a-z, 0-9 and hyphens"
        )
    return name


def run_record(run: dict[str, Any]) -> dict[str, Any]:
    """Make what ``run.json`` says: the caller's record, the config's hash and id, and the versions in use."""
    config = run["config"]
    made = {"versions": versions(), "config_sha256": sha256(canonical(config)), "id": run_id(config)}
    return {"format_version": FORMAT_VERSION, **made, **run}


@cache
def versions() -> dict[str, str]:
    """Versions of Python and of the packages that a run's numbers pass through, without importing them."""
    found = {"python": python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "unknown"
    return found


class Record(BaseModel):
    """A frozen record that takes no key it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    def dump(self) -> bytes:
        """Write the record as canonical JSON."""
        return canonical(self.model_dump())


class File(Record):
    """Size [bytes] and hash of one file."""

    size: int
    sha256: str


class Manifest(Record):
    """All files of one Zarr group and the run it belongs to; of a range also its draws, and what made them."""

    format_version: int = FORMAT_VERSION
    run: str
    first: int | None = None
    last: int | None = None
    made: str | None = None
    files: dict[str, File]


class Group(Record):
    """A committed Zarr group: hash of its manifest, and of its root metadata, which tells the folder itself apart."""

    manifest: str
    root: str


class Range(Group):
    """A stored range of draws, both ends included."""

    first: int
    last: int

    def name(self, kind: str) -> str:
        """Folder of the range, relative to the run's."""
        return f"{kind}/{self.first}-{self.last}"

    def overlaps(self, other: "Range") -> bool:
        """Whether two ranges share a draw."""
        return self.first <= other.last and other.first <= self.last


class Draws(Record):
    """Draws that the summary holds, and draws that were asked for."""

    done: int
    total: int


class Sealed(Record):
    """A record that holds the hash of all its other fields."""

    format_version: int = FORMAT_VERSION
    hash: str = ""

    def own_hash(self) -> str:
        """Hash of every field but the hash itself."""
        return sha256(canonical(self.model_dump(exclude={"hash"})))

    def sealed(self) -> Self:
        """Fill in the hash."""
        return self.model_copy(update={"hash": self.own_hash()})


class Commit(Sealed):
    """One published generation of a run; what it does not name does not exist. ``run`` is the hash of ``run.json``."""

    id: str
    created: str
    draws: Draws
    run: str
    summary: Group
    parts: list[Range] = Field(default_factory=list)
    sums: list[Range] = Field(default_factory=list)
    request: str = ""
    """Hash of the request that the generation answers."""

    def own_hash(self) -> str:
        """Hash of every field but the hash itself; format 1 had neither sums nor request."""
        unknown = {"hash"} if self.format_version > 1 else {"hash", "sums", "request"}
        return sha256(canonical(self.model_dump(exclude=unknown)))

    def ranges(self, kind: str) -> list[Range]:
        """Give the stored ranges of one of ``KINDS``."""
        return {"parts": self.parts, "sums": self.sums}[kind]

    def groups(self) -> dict[str, Group]:
        """Name the Zarr groups of the generation by path, relative to the run's folder."""
        return {"summary": self.summary, **{each.name(kind): each for kind in KINDS for each in self.ranges(kind)}}

    def members(self) -> dict[str, str]:
        """Everything the generation consists of: path relative to the run's folder -> hash."""
        folders = {name: group.root for name, group in self.groups().items()}
        manifests = {name + MANIFEST: group.manifest for name, group in self.groups().items()}
        return {**folders, **manifests, "run.json": self.run}


class Request(Sealed):
    """What a run was asked, written before anything is made, so that it can be gone on with; ``record`` is run.json."""

    record: dict[str, Any]
    draws: int
    until: list[str] = Field(default_factory=list)
    keep_draws: bool = False


Kind = TypeVar("Kind", bound=Record)


def made_of(record: dict[str, Any]) -> str:
    """Hash of all that the numbers of a run depend on: two ranges of draws belong together only if it is the same."""
    return sha256(canonical({key: record.get(key) for key in MAKES_NUMBERS}))


def read(kind: type[Kind], path: Path) -> Kind:
    """Read a record. Raises ``IntegrityError`` for one that is damaged, ``RefusedError`` for one of a newer format.

    Codes: ``NOT_WHOLE`` where the record is to blame, others where the disk is.
    """
    place = Place(str(path))
    try:
        written = io.read(path)
        data = json.loads(written)
        found = data["format_version"]
        if isinstance(found, int) and found > FORMAT_VERSION:
            raise newer(found, place)
        record = kind.model_validate(data)
    except io.ABSENT:
        raise damaged("is missing", place) from None
    except (ValueError, TypeError, KeyError, RecursionError, ValidationError) as error:
        raise damaged(f"{kind.__name__.lower()} cannot be read ({type(error).__name__})", place) from error
    if found == FORMAT_VERSION and written != record.dump():
        raise damaged("was edited", place)
    return record


def newer(found: int, place: Place) -> ChipcastError:
    """Make the refusal of a store that a later chipcast wrote."""
    problem = f"written in format {found}, and this chipcast reads up to format {FORMAT_VERSION}"
    return RefusedError(NEWER, problem, place=place, remedy="upgrade chipcast to open it")


def damaged(problem: str, place: Place) -> IntegrityError:
    """Make the error for a store that is not as it was published."""
    return IntegrityError("store-damaged", problem, place=place, remedy=REPAIR)
