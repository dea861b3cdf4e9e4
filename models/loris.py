"""LORIS as published: two logistic scores for checkpoint blockade, our rival to beat. Scores, not probabilities.

Chang et al., Nature Cancer 2024; coefficients as in the paper and in the authors' repository (rootchang/LORIS). They
were fitted with balanced class weights: the mean score is 0.47 where 29% respond.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import expit

from features.batch import UNKNOWN, Batch, Coded, Findings, Priors
from features.histology import lineage

if TYPE_CHECKING:
    from features.batch import FloatArray

LORIS_SOURCE = "doi:10.1038/s43018-024-00772-7"
"""LORIS robustly predicts patient outcomes with immune checkpoint blockade therapy, Nature Cancer 2024;5:1158."""

LORIS_ALBUMIN_WHERE_BLANK = 3.8
"""g/dL, what LORIS's own data hold where albumin was not measured."""

LORIS_NLR_WHERE_BLANK = 6.2
"""Ratio, what LORIS's own data hold where the neutrophil-lymphocyte ratio was not measured."""

LORIS_HISTOLOGY: dict[str, float] = {
    "bladder": -0.3323,
    "breast": -0.3323,
    "colorectal": -0.102,
    "endometrial": -0.0079,
    "esophageal": 0.55,
    "gastric": 0.2306,
    "head_and_neck": 0.0678,
    "hepatobiliary": -0.1189,
    "melanoma": -0.0086,
    "mesothelioma": 0.1255,
    "nsclc": 0.0008,
    "ovarian": -0.052,
    "pancreatic": -1.1169,
    "renal": 0.5451,
    "sarcoma": 0.0542,
    "sclc": -0.0033,
}
"""Log-odds of LORIS's cancer types (its calibration term)."""

LORIS_TYPE_OF_CODE: dict[str, str] = {
    "BLADDER": "bladder",
    "BREAST": "breast",
    "COADREAD": "colorectal",
    "UCEC": "endometrial",
    "ESCA": "esophageal",
    "ESCC": "esophageal",
    "STAD": "gastric",
    "EGC": "gastric",
    "STOMACH": "esophageal",
    "HEAD_NECK": "head_and_neck",
    "HEPATOBILIARY": "hepatobiliary",
    "LIVER": "hepatobiliary",
    "BILIARY_TRACT": "hepatobiliary",
    "MEL": "melanoma",
    "UM": "melanoma",
    "PLMESO": "mesothelioma",
    "PEMESO": "mesothelioma",
    "NSCLC": "nsclc",
    "OVARY": "ovarian",
    "PANCREAS": "pancreatic",
    "RCC": "renal",
    "SOFT_TISSUE": "sarcoma",
    "BONE": "sarcoma",
    "SCLC": "sclc",
}
"""OncoTree code to LORIS's cancer type; the most specific code of a lineage wins, without one LORIS is undefined.
The bare tissue STOMACH (OncoTree: esophagus/stomach) is what "esophageal" without a subtype is recorded as."""


@dataclass(frozen=True)
class LorisPanCancer:
    """The published pan-cancer LORIS score, 0 to 1, not a probability.

    Albumin 3.8 g/dL and NLR 6.2 stand in where they are blank, as in LORIS's own data. NaN where TMB, age or prior
    systemic therapy is unknown, or the histology is none of its sixteen.
    """

    name: str = "loris_pan_cancer"
    is_probability: bool = False
    on_unit_scale: bool = True

    def score(self, batch: Batch) -> FloatArray:
        """Return the score of each case."""
        return np.asarray(expit(self.linear_predictor(batch)))

    def linear_predictor(self, batch: Batch) -> FloatArray:
        """Return S, the score on its logit scale."""
        found = loris_pan_cancer(
            batch.numbers["tmb.mut_per_mb"],
            prior_systemic_therapy(batch),
            batch.numbers["patient.albumin_g_per_dl"],
            batch.numbers["patient.nlr"],
            batch.numbers["patient.age_years"],
            batch.texts["histology"].gather(_histology_term),
        )
        return np.asarray(found)


@dataclass(frozen=True)
class LorisNsclc:
    """The published NSCLC LORIS score, 0 to 1, no probability; NaN outside NSCLC or without TMB, PD-L1 or history."""

    name: str = "loris_nsclc"
    is_probability: bool = False
    on_unit_scale: bool = True

    def score(self, batch: Batch) -> FloatArray:
        """Return the score of each case."""
        return np.asarray(expit(self.linear_predictor(batch)))

    def linear_predictor(self, batch: Batch) -> FloatArray:
        """Return S, the score on its logit scale."""
        found = loris_nsclc(
            batch.numbers["tmb.mut_per_mb"],
            batch.numbers["patient.pdl1_tps_percent"],
            prior_systemic_therapy(batch),
            batch.numbers["patient.albumin_g_per_dl"],
            batch.numbers["patient.nlr"],
        )
        inside = batch.texts["histology"].gather(lambda code: float(loris_type(code) == "nsclc"), unknown=0.0)
        return np.where(inside == 1, found, np.nan)


