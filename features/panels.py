"""Panels: what an assay covers, how large it is, and how its TMB maps to the common scale.

The common scale is whole-exome nonsynonymous mut/Mb. A panel without a published calibration stays on its own scale
and its uncertainty is flagged, not invented.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, cast

from features import genes
from features.vocabulary import cell_list, table


@dataclass(frozen=True, slots=True)
class TmbCalibration:
    """Linear map from a panel's TMB to the common scale: ``intercept + slope * tmb``, in mut/Mb.

    ``sd_log`` is the residual standard deviation of log2(1 + TMB); NaN where the source does not give one.
    """

    slope: float
    intercept: float
    sd_log: float
    source: str


@dataclass(frozen=True, slots=True)
class Panel:
    """One row of ``panels.csv`` with its genes from ``panel_genes.csv``.

    Attributes
    ----------
    edition
        Version of the panel, as its maker counts; ``version`` in the table is that of the row.
    size_mb
        Megabases over which TMB is counted; None when not published.
    genes
        Symbols tested, or None when the list is not carried: then no gene counts as tested.
    counts_synonymous
        Whether the panel's own TMB counts synonymous variants (FoundationOne does).
    """

    name: str
    edition: str
    specimen: Literal["tissue", "blood"]
    size_mb: float | None
    genes: frozenset[str] | None
    counts_synonymous: bool
    calibration: TmbCalibration | None
    source: str

    @property
    def exome(self) -> bool:
        """Whether the panel is a whole exome, where every gene is tested."""
        return self.name == "WES"


def _number(cell: str) -> float | None:
    return float(cell) if cell else None


def _calibration(row: dict[str, str]) -> TmbCalibration | None:
    if not row["tmb_slope"]:
        return None
    sd_log = _number(row["tmb_sd_log"])
    return TmbCalibration(
        slope=float(row["tmb_slope"]),
        intercept=float(row["tmb_intercept"]),
        sd_log=float("nan") if sd_log is None else sd_log,
        source=row["tmb_source"],
    )


@lru_cache(maxsize=1)
def _genes_by_panel() -> dict[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for row in table("panel_genes"):
        for panel in cell_list(row["panels"]):
            found.setdefault(panel, set()).add(genes.resolve(row["gene"]))
    return {panel: frozenset(symbols) for panel, symbols in found.items()}


@lru_cache(maxsize=1)
def _rows() -> dict[str, Panel]:
    return {
        row["panel"]: Panel(
            name=row["panel"],
            edition=row["edition"],
            specimen=cast('Literal["tissue", "blood"]', row["specimen"]),
            size_mb=_number(row["size_mb"]),
            genes=_genes_by_panel().get(row["panel"]),
            counts_synonymous=row["counts_synonymous"] == "yes",
            calibration=_calibration(dict(row)),
            source=row["source"],
        )
        for row in table("panels")
    }


def folded(name: str) -> str:
    """Return a panel's name without case and punctuation, for comparison.

    Examples
    --------
    >>> folded("MSK-IMPACT 468")
    'mskimpact468'
    """
    return re.sub(r"[^a-z0-9]+", "", name.casefold())


@lru_cache(maxsize=1)
def _by_name() -> dict[str, str]:
    return {
        folded(name): row["panel"] for row in table("panels") for name in (row["panel"], *cell_list(row["synonyms"]))
    }


def names() -> tuple[str, ...]:
    """Return the canonical names of all panels, sorted."""
    return tuple(sorted(_rows()))


@lru_cache(maxsize=4096)
def find(text: str) -> Panel | None:
    """Return a panel by name or synonym, or None: an unknown panel is no error, its genes are unknown.

    Examples
    --------
    >>> find("impact468").name, find("impact468").size_mb
    ('MSK-IMPACT468', 1.22)
    >>> find("our own panel") is None
    True
    """
    name = _by_name().get(folded(text))
    return None if name is None else _rows()[name]
