"""What the evidence looks at in a case: a small, hashable profile, so that like cases are worked out once.

A profile keeps what published arms report (histology, regimen, alteration classes, mismatch repair, levels of TMB and
PD-L1, line, what was given before) and nothing else; passengers and exact values are gone. Unknown stays unknown.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np

from features.driver_classes import Reading, classes, read
from features.finding_levels import genes_tested_by
from features.matching import covers, needs_of
from features.mismatch_repair import status_in
from features.prior_history import lines_of
from features.regimens import regimen
from features.remembered import MOST_FINDINGS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from features.batch import Batch, FloatArray, IntArray
    from features.case import Alteration

Level = TypeVar("Level")

TMB_KNOTS = (4.0, 16.0, 35.0)
"""mut/Mb, tissue panel, at which the height of TMB is 0 (low), 1 (high) and 2 (very high).

They are the patients that ``published_arms.csv`` reads in arms of under 10 and of 10 or more (KEYNOTE-158, Lancet Oncol
2020, PMID 32919526) and of 20 or more (Goodman, Mol Cancer Ther 2017, PMID 28835386). An arm's patients are on average
not at its cut-point: between the knots the height is linear in log2(1 + mut/Mb), so that one mutation more does not
double an estimate.
"""

TMB_STEPS = 8
"""Steps of one unit of height: profiles are kept, and there would be one for each patient otherwise."""

EXOME_COUNT_PER_MUT_PER_MB = 17.5
"""Exome mutations for one panel mut/Mb: 175 per exome answers to 10 mut/Mb (Cristescu, JITC 2022, PMID 35101941)."""

COPIES_HIGH, COPIES_LOW = 6.0, 4.0
"""Total copies: the classes of the capmatinib phase 1 arms (gene copy number under 4, 4 to 6, 6 or more)."""

TPS_HIGH, CPS_HIGH, IC_HIGH = 50.0, 10.0, 5.0
"""Percent, points, percent: the cut-points the published arms call PD-L1 high. Assays are compared by level only."""

PDL1_POSITIVE = 1.0
"""The cut-point they call positive, on every scale."""


_EXON_OF_A_GENE = re.compile(r"exon \d+ mutation")


class Finding(NamedTuple):
    """One finding as evidence sees it.

    ``detail`` is the level of expression, or of the copies of an amplified gene; for a mutation it is ``unspecified``
    when no change was named ("EGFR mutant"), or none that can be read: an unread change is unknown, not a passenger.
    """

    reading: Reading
    kind: str
    present: bool
    detail: str = ""


class Profile(NamedTuple):
    """What the evidence looks at in a case; None and empty mean unknown.

    ``findings`` is None when no list of alterations was given; ``negative`` holds genes tested without a finding that
    matter to the regimen; ``prior`` is None when earlier regimens are not recorded.
    """

    histology: str
    regimen: str
    findings: tuple[Finding, ...] | None = None
    negative: tuple[str, ...] = ()
    mmr: str | None = None
    tmb: float | None = None
    pdl1: str | None = None
    line: str | None = None
    prior: tuple[str, ...] | None = None


def profiles_of(batch: Batch) -> tuple[list[Profile], list[int]]:
    """Return the distinct profiles of a batch, and for every case the place of its own.

    Examples
    --------
    >>> from features.case import read_case
    >>> from features.from_cases import batch_of
    >>> case = read_case({"histology": "LUAD", "prior_lines": 1, "therapy": {"class": "pd1_pdl1"}})
    >>> profiles_of(batch_of([case, case]))[1]
    [0, 0]
    """
    return batch.reading("profiles", _profiles)


def _profiles(batch: Batch) -> tuple[list[Profile], list[int]]:
    columns = zip(
        batch.texts["histology"].texts(),
        batch.texts["therapy"].texts(),
        _findings(batch),
        _tested(batch),
        named(mmr_level(batch), MMR_LEVELS),
        named(tmb_level(batch), TMB_HEIGHTS),
        named(pdl1_level(batch), PDL1_LEVELS),
        named(line_level(batch), LINES),
        priors_of(batch),
        strict=True,
    )
    places: dict[Profile, int] = {}
    where = [places.setdefault(_profile(*row), len(places)) for row in columns]
    return list(places), where


def _profile(
    histology: str | None,
    key: str | None,
    findings: tuple[Finding, ...] | None,
    tested: frozenset[str],
    mmr: str | None,
    tmb: float | None,
    pdl1: str | None,
    line: str | None,
    prior: tuple[str, ...] | None,
) -> Profile:
    known = () if findings is None else findings
    hit = {one.reading.gene for one in known if one.present}
    wild = {gene for gene in genes_that_matter(key or "") if covers(tested, gene)} if tested else set()
    negative = tuple(sorted(wild - hit))
    if negative and findings is None:
        findings = ()
    return Profile(histology or "", key or "", findings, negative, mmr, tmb, pdl1, line, prior)


@lru_cache(maxsize=16_384)
def genes_that_matter(key: str) -> frozenset[str]:
    """Return the genes whose wild type says that a regimen is not matched: its targets, and those it needs."""
    return needs_of(key).genes | regimen(key).targets if key else frozenset()


@lru_cache(maxsize=MOST_FINDINGS)
def as_seen(alteration: Alteration) -> Finding | None:
    """Return the finding, or None for what the evidence does not look at.

    Left out are passengers (a notation that stands for no curated class) and negatives of limited meaning: of one
    notation only, or of blood.
    """
    reading = read(alteration)
    named = alteration.protein_change or alteration.cdna_change or alteration.variant_classification
    if alteration.status == "present":
        if alteration.kind != "mutation" and not (alteration.kind == "deletion" and alteration.exon):
            if any(classes()[one].kind == "fusion" for one in reading.narrowest):  # also ALK stained
                return Finding(reading, "fusion", True)
            return Finding(reading, alteration.kind, True, alteration.level or "")
        unspecified = bool(reading.unreadable) or _names_no_change(reading)
        passenger = not unspecified and not reading.classes
        return None if passenger else Finding(reading, "mutation", True, "unspecified" if unspecified else "")
    if named or alteration.status == "not_detected":
        return None
    return Finding(reading, alteration.kind, False)


def _names_no_change(reading: Reading) -> bool:
    """Return whether a notation says no more than that the gene, or an exon without a class of its own, is mutated."""
    return reading.text == "mutation" or (not reading.classes and _EXON_OF_A_GENE.fullmatch(reading.text) is not None)


def _order(finding: Finding) -> tuple[str, str, str, str, bool]:
    return finding.reading.gene, finding.kind, finding.reading.text, finding.detail, finding.present


def _findings(batch: Batch) -> list[tuple[Finding, ...] | None]:
    found: list[set[Finding]] = [set() for _ in range(batch.n)]
    all_findings = batch.findings
    reduced = [as_seen(level) for level in all_findings.levels]
    rows, codes = all_findings.row.tolist(), all_findings.codes.tolist()
    blood = _blood(batch)
    for row, code, copies in zip(rows, codes, all_findings.copies.tolist(), strict=True):
        one = reduced[code]
        if one is not None and (one.present or not blood[row]):
            found[row].add(one._replace(detail=copies_level(copies)) if one.kind == "amplification" else one)
    recorded = batch.findings_recorded.tolist()
    return [tuple(sorted(some, key=_order)) if known else None for some, known in zip(found, recorded, strict=True)]


def copies_level(copies: float) -> str:
    """Return ``high``, ``medium``, ``low`` or "" (unknown) for total copies of an amplified gene."""
    if np.isnan(copies):
        return ""
    return "high" if copies >= COPIES_HIGH else "medium" if copies >= COPIES_LOW else "low"


def _tested(batch: Batch) -> list[frozenset[str]]:
    """Return the genes whose wild type is known; those of blood are not: a negative there is *not detected*."""
    listed, panels = batch.texts["assay.genes_tested"], batch.texts["assay.panel"]
    by_codes: dict[tuple[int, int], frozenset[str]] = {}
    found = []
    columns = (listed.codes.tolist(), panels.codes.tolist(), batch.findings_recorded.tolist(), _blood(batch))
    for i, j, recorded, blood in zip(*columns, strict=True):
        if (i, j) not in by_codes:
            names = tuple(levels[k] if k >= 0 else None for levels, k in ((listed.levels, i), (panels.levels, j)))
            by_codes[i, j] = genes_tested_by(*names) or frozenset()
        found.append(by_codes[i, j] if recorded and not blood else frozenset())
    return found


def _blood(batch: Batch) -> list[bool]:
    return [source == "blood" for source in batch.texts["specimen.source"].texts()]


MMR_LEVELS = (None, "proficient", "deficient")
PDL1_LEVELS = (None, "negative", "positive", "high")
LINES = (None, "first", "later", "third")
"""What each level is called; the first is unknown."""

TMB_HEIGHTS = (None, *(step / TMB_STEPS for step in range(2 * TMB_STEPS + 1)))
"""Height of TMB of each level; see :data:`TMB_KNOTS`."""

_PDL1_CLASS = {"TC0/IC0": 1.0, "TC1+/IC1+": 2.0, "TC2+/IC2+": 3.0, "TC3/IC3": 3.0}

_PDL1_STAIN = {"0": 1.0, "negative": 1.0, "high": 3.0, "3+": 3.0}
"""Place in :data:`PDL1_LEVELS` of a level of expression; what stains otherwise is positive."""

_MMR_TEXTS = (
    "ihc",
    "msi_pcr",
    "msi_ngs",
    "reported",
    *(f"ihc_proteins.{name}" for name in ("MLH1", "MSH2", "MSH6", "PMS2")),
)


def mmr_level(batch: Batch) -> IntArray:
    """Return the place of each case's mismatch repair in :data:`MMR_LEVELS`."""
    texts = (batch.texts[f"mmr.{name}"] for name in _MMR_TEXTS)
    if not any(column.levels for column in texts) and _all_unknown(batch.numbers["mmr.msi_ngs_score"]):
        return np.zeros(batch.n, dtype=np.int64)
    deficient = status_in(batch).deficient
    return np.where(np.isnan(deficient), 0, 1 + np.nan_to_num(deficient)).astype(np.int64)


