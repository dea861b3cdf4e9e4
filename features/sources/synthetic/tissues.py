"""The published figures behind the synthetic cohorts, read from ``figures/*.csv`` into arrays.

Every row names its source: a key of ``figures/sources.csv``, a paper, or the published arms. ``read`` says whether the
figure was read there for this project (``yes``) or set down from knowledge of the publication (``no``);
``assumption`` claims no figure at all.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from features.batch import FloatArray, IntArray

PACKAGE = "features.sources.synthetic.figures"


@cache
def figure(name: str) -> tuple[Mapping[str, str], ...]:
    """Return the rows of one table of figures, in file order.

    Examples
    --------
    >>> figure("histologies")[0]["code"]
    'LUAD'
    """
    text = files(PACKAGE).joinpath(f"{name}.csv").read_text(encoding="utf-8")
    return tuple(csv.DictReader(io.StringIO(text)))


def column(rows: tuple[Mapping[str, str], ...], name: str) -> FloatArray:
    """Return a column of numbers, NaN where the cell is blank."""
    return np.array([float(row[name]) if row[name] else np.nan for row in rows])


def weighted(cell: str) -> tuple[tuple[str, ...], FloatArray]:
    """Read ``a:0.7|b:0.3`` as names and weights that sum to one.

    Examples
    --------
    >>> weighted("LUAD:3|LUSC:1")[1].tolist()
    [0.75, 0.25]
    """
    pairs = [part.rsplit(":", 1) for part in cell.split("|")]
    weights = np.array([float(weight) for _, weight in pairs])
    return tuple(name for name, _ in pairs), weights / weights.sum()


@dataclass(frozen=True)
class Histologies:
    """Case mix and background of each histology, in the order of ``histologies.csv``.

    ``share`` is by cohort; ``tmb_median`` in mut/Mb, ``tmb_sigma`` of its natural log; ``shedding`` the share of
    patients whose tumour DNA is seen in blood; ``residual`` the log-odds that a subtype differs from its tissue.
    """

    codes: tuple[str, ...]
    tissues: tuple[str, ...]
    tissue_of: IntArray
    share: Mapping[str, FloatArray]
    numbers: Mapping[str, FloatArray]

    def at(self, code: str) -> int:
        """Return the place of a code."""
        return self.codes.index(code)

    def in_tissues(self, names: str) -> FloatArray:
        """Return one flag per tissue for ``A|B`` or ``ANY``."""
        wanted = names.split("|")
        return np.array([names == "ANY" or tissue in wanted for tissue in self.tissues], dtype=np.float64)


@lru_cache(maxsize=1)
def histologies() -> Histologies:
    """Return the histologies with their backgrounds."""
    rows = figure("histologies")
    tissues = tuple(dict.fromkeys(row["tissue"] for row in rows))
    names = [name for name in rows[0] if name not in ("code", "tissue", "source", "read")]
    numbers = {name: column(rows, name) for name in names}
    shares = {"development": numbers["checkpoint_share"], "external": numbers["checkpoint_external_share"]}
    return Histologies(
        codes=tuple(row["code"] for row in rows),
        tissues=tissues,
        tissue_of=np.array([tissues.index(row["tissue"]) for row in rows]),
        share={cohort: share / share.sum() for cohort, share in shares.items()},
        numbers=numbers,
    )


def by_tissue(table: str, name: str) -> FloatArray:
    """Return a column of a table keyed by tissue, one number per tissue; those not listed take the row ``OTHER``."""
    rows = figure(table)
    values = dict(zip((row["tissue"] for row in rows), column(rows, name), strict=True))
    return np.array([values.get(tissue, values["OTHER"]) for tissue in histologies().tissues])


@dataclass(frozen=True)
class Markers:
    """Classes of alteration that the generator plants: names, and their concrete variants with weights.

    ``variants`` indexes the rows of ``markers.csv``; variant ``v`` of marker ``m`` is drawn from ``cumulative``.
    """

    names: tuple[str, ...]
    first: IntArray
    count: IntArray
    weights: FloatArray

    def at(self, name: str) -> int:
        """Return the place of a marker."""
        return self.names.index(name)

    def places(self, names: str) -> list[int]:
        """Return the places of ``A|B``; none for a blank."""
        return [self.at(name) for name in names.split("|")] if names else []


@lru_cache(maxsize=1)
def markers() -> Markers:
    """Return the markers; the variants of one marker stand together in ``markers.csv``."""
    rows = figure("markers")
    names = tuple(dict.fromkeys(row["marker"] for row in rows))
    of = np.array([names.index(row["marker"]) for row in rows])
    return Markers(
        names=names,
        first=np.array([int(np.flatnonzero(of == m)[0]) for m in range(len(names))]),
        count=np.bincount(of),
        weights=column(rows, "weight"),
    )
