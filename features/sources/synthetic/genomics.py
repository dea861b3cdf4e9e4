"""The tumour before therapy: mismatch repair, mutational burden, drivers, their co-alterations, and passengers."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import expit, logit

from features.sources.synthetic.draft import flags, rounded, stream
from features.sources.synthetic.regimens import scenarios
from features.sources.synthetic.tissues import column, figure, histologies, markers

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from features.batch import FloatArray, IntArray
    from features.sources.synthetic.draft import Draft

MSI_TMB_MEDIAN, MSI_TMB_SIGMA = 44.8, 0.45
"""mut/Mb and natural-log spread; quartiles of the 23 MSI-high patients of the LORIS training sheet: 31, 45, 52."""
MOST_TMB = 400.0
"""mut/Mb; beyond it nothing was reported in the sources."""
EXOME_MB, BLOOD_MB = 30.0, 1.1
"""Megabases counted by an exome and by a blood TMB assay."""
DISCORDANT_STAIN = 0.02
"""Share of stains that are equivocal or contradict the sequencing (assumption); half each."""
LOW_INSTABILITY = 0.02
"""Share of proficient tumours that PCR calls MSI-L (assumption)."""
NEVER_SMOKER_DRIVERS = "EGFR_SENSITISING|EGFR_EXON20|EGFR_UNCOMMON|ALK_FUSION|ROS1_FUSION|RET_FUSION"
DRIVER_TMB_LOG_SHIFT = -0.8
"""Natural log: tumours with these drivers carry few mutations (assumption, as in the lung row of Chalmers 2017)."""
SMOKING_TMB_LOG_SHIFT = 0.55
"""Natural log, ever against never smokers in tobacco-related tissues (assumption)."""
POLE_TMB_LOG_SHIFT = 2.2
"""Natural log: ultramutated tumours (assumption)."""


@lru_cache(maxsize=1)
def _prevalence() -> tuple[FloatArray, FloatArray, tuple[str, ...]]:
    """Return prevalence (histology, marker), log-odds per smoking (marker) and the exclusive set of each marker."""
    known, all_markers = histologies(), markers()
    prevalence = np.zeros((len(known.codes), len(all_markers.names)))
    smoking = np.zeros((len(known.codes), len(all_markers.names)))
    sets = [""] * len(all_markers.names)
    rows = figure("drivers")
    for row, share, log_odds in zip(rows, column(rows, "prevalence"), column(rows, "smoking_log_odds"), strict=True):
        marker = all_markers.at(row["marker"])
        sets[marker] = row["exclusive_set"] or sets[marker]
        for code in row["histologies"].split("|"):
            prevalence[known.at(code), marker] = share
            smoking[known.at(code), marker] = log_odds
    return prevalence, smoking, tuple(sets)


def genomics(draft: Draft, seed: int, block: int) -> None:
    """Draw mismatch repair, drivers and mutational burden of a block."""
    rng = stream(seed, draft.family, draft.cohort, block, "genes")
    _drivers(draft, rng)
    _mismatch_repair(draft, rng)
    _burden(draft, rng)


def _drivers(draft: Draft, rng: np.random.Generator) -> None:
    """Draw markers by histology and smoking; those of one exclusive set never stand together."""
    prevalence, smoking, sets = _prevalence()
    shift = smoking[draft.histology] * (draft.numbers["ever_smoker"] - draft.of_histology("ever_smoker_share"))[:, None]
    base = prevalence[draft.histology]
    with np.errstate(divide="ignore"):
        chance = np.where(base > 0, expit(logit(base) + shift), 0.0)
    draft.carries[:] = rng.random(base.shape) < chance
    for name in sorted(set(sets) - {""}):
        members = [place for place, of in enumerate(sets) if of == name]
        _one_of(draft, members, chance[:, members], rng.random(draft.n))
    if draft.family == "targeted":
        _planted(draft, sets)


def _one_of(draft: Draft, members: list[int], chance: FloatArray, u: FloatArray) -> None:
    """Draw at most one member of an exclusive set per case."""
    edges = np.cumsum(chance, axis=1)
    chosen = (u[:, None] >= edges).sum(axis=1)
    draft.carries[:, members] = chosen[:, None] == np.arange(len(members))


def _planted(draft: Draft, sets: tuple[str, ...]) -> None:
    """Give each targeted case the marker of its indication; its exclusive sets and other HER2 findings give way."""
    marker = scenarios().marker[draft.scenario]
    exclusive = [place for place, of in enumerate(sets) if of]
    her2 = markers().places("ERBB2_AMPLIFICATION|ERBB2_LOW|ERBB2_IHC3|ERBB2_MUTATION")
    resets = np.isin(marker, exclusive) | (marker < 0) | np.isin(marker, her2)
    draft.carries[np.ix_(np.flatnonzero(resets), np.array(sorted(set(exclusive) | set(her2))))] = False
    has = np.flatnonzero(marker >= 0)
    draft.carries[has, marker[has]] = True


def _mismatch_repair(draft: Draft, rng: np.random.Generator) -> None:
    """Draw deficiency; the targeted indications in one driver are seldom deficient except in colorectal V600E."""
    share = draft.of_histology("msi_share")
    v600e = draft.carries[:, markers().at("BRAF_V600E")] & draft.in_tissues("COLORECTUM")
    chance = np.where(v600e, np.minimum(3 * share, 0.9), share)
    deficient = rng.random(draft.n) < chance
    u = rng.random((3, draft.n))
    wrong = u[0] < DISCORDANT_STAIN
    mistaken = np.where(u[0] < DISCORDANT_STAIN / 2, 2.0, flags(~deficient))
    draft.numbers["deficient"] = flags(deficient)
    draft.numbers["ihc"] = np.where(wrong, mistaken, flags(deficient))
    draft.numbers["pcr"] = np.where(deficient, 1.0, np.where(u[1] < LOW_INSTABILITY, 2.0, 0.0))
    score = np.where(deficient, 12 + 28 * u[2], 3.0 * u[2] ** 2)
    draft.numbers["mmr.msi_ngs_score"] = np.round(score, 2)


def _burden(draft: Draft, rng: np.random.Generator) -> None:
    """Draw the tumour's mutational burden and what each assay counts of it (Poisson over its megabases)."""
    numbers = draft.numbers
    median, sigma = draft.of_histology("tmb_median"), draft.of_histology("tmb_sigma_log")
    smoked = numbers["ever_smoker"] - draft.of_histology("ever_smoker_share")
    tobacco = draft.in_tissues("LUNG|SCLC|HEADNECK|UROTHELIUM|OESOPHAGUS")
    z = rng.standard_normal(draft.n)
    log_tmb = np.log(median) + sigma * z + SMOKING_TMB_LOG_SHIFT * smoked * tobacco
    log_tmb += DRIVER_TMB_LOG_SHIFT * draft.carries_any(markers().places(NEVER_SMOKER_DRIVERS))
    log_tmb += POLE_TMB_LOG_SHIFT * draft.carries_any(markers().places("POLE_EXONUCLEASE"))
    deficient = numbers["deficient"] > 0
    log_tmb = np.where(deficient, np.log(MSI_TMB_MEDIAN) + MSI_TMB_SIGMA * z, log_tmb)
    tmb = np.minimum(np.exp(log_tmb), MOST_TMB)
    size = column(figure("assays"), "size_mb")[draft.assay]
    panel = np.where(draft.in_assays("blood|no_sequencing"), 1.0, size)
    numbers["tmb"] = tmb
    numbers["tmb.mut_per_mb"] = rounded(np.minimum(rng.poisson(tmb * panel) / panel, 900), 1)
    numbers["tmb.exome_nonsynonymous_count"] = rounded(np.minimum(rng.poisson(tmb * EXOME_MB), 49_000))
    numbers["tmb.blood_count"] = rounded(np.minimum(rng.poisson(tmb * BLOOD_MB), 1_900))


