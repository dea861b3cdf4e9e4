"""The true log-odds of response of every case, as a sum of eight groups and an intercept.

This is not the model's equation. It has thresholds (a burden counts double above a cut that differs by tissue), a
three-way interaction (KRAS with STK11 in lung; RNF43 with BRAF V600E under an EGFR antibody), U-shapes (age, body
mass) and a factor that nobody measures (:mod:`features.sources.synthetic.outcomes`), over which the truth is
marginal: the probability given every field of the complete case.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from features.sources.synthetic.draft import flags
from features.sources.synthetic.regimens import cells, regimens
from features.sources.synthetic.tissues import by_tissue, column, figure, histologies, markers

if TYPE_CHECKING:
    from collections.abc import Mapping

    from features.batch import FloatArray
    from features.sources.synthetic.draft import Draft, Family

INTERCEPT = -1.0
"""Log-odds; evidence is written relative to it."""
TMB_CENTRE = 6.0
"""mut/Mb where the slope of the burden passes zero: the median of the LORIS training sheet is 5.9."""
LINE_LOG_ODDS = {"checkpoint": -0.28, "targeted": -0.18}
"""Per earlier line, up to four. Arms kn001_naive 24.8% and kn001_treated 18%; capmatinib 68% and 41% (geometry)."""
PRIOR_PD1_LOG_ODDS, PRIOR_CTLA4_LOG_ODDS = -1.10, -0.45
"""The second from arms cm037 (after ipilimumab, 31.7%) and cm067_nivo (45%, untreated); the first is an assumption."""
PRIOR_SAME_TARGET_LOG_ODDS = -0.60
"""After another inhibitor of the same target; the arms of those therapies are of such patients (assumption)."""
BRAIN_PENETRANT = ("osimertinib", "alectinib", "lorlatinib", "brigatinib", "selpercatinib", "repotrectinib")
"""Agents under which brain metastases do not matter (assumption)."""
TARGETED_TMB_SLOPE, TARGETED_TMB_STEP, TARGETED_TMB_CUT = -0.04, -0.15, 20.0
"""Per doubling, and above a cut outside tissues with frequent deficiency (assumption, kept small)."""
TARGETED_MMR_V600E_COLORECTUM, TARGETED_MMR_OTHER = 0.25, -0.25
"""Log-odds of deficiency (assumption)."""


def terms(draft: Draft, offsets: Mapping[str, float]) -> dict[str, FloatArray]:
    """Return the log-odds of the eight groups, each of shape (n,).

    Parameters
    ----------
    draft
        A complete block: patient, genes, history, therapy and resistance are drawn.
    offsets
        Log-odds of each cell, and of deficiency by tissue (``dMMR|<tissue>``), solved so that the published rates
        come out (:mod:`features.sources.synthetic.base_rates`).
    """
    found = {
        "evidence": _by_cell(draft, offsets),
        "histology": draft.of_histology("residual"),
        "alterations": _alterations(draft),
        "tmb": _burden(draft),
        "mmr": _mismatch_repair(draft, offsets),
        "prior_lines": _prior_lines(draft),
        "therapy": regimens(draft.family).agents_term[draft.regimen],
        "patient": _patient(draft),
    }
    return {name: np.asarray(value, dtype=np.float64) for name, value in found.items()}


def _by_cell(draft: Draft, offsets: Mapping[str, float]) -> FloatArray:
    known = np.array([offsets.get(cell.key, 0.0) for cell in cells(draft.family)])
    return np.asarray(known[draft.numbers["cell"].astype(np.int64)])


@cache
def _effects(family: Family) -> tuple[tuple[FloatArray, FloatArray, tuple[list[int], ...], float], ...]:
    """Return the rules of one family: tissues, regimens, the markers that must stand together, the log-odds."""
    found = []
    for row in figure(f"effects_{family}"):
        together = [markers().places(row[name]) for name in ("marker", "with_marker", "with_marker_2") if row[name]]
        tissues, classes = histologies().in_tissues(row["tissues"]), regimens(family).of_classes(row["regimens"])
        found.append((tissues, classes, tuple(together), float(row["log_odds"])))
    return tuple(found)


def _alterations(draft: Draft) -> FloatArray:
    total = np.zeros(draft.n)
    for tissues, classes, together, log_odds in _effects(draft.family):
        applies = (tissues[draft.tissue] * classes[draft.regimen]) > 0
        for places in together:
            applies &= draft.carries[:, places].any(axis=1)
        total += log_odds * applies
    return total


def _burden(draft: Draft) -> FloatArray:
    tmb = draft.numbers["tmb.mut_per_mb"]
    doublings = np.log2((1 + tmb) / (1 + TMB_CENTRE))
    if draft.family == "targeted":
        frequent = draft.in_tissues("COLORECTUM|ENDOMETRIUM|STOMACH|SKINBCC")
        return TARGETED_TMB_SLOPE * doublings + TARGETED_TMB_STEP * ((tmb >= TARGETED_TMB_CUT) & ~frequent)
    cut = by_tissue("tmb_cuts", "cut_mut_per_mb")[draft.tissue]
    step = by_tissue("tmb_cuts", "checkpoint_step")[draft.tissue]
    slope = by_tissue("tmb_cuts", "checkpoint_slope")[draft.tissue]
    return np.asarray(slope * doublings + step * (tmb >= np.nan_to_num(cut, nan=np.inf)))


def _mismatch_repair(draft: Draft, offsets: Mapping[str, float]) -> FloatArray:
    deficient = draft.numbers["deficient"]
    if draft.family == "targeted":
        v600e = draft.carries[:, markers().at("BRAF_V600E")] & draft.in_tissues("COLORECTUM")
        return np.asarray(deficient * np.where(v600e, TARGETED_MMR_V600E_COLORECTUM, TARGETED_MMR_OTHER))
    other = offsets.get("dMMR|OTHER", 0.0)
    by_place = np.array([offsets.get(f"dMMR|{tissue}", other) for tissue in histologies().tissues])
    return np.asarray(deficient * by_place[draft.tissue])


def _prior_lines(draft: Draft) -> FloatArray:
    numbers = draft.numbers
    lines = LINE_LOG_ODDS[draft.family] * np.minimum(numbers["prior_lines"], 4)
    if draft.family == "targeted":
        return lines + PRIOR_SAME_TARGET_LOG_ODDS * numbers["prior_same_target"]
    return lines + PRIOR_PD1_LOG_ODDS * numbers["prior_pd1"] + PRIOR_CTLA4_LOG_ODDS * numbers["prior_ctla4"]


def _patient(draft: Draft) -> FloatArray:
    rows = figure("effects_patient")
    size = dict(zip((row["term"] for row in rows), column(rows, draft.family), strict=True))
    centre = dict(zip((row["term"] for row in rows), column(rows, "centre"), strict=True))
    values = _patient_values(draft, centre)
    return np.asarray(np.sum([size[term] * values[term] for term in values], axis=0))


def _patient_values(draft: Draft, centre: Mapping[str, float]) -> dict[str, FloatArray]:
    """Return what each row of ``effects_patient.csv`` multiplies."""
    numbers = draft.numbers
    reached = np.array([any(a in BRAIN_PENETRANT for a in key.split("+")) for key in regimens(draft.family).keys])
    pdl1 = numbers["patient.pdl1_tps_percent"]
    plain = {
        "ecog": numbers["patient.ecog"],
        "albumin": numbers["patient.albumin_g_per_dl"],
        "log_nlr": np.log(numbers["patient.nlr"]),
        "log2_ldh": np.log2(numbers["patient.ldh_ratio_to_upper_limit"]),
        "liver_metastases": numbers["patient.liver_metastases"],
        "metastatic_sites": numbers["patient.metastatic_sites"],
        "ever_smoker": numbers["ever_smoker"],
        "male": numbers["male"],
    }
    found = {term: value - centre[term] for term, value in plain.items()}
    age, bmi = numbers["patient.age_years"], numbers["patient.bmi_kg_per_m2"]
    found["age_u"] = np.minimum(((age - centre["age_u"]) / 14) ** 2, 4)
    found["bmi_inverted_u"] = np.minimum(((bmi - centre["bmi_inverted_u"]) / 6) ** 2, 4)
    found["brain_metastases"] = numbers["patient.brain_metastases"] * ~reached[draft.regimen]
    found["pdl1_1_to_49"] = flags((pdl1 >= 1) & (pdl1 < 50))
    found["pdl1_50_or_more"] = flags(pdl1 >= 50)
    found["imdc_poor"] = flags(numbers["imdc"] == 2)
    return found