def loris_pan_cancer(tmb: Any, prior: Any, albumin: Any, nlr: Any, age: Any, histology_term: Any) -> Any:
    """Return S of the pan-cancer LORIS (numbers or arrays).

    Parameters
    ----------
    tmb
        mut/Mb, counted up to 50 as published.
    prior
        Chemotherapy or targeted therapy before: 0 or 1.
    albumin, nlr, age
        g/dL; ratio, counted up to 25; years, counted up to 85. NaN albumin and NLR become 3.8 and 6.2.
    histology_term
        A value of :data:`LORIS_HISTOLOGY`.

    Examples
    --------
    >>> round(float(loris_pan_cancer(12.0, 0.0, 4.0, 3.0, 60.0, LORIS_HISTOLOGY["melanoma"])), 4)
    0.6958
    """
    albumin, nlr = _filled(albumin, LORIS_ALBUMIN_WHERE_BLANK), _filled(nlr, LORIS_NLR_WHERE_BLANK)
    return (
        0.0371 * np.minimum(tmb, 50.0)
        - 0.8775 * prior
        + 0.5382 * albumin
        - 0.033 * np.minimum(nlr, 25.0)
        + 0.0049 * np.minimum(age, 85.0)
        + histology_term
        - 2.0886
    )


def loris_nsclc(tmb: Any, pdl1: Any, prior: Any, albumin: Any, nlr: Any) -> Any:
    """Return S of the NSCLC LORIS (numbers or arrays); PD-L1 is the tumour proportion score in percent.

    Examples
    --------
    >>> round(float(loris_nsclc(12.0, 50.0, 0.0, 4.0, 3.0)), 4)
    0.558
    """
    albumin, nlr = _filled(albumin, LORIS_ALBUMIN_WHERE_BLANK), _filled(nlr, LORIS_NLR_WHERE_BLANK)
    return (
        0.0353 * np.minimum(tmb, 50.0)
        + 0.0111 * pdl1
        - 0.375 * prior
        + 0.2924 * albumin
        - 0.0103 * np.minimum(nlr, 25.0)
        - 1.5593
    )


def loris_type(code: str) -> str | None:
    """Return LORIS's cancer type of an OncoTree code, None where LORIS has none."""
    return next((LORIS_TYPE_OF_CODE[step] for step in lineage(code) if step in LORIS_TYPE_OF_CODE), None)


def _histology_term(code: str) -> float:
    kind = loris_type(code)
    return float("nan") if kind is None else LORIS_HISTOLOGY[kind]


def _filled(value: Any, where_blank: float) -> Any:
    return np.where(np.isnan(value), where_blank, value)


def prior_systemic_therapy(batch: Batch) -> FloatArray:
    """Return 1, 0 or NaN: as recorded, else implied by prior lines or a list of prior therapies.

    A prior line implies systemic therapy; no line in the metastatic setting does too little to exclude an adjuvant one,
    yet it is what ``prior_lines`` 0 was recorded from, so it counts as none.
    """
    said, lines = batch.numbers["prior_systemic_therapy"], batch.numbers["prior_lines"]
    implied = np.where(np.isnan(lines), np.nan, (lines > 0).astype(np.float64))
    listed = np.bincount(batch.priors.row, minlength=batch.n).astype(np.float64)
    recorded = np.where(batch.priors.recorded, (listed > 0).astype(np.float64), np.nan)
    return np.where(np.isnan(said), np.where(np.isnan(implied), recorded, implied), said)


_INPUT_NUMBERS = ("tmb.mut_per_mb", "patient.albumin_g_per_dl", "patient.nlr", "patient.age_years")
_UNSPECIFIED_BLOCKADE = "class:checkpoint_unspecified"


def only_loris_inputs(batch: Batch) -> Batch:
    """Return the cases with LORIS's six inputs and nothing else known: what a fair fight over the method needs.

    The therapy becomes an unspecified checkpoint inhibitor, because LORIS does not look at it.
    """
    unknown = np.full(batch.n, np.nan)
    numbers = {path: batch.numbers[path] if path in _INPUT_NUMBERS else unknown for path in batch.numbers}
    numbers["prior_systemic_therapy"] = prior_systemic_therapy(batch)
    blank = Coded(np.full(batch.n, UNKNOWN, dtype=np.int64), ())
    therapy = Coded(np.zeros(batch.n, dtype=np.int64), (_UNSPECIFIED_BLOCKADE,))
    kept = {"histology": batch.texts["histology"], "therapy": therapy}
    nothing = np.zeros(batch.n, dtype=np.bool_)
    return Batch(
        n=batch.n,
        numbers=numbers,
        texts={path: kept.get(path, blank) for path in batch.texts},
        findings=Findings(),
        findings_recorded=nothing,
        other_findings=Findings(),
        priors=Priors(recorded=nothing),
    )