PASSENGER_GENES = tuple(
    """
    FAT1 PTPRT PTPRD GRIN2A EPHA3 EPHA5 EPHA7 EPHB1 ERBB4 INSR IGF1R FLT1 FLT4 KDR PDGFRB ROS1 NTRK3 ALK
    MGA ZFHX3 SPEN NOTCH2 NOTCH3 CREBBP EP300 ATRX TET1 DOT1L NSD1 ASXL2 TP63 PREX2 PAK5 RUNX1T1 PIK3C2G
    PIK3CG CARD11 TSHR HGF IRS1 IRS2 MED12 POLD1 RAD50 RECQL4 BLM SLX4 POLQ LATS1 LATS2 AXIN2 TCF7L2
    SOX9 CDH1 INHBA RPTOR NUF2 DICER1
    """.split()  # noqa: SIM905  # a list of one gene a line would fill the file
)
"""Genes of common panels that passengers fall into; some are drivers elsewhere, by other variants."""
_AMINO = "ACDEFGHIKLMNPQRSTVWY"
PASSENGER_LEVELS = 4000
"""Distinct passenger variants; a real report hardly ever repeats one, a library keeps the levels of a batch few."""
MOST_PASSENGERS = 40
"""Per case: a hypermutated tumour reports more, which adds bulk and nothing else."""


