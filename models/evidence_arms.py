"""Published arms as the evidence fits them: weighted counts, terms, and what an answer shows of an arm.

Weights: an arm counts for at most 300 patients (protocol); half where the denominator was not read in its source; and
arms that share patients (parts and their whole) count together for the patients they have.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from features.case import read_case
from features.evidence_profile import profiles_of
from features.evidence_terms import terms_of
from features.from_cases import batch_of
from features.vocabulary import table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from features.sources.published_arms import Arm

MOST_PATIENTS = 300
"""Patients an arm counts for at most: ../shared/design/protocol.md weights arms by min(n, 300)."""

UNCHECKED_WEIGHT = 0.5
"""Weight of an arm whose denominator was not read in the source it is taken from."""


@dataclass(frozen=True)
class ArmRow:
    """One arm, JSON-ready.

    Attributes
    ----------
    weight
        What its counts are multiplied with, 0 to 1.
    terms
        Values of its terms, averaged over its readings.
    """

    arm_id: str
    title: str
    n: int
    responders: int
    orr_percent: float
    trial_family: str
    cohort: str
    source: str
    weight: float
    terms: Mapping[str, float]

    def to_dict(self) -> dict[str, Any]:
        """Return the row as JSON-ready values."""
        return {**asdict(self), "terms": dict(self.terms)}

    def shown(self) -> dict[str, Any]:
        """Return what an answer shows of the arm."""
        return {
            "arm": self.title,
            "arm_id": self.arm_id,
            "n": self.n,
            "responders": self.responders,
            "orr_percent": self.orr_percent,
            "trial_family": self.trial_family,
            "source": self.source,
        }


@dataclass(frozen=True)
class ContrastRow:
    """A declared difference between two cases, JSON-ready: the first has log-odds higher by so much."""

    name: str
    terms: Mapping[str, float]
    difference: float
    standard_error: float
    source: str

    def to_dict(self) -> dict[str, Any]:
        """Return the row as JSON-ready values."""
        return {**asdict(self), "terms": dict(self.terms)}


def contrasts_of(family: str) -> list[ContrastRow]:
    """Return the declared contrasts of a family (``evidence_contrasts.csv``), each between two cases.

    Examples
    --------
    >>> contrasts_of("checkpoint")
    []
    """
    return [_contrast(row) for row in table("evidence_contrasts") if row["family"] == family]


def _contrast(row: Mapping[str, str]) -> ContrastRow:
    cases = [read_case(json.loads(row[side])) for side in ("higher", "lower")]
    profiles, (first, second) = profiles_of(batch_of(cases))
    higher, lower = terms_of(profiles[first]), terms_of(profiles[second])
    names = sorted({*higher, *lower})
    differences = {name: higher.get(name, 0.0) - lower.get(name, 0.0) for name in names}
    return ContrastRow(
        name=row["contrast"],
        terms={name: value for name, value in differences.items() if value},
        difference=float(row["log_odds"]),
        standard_error=float(row["standard_error"]),
        source=row["source"],
    )


def rows_of(arms: Sequence[Arm]) -> list[ArmRow]:
    """Return the rows of arms that may be fitted (:attr:`Arm.fits`), in the order given."""
    fitted = [arm for arm in arms if arm.fits]
    cases = [case for arm in fitted for _, case in arm.readings]
    profiles, where = profiles_of(batch_of(cases))
    of_profile = [terms_of(profile) for profile in profiles]
    readings = iter(where)
    shared = _patients_listed(fitted)
    return [_row(arm, [of_profile[next(readings)] for _ in arm.readings], shared) for arm in fitted]


def _row(arm: Arm, terms: Sequence[Mapping[str, float]], shared: Mapping[str, int]) -> ArmRow:
    assert arm.treated is not None and arm.responders is not None  # noqa: S101, PT018 - Arm.fits says so
    mixed: dict[str, float] = dict(_reported(arm))
    for (weight, _), reading in zip(arm.readings, terms, strict=True):
        for name, value in reading.items():
            mixed[name] = mixed.get(name, 0.0) + weight * value
    return ArmRow(
        arm_id=arm.arm_id,
        title=arm.title,
        n=arm.treated,
        responders=arm.responders,
        orr_percent=arm.orr_percent if arm.orr_percent is not None else 100 * arm.responders / arm.treated,
        trial_family=arm.trial_family,
        cohort=arm.cohort,
        source=arm.source,
        weight=weight_of(arm, shared),
        terms=mixed,
    )


def _reported(arm: Arm) -> Mapping[str, float]:
    """Return terms of how the arm was reported; a patient has none of them, so they are taken out of the answer."""
    found = {}
    if arm.endpoint_group != "recist":
        found[f"endpoint:{arm.endpoint_group}"] = 1.0
    if arm.denominator != "unknown":
        found[f"endpoint:denominator {arm.denominator}"] = 1.0
    return found


def _patients_listed(arms: Sequence[Arm]) -> Mapping[str, int]:
    listed: dict[str, int] = {}
    for arm in arms:
        if arm.overlap_group:
            listed[arm.overlap_group] = listed.get(arm.overlap_group, 0) + (arm.treated or 0)
    return listed


def weight_of(arm: Arm, patients_listed: Mapping[str, int]) -> float:
    """Return the weight of an arm.

    Parameters
    ----------
    arm
        An arm with counts.
    patients_listed
        By overlap group, the sum of patients over the arms that are fitted together.
    """
    weight = min(arm.treated or 0, MOST_PATIENTS) / (arm.treated or 1)
    weight *= UNCHECKED_WEIGHT if arm.n_unchecked else 1.0
    if arm.overlap_patients is not None:
        weight *= min(1.0, arm.overlap_patients / patients_listed[arm.overlap_group])
    return weight
