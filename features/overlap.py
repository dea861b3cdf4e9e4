"""Do two cohorts hold the same people? Probable same patients, beside the number that chance alone would give.

Two cases are a probable same patient when their tissue agrees and three measured fields, the first three of
:data:`PRECISION` that both cohorts record, agree within the precision of both. What else agrees or differs is listed
with each pair. The number expected by chance is the mean over permutations: each field of the second cohort is shuffled
on its own within its tissue, which keeps every marginal and breaks every person apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import poisson

from features import histology

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from features.batch import Batch, FloatArray
    from features.cohort import Cohort

    Truths = NDArray[np.bool_]

FIELDS_COMPARED = 3
"""TMB, albumin and age find Vanguri among the MSK cohorts of LORIS: 64 of 246, 10 by chance (README of the shared
cohorts). With fewer than three the comparison is not decisive and says so."""

PERMUTATIONS = 20
SURE = 0.001
"""An overlap is probable when chance gives as many or more with less than this probability (Poisson)."""

PAIRS_AT_ONCE = 4_000_000
"""Pairs compared in one go; bounds the memory, about 40 MB."""

LEAST_KNOWN = 0.5
"""A field is compared when at least this share of both cohorts has it."""

PRECISION: dict[str, float] = {
    "tmb.mut_per_mb": 0.051,
    "tmb.exome_nonsynonymous_count": 0.5,
    "tmb.blood_count": 0.5,
    "patient.albumin_g_per_dl": 0.051,
    "patient.age_years": 1.0,
    "patient.platelets_per_nl": 0.51,
    "patient.hemoglobin_g_per_dl": 0.051,
    "patient.bmi_kg_per_m2": 0.051,
    "patient.nlr": 0.051,
    "patient.ldh_ratio_to_upper_limit": 0.0051,
    "specimen.tumor_purity": 0.0051,
    "specimen.days_before_index": 1.0,
}
"""Measured fields, the steadiest first, and how near two values must be in the field's unit: the last printed digit; a
year for age, which is counted from different dates. A cohort that bins a field widens it to half its step."""

BINNED = 2.0
"""A field is binned when half its step is more than this many times its precision."""

_SUPPORT = ("patient.sex", "prior_systemic_therapy", "mmr.reported", "therapy", "objective_response")


@dataclass(frozen=True)
class Pair:
    """A probable same patient: the two cases, the measured fields that agree, and what else agrees or does not."""

    case: str
    against: str
    agree: tuple[str, ...]
    also_agree: tuple[str, ...]
    differ: tuple[str, ...]


@dataclass(frozen=True)
class Overlap:
    """The result of a comparison.

    Attributes
    ----------
    matched
        Cases of the first cohort with at least one probable same patient in the second.
    expected
        Their number by chance alone, mean over permutations.
    tail_probability
        Probability of as many or more by chance (Poisson).
    """

    cohort: str
    against: str
    cases: int
    fields: dict[str, float]
    pairs: tuple[Pair, ...]
    matched: int
    expected: float
    tail_probability: float
    same_patient_ids: int

    @property
    def decisive(self) -> bool:
        """Whether both cohorts record enough measured fields to tell persons apart."""
        return len(self.fields) >= FIELDS_COMPARED

    @property
    def probable(self) -> bool:
        """Whether the cohorts share patients, beyond what chance explains."""
        return self.same_patient_ids > 0 or (self.decisive and self.matched > 0 and self.tail_probability < SURE)

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready values."""
        return {
            "cohort": self.cohort,
            "against": self.against,
            "cases": self.cases,
            "fields": self.fields,
            "matched": self.matched,
            "expected_by_chance": round(self.expected, 2),
            "tail_probability": self.tail_probability,
            "same_patient_ids": self.same_patient_ids,
            "decisive": self.decisive,
            "probable_overlap": self.probable,
            "pairs": [vars(pair) for pair in self.pairs],
        }


def overlap(cohort: Cohort, against: Cohort, permutations: int = PERMUTATIONS, seed: int = 0) -> Overlap:
    """Compare two cohorts person by person.

    Parameters
    ----------
    cohort, against
        The two; the direction only decides whose cases are counted.
    permutations
        Of the second cohort's fields, for the number expected by chance.
    seed
        Of the permutations; the same seed gives the same answer.
    """
    one, two = cohort.batch(), against.batch()
    known = measured_fields(one, two)
    fields = dict(list(known.items())[:FIELDS_COMPARED])
    left, right = _values(one, fields), _values(two, fields)
    places = _tissue_codes(one, two)
    widths = np.array(list(fields.values()))
    rows = _agreeing(left, right, places, widths)
    matched = len({i for i, _ in rows})
    expected = _expected(left, right, places, widths, permutations, seed) if fields else 0.0
    same = len(set(_named_patients(cohort)) & set(_named_patients(against)))
    return Overlap(
        cohort=cohort.provenance.cohort_id,
        against=against.provenance.cohort_id,
        cases=len(cohort),
        fields=fields,
        pairs=tuple(_pair(cohort, against, i, j, fields, known) for i, j in rows),
        matched=matched,
        expected=expected,
        tail_probability=float(poisson.sf(matched - 1, expected)) if matched else 1.0,
        same_patient_ids=same,
    )