def _all_unknown(values: FloatArray) -> bool:
    return bool(np.isnan(values).all())


def named(level: IntArray, names: Sequence[Level]) -> list[Level]:
    """Return the names of levels, one per case."""
    return [names[place] for place in level.tolist()]


def tmb_level(batch: Batch) -> IntArray:
    """Return the place of each case's mutational burden in :data:`TMB_HEIGHTS`."""
    panel, exome = batch.numbers["tmb.mut_per_mb"], batch.numbers["tmb.exome_nonsynonymous_count"]
    if _all_unknown(panel) and _all_unknown(exome):
        return np.zeros(batch.n, dtype=np.int64)
    burden = np.where(np.isnan(panel), exome / EXOME_COUNT_PER_MUT_PER_MB, panel)
    height = np.interp(np.log2(1.0 + burden), np.log2(1.0 + np.array(TMB_KNOTS)), [0.0, 1.0, 2.0])
    return np.where(np.isnan(burden), 0, 1 + np.rint(np.nan_to_num(height) * TMB_STEPS)).astype(np.int64)


def pdl1_level(batch: Batch) -> IntArray:
    """Return the place of each case's highest level of any assay in :data:`PDL1_LEVELS`."""
    level = batch.texts["patient.pdl1_tc_ic"].gather(lambda name: _PDL1_CLASS[name], 0.0)
    for path, high in (("tps_percent", TPS_HIGH), ("cps", CPS_HIGH), ("ic_percent", IC_HIGH)):
        value = batch.numbers[f"patient.pdl1_{path}"]
        if not _all_unknown(value):
            place = 1 + np.searchsorted([PDL1_POSITIVE, high], value, side="right")
            level = np.maximum(level, np.where(np.isnan(value), 0, place))
    found = batch.findings
    stained = np.array([_pdl1_stained(one) for one in found.levels], dtype=np.float64)
    if stained.any():
        np.maximum.at(level, found.row, stained[found.codes])
    return level.astype(np.int64)


