"""From a panel's TMB to the common scale, and its uncertainty.

The common scale is mut/Mb of FoundationOne CDx, on which the label's cut of 10 is defined. A calibration is used only
where one is published (``panels.csv``); other panels keep their own scale and are flagged. What holds for every
panel is the counting error: TMB is a count over a few megabases, so its standard deviation is the square root of
TMB over size (Buchhalter 2019, doi 10.1002/ijc.31878; size was the largest source of error up to 20 mut/Mb). Panels
under 0.667 Mb misjudge high against low (Friends of Cancer Research phase II, Vega 2021, PMID 34606929), whose own
coefficients are per laboratory: a site fits its own and adds a row.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from features import panels

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from features.batch import Batch, FloatArray
    from features.case import Alteration

SMALLEST_PANEL_MB = 0.667
"""Megabases below which panel TMB should not be relied on; Vega 2021, PMID 34606929."""

NONSYNONYMOUS = frozenset(
    {
        "Missense_Mutation",
        "Nonsense_Mutation",
        "Nonstop_Mutation",
        "Splice_Site",
        "Translation_Start_Site",
        "Frame_Shift_Del",
        "Frame_Shift_Ins",
        "In_Frame_Del",
        "In_Frame_Ins",
    }
)
"""MAF classes that are counted: those that change the protein, which is what MSK-IMPACT counts (PMID 30643254)."""

_UNCALIBRATED = (1.0, 0.0, math.nan, 1.0)


@dataclass(frozen=True, slots=True)
class PanelTmb:
    """TMB on the common scale, mut/Mb, shape (n,); ``derived`` where it was counted from the listed alterations."""

    mut_per_mb: FloatArray
    derived: FloatArray


@lru_cache(maxsize=1024)
def _panel_row(name: str) -> tuple[float, float, float, float]:
    """Return slope, intercept, size over which we may count (NaN: may not) and whether it is a tissue panel."""
    panel = panels.find(name)
    if panel is None:
        return _UNCALIBRATED
    slope, intercept = (panel.calibration.slope, panel.calibration.intercept) if panel.calibration else (1.0, 0.0)
    countable = panel.size_mb is not None and not panel.counts_synonymous
    size = panel.size_mb if countable and panel.size_mb is not None else math.nan
    return slope, intercept, size, float(panel.specimen == "tissue")


def counted(finding: Alteration) -> bool:
    """Return whether a finding counts towards TMB: a somatic mutation that is present and changes the protein.

    Without a MAF class, a protein change counts unless it is synonymous (``p.L858=``); a cDNA change alone counts.
    """
    if finding.kind != "mutation" or finding.status != "present" or finding.origin == "germline":
        return False
    if finding.variant_classification is not None:
        return finding.variant_classification in NONSYNONYMOUS
    if finding.protein_change is not None:
        return not finding.protein_change.endswith("=")
    return finding.cdna_change is not None


def on_common_scale(batch: Batch) -> PanelTmb:
    """Return tissue TMB of a batch on the common scale; blood and unknown are NaN."""
    return batch.reading("TMB on the common scale", _on_common_scale)


def _on_common_scale(batch: Batch) -> PanelTmb:
    reported = batch.numbers["tmb.mut_per_mb"]
    coded = batch.texts["assay.panel"]
    rows = np.array([*map(_panel_row, coded.levels), _UNCALIBRATED])[coded.codes]
    slope, intercept, size, tissue = rows.T
    own = reported
    missing = np.isnan(reported)
    derived = np.zeros(batch.n)
    if missing.any() and batch.findings_recorded.any() and not np.isnan(size).all():
        count = _counts(batch)
        can = missing & batch.findings_recorded & ~np.isnan(size)
        own = np.where(can, count / size, reported)
        derived = can.astype(np.float64)
    in_tissue = (tissue > 0) & ~from_blood(batch)
    return PanelTmb(np.where(in_tissue, intercept + slope * own, np.nan), derived * in_tissue)


def from_blood(batch: Batch) -> NDArray[np.bool_]:
    """Return where the specimen that counts is blood; unknown counts as tissue, which the field says it is."""
    coded = batch.texts["specimen.source"]
    if not coded.levels:
        return np.zeros(batch.n, dtype=np.bool_)
    return coded.gather(lambda source: float(source == "blood"), unknown=0.0) > 0


def _counts(batch: Batch) -> FloatArray:
    from features.finding_levels import numbers_of  # which asks `counted` of each finding

    findings = batch.findings
    weight = numbers_of(findings.levels)[6].astype(np.float64)[findings.codes]
    return np.asarray(np.bincount(findings.row, weights=weight, minlength=batch.n), dtype=np.float64)


def counting_sd(mut_per_mb: float, size_mb: float) -> float:
    """Return the standard deviation, mut/Mb, that counting alone gives a TMB.

    Examples
    --------
    >>> round(counting_sd(10, 1.0), 2)
    3.16
    """
    return math.sqrt(mut_per_mb / size_mb)