def _named_patients(cohort: Cohort) -> list[str]:
    return [name for name in cohort.cases.column("patient_id").to_pylist() if name is not None]


def measured_fields(one: Batch, two: Batch) -> dict[str, float]:
    """Return the measured fields that both cohorts have, with how near two values must be."""
    found = {}
    for path, precision in PRECISION.items():
        values = one.numbers[path], two.numbers[path]
        if all(len(v) and np.mean(~np.isnan(v)) >= LEAST_KNOWN for v in values):
            half = max(step(v) / 2 for v in values)
            found[path] = half if half > BINNED * precision else precision
    return found


def step(values: FloatArray) -> float:
    """Return the step in which a cohort publishes a field: the 10th percentile of the gaps between distinct values.

    The tail of a skewed field is sparse, so its typical gap is no step; a binned field has hardly a smaller one.

    Examples
    --------
    >>> step(np.array([53.0, 58.0, 63.0, 63.0, 68.0]))
    5.0
    """
    distinct = np.unique(values[~np.isnan(values)])
    return float(np.round(np.quantile(np.diff(distinct), 0.1), 9)) if len(distinct) > 3 else 0.0


def _values(batch: Batch, fields: Mapping[str, float]) -> FloatArray:
    if not fields:
        return np.empty((0, batch.n))
    return np.stack([batch.numbers[path] for path in fields])


def _tissue_codes(one: Batch, two: Batch) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return a code per case that two cases share when their histologies have the same tissue."""
    codes: dict[str, int] = {}

    def code(level: str) -> float:
        return codes.setdefault(histology.lineage(level)[-1], len(codes))

    return tuple(batch.texts["histology"].gather(code, -1).astype(np.int64) for batch in (one, two))  # type: ignore[return-value]  # two batches


def _agreeing(
    left: FloatArray, right: FloatArray, places: tuple[NDArray[np.int64], NDArray[np.int64]], widths: FloatArray
) -> list[tuple[int, int]]:
    """Return the pairs of cases of one tissue with agreeing fields, in order."""
    found: list[tuple[int, int]] = []
    for code in np.unique(places[0]):
        ours, theirs = np.flatnonzero(places[0] == code), np.flatnonzero(places[1] == code)
        if not len(theirs):
            continue
        chunk = max(1, PAIRS_AT_ONCE // len(theirs))
        for start in range(0, len(ours), chunk):
            part = ours[start : start + chunk]
            agree = _all_agree(left[:, part], right[:, theirs], widths)
            i, j = np.nonzero(agree)
            found += zip(part[i].tolist(), theirs[j].tolist(), strict=True)
    return sorted(found)


def _all_agree(left: FloatArray, right: FloatArray, widths: FloatArray) -> Truths:
    agree = np.full((left.shape[1], right.shape[1]), len(widths) > 0)
    for a, b, width in zip(left, right, widths, strict=True):
        agree &= np.abs(a[:, None] - b[None, :]) <= width
    return agree


def _expected(
    left: FloatArray,
    right: FloatArray,
    places: tuple[NDArray[np.int64], NDArray[np.int64]],
    widths: FloatArray,
    permutations: int,
    seed: int,
) -> float:
    draw = np.random.default_rng(seed)
    counts = []
    for _ in range(permutations):
        shuffled = right.copy()
        for code in np.unique(places[1]):
            theirs = np.flatnonzero(places[1] == code)
            for values in shuffled:
                values[theirs] = values[draw.permutation(theirs)]
        counts.append(len({i for i, _ in _agreeing(left, shuffled, places, widths)}))
    return float(np.mean(counts)) if counts else 0.0


def _pair(
    cohort: Cohort, against: Cohort, i: int, j: int, fields: Mapping[str, float], known: Mapping[str, float]
) -> Pair:
    one, two = cohort.batch(), against.batch()
    also: list[str] = []
    differ: list[str] = []
    for path in (path for path in known if path not in fields):
        gap = abs(one.numbers[path][i] - two.numbers[path][j])
        if not np.isnan(gap):
            (also if gap <= known[path] else differ).append(path)
    for name in _SUPPORT:
        values = _supporting(cohort, name, i), _supporting(against, name, j)
        if None not in values:
            (also if values[0] == values[1] else differ).append(name)
    return Pair(cohort.case_ids[i], against.case_ids[j], tuple(fields), tuple(also), tuple(differ))


def _supporting(cohort: Cohort, name: str, row: int) -> object:
    if name == "objective_response":
        value = cohort.response[row]
        return None if np.isnan(value) else value
    return cohort.cases.column(name)[row].as_py()