def _pdl1_stained(finding: Alteration) -> float:
    """Return the place of a stain of PD-L1 that is listed among the findings; 0 for anything else."""
    if finding.gene != "CD274" or finding.kind != "expression" or finding.status == "not_detected":
        return 0.0
    return 1.0 if finding.status == "absent" else _PDL1_STAIN.get(finding.level or "", 2.0)


def line_level(batch: Batch) -> IntArray:
    """Return the place of each case's line in :data:`LINES`: ``later`` is one or more before, ``third`` two or more.

    A number that is not given is that of the list of prior therapies, as the feature table reads it.
    """
    numbers, systemic = batch.numbers["prior_lines"], batch.numbers["prior_systemic_therapy"]
    if (np.isnan(numbers) & batch.priors.recorded).any():
        numbers = lines_of(batch)
    level = np.where((numbers == 0) | (systemic == 0), 1, 0)  # a comparison with NaN is false
    later = (numbers >= 1) | (systemic == 1)
    later[batch.priors.row] = True
    level[later] = 2
    level[numbers >= 2] = 3
    return np.asarray(level, dtype=np.int64)


def never_treated(batch: Batch) -> NDArray[np.bool_]:
    """Return which cases had nothing before, for it says so; shape (n,)."""
    lines, treated = batch.numbers["prior_lines"], batch.numbers["prior_systemic_therapy"]
    return np.asarray((lines == 0) | (treated == 0), dtype=np.bool_)


def priors_of(batch: Batch) -> list[tuple[str, ...] | None]:
    """Return the regimens given before, sorted; empty when there were none, None when they are not recorded."""
    levels, recorded = batch.priors.regimen.levels, batch.priors.recorded.tolist()
    found: list[list[str]] = [[] for _ in range(batch.n)]
    for row, code in zip(batch.priors.row.tolist(), batch.priors.regimen.codes.tolist(), strict=True):
        found[row].append(levels[code])
    naive = never_treated(batch).tolist()
    return [
        tuple(sorted(some)) if known or nothing else None
        for some, known, nothing in zip(found, recorded, naive, strict=True)
    ]
