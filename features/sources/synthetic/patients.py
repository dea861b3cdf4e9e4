"""Place, time and patient: sites and years, case mix, and correlated covariates.

Covariates come from one Gaussian copula. Rank correlations of age, albumin, NLR, haemoglobin, BMI and platelets are
those of the LORIS training sheet (aggregates, see ``figures/sources.csv``); those of ECOG, LDH and the number of
sites are assumptions of the same direction.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import ndtr, ndtri

from features.sources.synthetic.draft import Draft, flags, pick, pick_rows, rounded, stream
from features.sources.synthetic.regimens import scenarios
from features.sources.synthetic.tissues import column, figure, histologies, markers

if TYPE_CHECKING:
    from features.batch import FloatArray, IntArray
    from features.sources.synthetic.draft import CohortName, Family

ASSAYS: tuple[str, ...] = tuple(row["assay"] for row in figure("assays"))

EXTERNAL_AGE_SHIFT = 2.5
"""Years: the external sites treat older patients (assumption)."""
EXTERNAL_SCENARIO_POWER = 0.7
"""The external sites see rarer indications relatively more often: shares to this power (assumption)."""

STAGE_IV_SHARE = 0.93
"""Of the LORIS training sheet."""

COPULA = ("age", "albumin", "nlr", "hemoglobin", "bmi", "platelets", "ecog", "ldh", "sites")
CORRELATION = (
    (1.00, -0.17, 0.07, -0.04, 0.06, -0.06, 0.15, 0.00, 0.00),
    (-0.17, 1.00, -0.38, 0.49, 0.10, -0.18, -0.35, -0.25, -0.20),
    (0.07, -0.38, 1.00, -0.31, -0.13, 0.21, 0.30, 0.25, 0.15),
    (-0.04, 0.49, -0.31, 1.00, 0.19, -0.14, -0.25, -0.15, -0.10),
    (0.06, 0.10, -0.13, 0.19, 1.00, -0.11, -0.05, 0.00, -0.05),
    (-0.06, -0.18, 0.21, -0.14, -0.11, 1.00, 0.10, 0.05, 0.05),
    (0.15, -0.35, 0.30, -0.25, -0.05, 0.10, 1.00, 0.20, 0.25),
    (0.00, -0.25, 0.25, -0.15, 0.00, 0.05, 0.20, 1.00, 0.30),
    (0.00, -0.20, 0.15, -0.10, -0.05, 0.05, 0.25, 0.30, 1.00),
)


@lru_cache(maxsize=1)
def _root() -> FloatArray:
    return np.linalg.cholesky(np.array(CORRELATION))


def place(family: Family, cohort: CohortName, seed: int, block: int, n: int) -> Draft:
    """Draw site, year, assay and case mix: the start of a block."""
    rng = stream(seed, family, cohort, block, "place")
    rows = figure("sites")
    share = column(rows, "share") * np.array([row["cohort"] == cohort for row in rows])
    site = pick(rng, n, share)
    first, last = column(rows, "first_year")[site], column(rows, "last_year")[site]
    assay = pick_rows(rng, np.array([[float(row[name]) for name in ASSAYS] for row in rows])[site])
    year = (first + np.floor(rng.random(n) * (last - first + 1))).astype(np.int64)
    scenario, histology = _case_mix(family, cohort, rng, n)
    return Draft(
        family=family,
        cohort=cohort,
        n=n,
        site=site,
        year=year,
        assay=assay,
        histology=histology,
        scenario=scenario,
        unmatched=np.zeros(n, dtype=np.bool_),
        carries=np.zeros((n, len(markers().names)), dtype=np.bool_),
    )


def _case_mix(family: Family, cohort: CohortName, rng: np.random.Generator, n: int) -> tuple[IntArray, IntArray]:
    """Draw the histology; for the targeted family the indication first, and the histology within it."""
    if family == "checkpoint":
        return np.full(n, -1, dtype=np.int64), pick(rng, n, histologies().share[cohort])
    known = scenarios()
    share = known.share if cohort == "development" else known.share**EXTERNAL_SCENARIO_POWER
    scenario = pick(rng, n, share)
    within = rng.random(n)
    widest = max(map(len, known.histologies))
    codes = np.array([np.resize(codes, widest) for codes in known.histologies])
    edges = np.array([np.pad(np.cumsum(w), (0, widest - len(w)), constant_values=2) for w in known.histology_weights])
    return scenario, codes[scenario, np.minimum((within[:, None] >= edges[scenario]).sum(axis=1), widest - 1)]


def patients(draft: Draft, seed: int, block: int) -> None:
    """Draw the patients of a block into ``draft.numbers``; flags are 1 and 0."""
    rng = stream(seed, draft.family, draft.cohort, block, "patient")
    z = dict(zip(COPULA, _root() @ rng.standard_normal((len(COPULA), draft.n)), strict=True))
    external = draft.cohort == "external"
    numbers = draft.numbers
    mean_age = draft.of_histology("age_mean") + EXTERNAL_AGE_SHIFT * external
    numbers["patient.age_years"] = np.round(np.clip(mean_age + 11.5 * z["age"], 18, 95))
    numbers["patient.albumin_g_per_dl"] = np.round(np.clip(3.85 + 0.46 * z["albumin"], 1.6, 5.2), 1)
    numbers["patient.nlr"] = np.round(np.clip(np.exp(1.48 + 0.70 * z["nlr"]), 0.4, 90), 1)
    numbers["patient.hemoglobin_g_per_dl"] = np.round(np.clip(11.8 + 1.8 * z["hemoglobin"], 6, 18), 1)
    numbers["patient.bmi_kg_per_m2"] = np.round(np.clip(26.2 * np.exp(0.20 * z["bmi"]), 14, 60), 1)
    numbers["patient.platelets_per_nl"] = np.round(np.clip(252 * np.exp(0.40 * z["platelets"]), 30, 1000))
    numbers["patient.ldh_ratio_to_upper_limit"] = np.round(np.clip(0.85 * np.exp(0.42 * z["ldh"]), 0.3, 15), 2)
    numbers["patient.metastatic_sites"] = 1.0 + np.searchsorted([-0.75, 0.1, 0.9, 1.6], z["sites"])
    numbers["patient.ecog"] = np.searchsorted([-0.35, 1.0, 2.1], z["ecog"] + 0.2 * external).astype(np.float64)
    _flags(draft, rng, z["sites"])


def _flags(draft: Draft, rng: np.random.Generator, burden: FloatArray) -> None:
    """Draw sex, smoking, sites of metastases, IMDC risk and PD-L1."""
    u = rng.random((8, draft.n))
    numbers = draft.numbers
    numbers["male"] = flags(u[0] < draft.of_histology("male_share"))
    numbers["ever_smoker"] = flags(u[1] < draft.of_histology("ever_smoker_share"))
    numbers["current_smoker"] = numbers["ever_smoker"] * flags(u[2] < 0.3)
    brain = np.where(draft.in_tissues("LUNG|SCLC|MELANOMA"), 0.22, 0.06)
    numbers["patient.brain_metastases"] = flags(u[3] < ndtr(0.5 * burden + _probit(brain)))
    numbers["patient.liver_metastases"] = flags(u[4] < ndtr(0.5 * burden - 0.65))
    numbers["patient.bone_metastases"] = flags(u[5] < ndtr(0.4 * burden - 0.75))
    risk = 0.8 * (3.85 - numbers["patient.albumin_g_per_dl"]) + 0.5 * numbers["patient.ecog"] + u[6]
    numbers["imdc"] = np.where(draft.in_tissues("KIDNEY"), np.searchsorted([0.65, 1.45], risk), np.nan)
    numbers["patient.pdl1_tps_percent"] = _pdl1(draft, rng, u[7])
    numbers["stage_iv"] = flags(rng.random(draft.n) < STAGE_IV_SHARE)
    _specimen(draft, rng)


def _specimen(draft: Draft, rng: np.random.Generator) -> None:
    """Draw the age and purity of the specimen; blood is drawn shortly before therapy and has no purity."""
    blood = draft.in_assays("blood")
    days = np.where(blood, rng.exponential(12, draft.n), 10 + rng.exponential(90, draft.n))
    draft.numbers["specimen.days_before_index"] = rounded(np.minimum(days, 2000))
    draft.numbers["specimen.tumor_purity"] = rounded(np.clip(rng.beta(3.5, 4.5, draft.n), 0.1, 0.95), 2)


def _probit(probability: FloatArray) -> FloatArray:
    return np.asarray(ndtri(probability))


def _pdl1(draft: Draft, rng: np.random.Generator, u: FloatArray) -> FloatArray:
    """Draw PD-L1 TPS in percent: a mass at zero, 1 to 49, and 50 or more."""
    below, high = draft.of_histology("pdl1_below_1"), draft.of_histology("pdl1_50_or_more")
    spread = rng.random(draft.n)
    low_value = np.round(1 + 48 * spread**2)
    high_value = np.round(50 + 50 * spread**0.8)
    return np.where(u < below, 0.0, np.where(u < 1 - high, low_value, high_value))
