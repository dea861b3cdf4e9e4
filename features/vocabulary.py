"""Curated tables of ``features/vocabularies``: reading, naming their version, and finding the nearest valid name.

The typed views live beside the code that uses them (:mod:`features.histology`, :mod:`features.genes`,
:mod:`features.agents`, ...); this module only knows that a vocabulary is a CSV whose cells are text.
"""

from __future__ import annotations

import csv
import hashlib
import io
from difflib import get_close_matches
from functools import cache, lru_cache
from importlib.resources import files
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

PACKAGE = "features.vocabularies"


class UnknownVocabulary(LookupError):
    """A vocabulary was asked for by a name that no CSV has."""

    def __init__(self, name: str, allowed: tuple[str, ...]) -> None:
        self.name = name
        self.allowed = allowed
        super().__init__(f"there is no vocabulary {name!r}; the vocabularies are {', '.join(allowed)}")


@lru_cache(maxsize=1)
def names() -> tuple[str, ...]:
    """Return the names of all vocabularies, sorted.

    Examples
    --------
    >>> "histologies" in names()
    True
    """
    return tuple(sorted(entry.name[:-4] for entry in files(PACKAGE).iterdir() if entry.name.endswith(".csv")))


def text(name: str) -> str:
    """Return the CSV of one vocabulary as it stands, UTF-8 decoded."""
    if name not in names():
        raise UnknownVocabulary(name, names())
    return files(PACKAGE).joinpath(f"{name}.csv").read_text(encoding="utf-8")


@cache
def table(name: str) -> tuple[Mapping[str, str], ...]:
    """Return the rows of one vocabulary in file order, each a read-only mapping of column to text.

    Raises
    ------
    UnknownVocabulary
        When no CSV of that name is shipped.

    Examples
    --------
    >>> table("histologies")[0]["code"] != ""
    True
    """
    return tuple(MappingProxyType(dict(row)) for row in csv.DictReader(io.StringIO(text(name))))


def cell_list(cell: str) -> tuple[str, ...]:
    """Split a cell that holds several values, separated by ``|``; blanks are dropped.

    Examples
    --------
    >>> cell_list("MLL2|ALR")
    ('MLL2', 'ALR')
    >>> cell_list("")
    ()
    """
    return tuple(part.strip() for part in cell.split("|") if part.strip())


@lru_cache(maxsize=1)
def version() -> str:
    """Return the digest of all vocabularies together: what an answer names as its ``vocabulary``.

    Examples
    --------
    >>> len(version())
    16
    """
    digest = hashlib.sha256()
    for name in names():
        digest.update(name.encode() + b"\0" + text(name).encode() + b"\0")
    return digest.hexdigest()[:16]


def nearest(seen: str, allowed: Iterable[str], most: int = 5) -> tuple[str, ...]:
    """Return the names closest to what was seen, best first, compared without case.

    Examples
    --------
    >>> nearest("histolgy", ["histology", "therapy"])
    ('histology',)
    """
    by_folded: dict[str, str] = {}
    for name in allowed:
        by_folded.setdefault(name.casefold(), name)
    return tuple(by_folded[hit] for hit in get_close_matches(seen.casefold(), by_folded, n=most, cutoff=0.55))