@lru_cache(maxsize=1)
def passenger_levels() -> tuple[tuple[str, str, str], ...]:
    """Return (gene, protein change, classification) of all passengers; drawn once, from a fixed seed of their own.

    Examples
    --------
    >>> len(passenger_levels()) == PASSENGER_LEVELS
    True
    """
    rng = np.random.Generator(np.random.PCG64(20_240_517))
    gene = rng.integers(len(PASSENGER_GENES), size=PASSENGER_LEVELS)
    position = rng.integers(20, 1200, size=PASSENGER_LEVELS)
    old = rng.integers(20, size=PASSENGER_LEVELS)
    new = (old + rng.integers(1, 20, size=PASSENGER_LEVELS)) % 20
    kind = np.searchsorted([0.86, 0.92, 0.97], rng.random(PASSENGER_LEVELS))
    return tuple(
        (PASSENGER_GENES[g], *_notation(int(k), _AMINO[o], int(p), _AMINO[a]))
        for g, p, o, a, k in zip(gene, position, old, new, kind, strict=True)
    )


def _notation(kind: int, old: str, position: int, new: str) -> tuple[str, str]:
    """Write a protein change as a laboratory would."""
    forms = (
        (f"p.{old}{position}{new}", "Missense_Mutation"),
        (f"p.{old}{position}*", "Nonsense_Mutation"),
        (f"p.{old}{position}{new}fs*{position % 40 + 2}", "Frame_Shift_Del"),
        (f"p.X{position}_splice", "Splice_Site"),
    )
    return forms[kind]


def passengers(draft: Draft, seed: int, block: int) -> tuple[IntArray, IntArray, FloatArray]:
    """Return row, level and allele fraction of the passengers of a block: as many as the burden says."""
    rng = stream(seed, draft.family, draft.cohort, block, "passengers")
    counted = draft.numbers["tmb.mut_per_mb"] * np.where(draft.in_assays("blood|no_sequencing"), 0.4, 1.1)
    count = np.minimum(rng.poisson(counted), MOST_PASSENGERS)
    row = np.repeat(np.arange(draft.n), count)
    level = rng.integers(PASSENGER_LEVELS, size=len(row))
    return row, level, np.round(0.03 + 0.45 * rng.random(len(row)), 3)


def distinct(row: IntArray, level: IntArray) -> NDArray[np.bool_]:
    """Say which (case, level) pairs stand for the first time."""
    keep = np.zeros(len(row), dtype=np.bool_)
    keep[np.unique(row * PASSENGER_LEVELS + level, return_index=True)[1]] = True
    return keep
