"""GuidanceResponse: what is missing when a model abstains, as codes that the caller can look for in its own record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from features.from_cases import batch_of
from features.sources.mcode.codes import TOPICS
from serving.fhir.model_resources import address, device_id
from serving.fhir.outcome import issue, plain
from serving.fhir.risk import subject_of, therapy_name
from serving.fhir.systems import LOINC, labelled

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from features.case import Case
    from features.sources.mcode import ReadCase
    from models.response import ResponseModel
    from serving.fhir.settings import ClinicalSettings

LACKS_DATA = frozenset({"key_inputs_missing", "blood_negative_for_driver"})
"""Reasons to abstain that further data of this patient could undo; the others are limits of the model."""

TOPICS_OF_FEATURE: Mapping[str, tuple[str, ...]] = {
    "tmb_mut_per_mb": ("tmb",),
    "tmb_within_histology": ("tmb",),
    "mmr_deficient": ("msi", "msi_by_stain", "mmr.MLH1", "mmr.MSH2", "mmr.MSH6", "mmr.PMS2"),
    "pdl1_tps_percent": ("pdl1_tps",),
    "ecog": ("ecog",),
    "albumin_g_per_dl": ("albumin",),
    "nlr": ("neutrophils", "lymphocytes"),
    "hemoglobin_g_per_dl": ("hemoglobin",),
    "platelets_per_nl": ("platelets",),
    "ldh_ratio_to_upper_limit": ("ldh",),
    "bmi_kg_per_m2": ("bmi",),
    "smoking": ("smoking",),
}
"""Feature to the topics of observations it is read from (:mod:`features.sources.mcode.codes`)."""

FINDINGS = ("variant", "regions_studied")
"""Topics of what every other feature of observations is read from."""

OTHER_RESOURCE: Mapping[str, str] = {
    "age_years": "Patient",
    "sex": "Patient",
    "prior_lines": "MedicationAdministration",
    "prior_systemic_therapy": "MedicationAdministration",
    "prior_checkpoint": "MedicationAdministration",
    "prior_targeted": "MedicationAdministration",
    "prior_platinum": "MedicationAdministration",
    "brain_metastases": "Condition",
    "liver_metastases": "Condition",
    "bone_metastases": "Condition",
    "metastatic_sites": "Condition",
    "histology": "Condition",
}
"""Features that are read from other resources than observations."""


def missing_features(model: ResponseModel, case: Case) -> list[str]:
    """Return the key inputs of a model that are not known of a case, in the order of the feature table."""
    answers = model.answers(batch_of([case]))
    matrix, columns = answers.inputs.matrix, model.table.columns
    places = [place for place in model.key_places if np.isnan(matrix[0, place])]
    return list(dict.fromkeys(columns[place].feature for place in places))


def data_requirement(feature: str) -> dict[str, Any]:
    """Return where one missing feature would be read from.

    Examples
    --------
    >>> data_requirement("tmb_mut_per_mb")["codeFilter"][0]["code"][0]["code"]
    '94076-7'
    >>> data_requirement("age_years")
    {'type': 'Patient'}
    """
    if feature in OTHER_RESOURCE:
        return {"type": OTHER_RESOURCE[feature]}
    topics = TOPICS_OF_FEATURE.get(feature, FINDINGS)
    codes = [{"system": LOINC, "code": code} for topic in topics for code in TOPICS[topic]]
    return {"type": "Observation", "codeFilter": [{"path": "code", "code": codes}]}


def data_requirements(answer: Mapping[str, Any], features: Sequence[str]) -> list[dict[str, Any]]:
    """Return what an abstained answer lacks; each requirement once."""
    codes = {one["code"] for one in answer["reasons"]}
    wanted = [data_requirement(feature) for feature in features] if "key_inputs_missing" in codes else []
    if "blood_negative_for_driver" in codes:
        wanted.append(data_requirement("alterations"))
        wanted.append({"type": "Specimen"})
    found: list[dict[str, Any]] = []
    for one in wanted:
        if one not in found:
            found.append(one)
    return found


def guidance_response(
    identity: str,
    answer: Mapping[str, Any],
    case: Case,
    read: ReadCase,
    settings: ClinicalSettings,
    when: str,
    features: Sequence[str],
) -> dict[str, Any]:
    """Return the GuidanceResponse of one abstained answer.

    ``data-required`` with the missing codes when further data could change that, else ``failure`` with the reasons:
    there is no estimate, and no number stands anywhere in it.

    Parameters
    ----------
    identity
        Its id.
    features
        From :func:`missing_features`.
    when
        Instant of the answer, UTC.
    """
    model = answer["model"]
    wanted = data_requirements(answer, features)
    reasons = [one["text"] for one in answer["reasons"]]
    found: dict[str, Any] = {
        "resourceType": "GuidanceResponse",
        "id": identity,
        "meta": labelled(model["synthetic"]),
        "identifier": [{"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{answer['prediction_id']}"}],
        "moduleUri": f"{settings.fhir_url}/OperationDefinition/predict-response",
        "status": "data-required" if wanted else "failure",
        "subject": subject_of(read),
        "occurrenceDateTime": when,
        "performer": {"reference": address(settings, "Device", device_id(model))},
        "reasonCode": [{"text": f"Objective response to {therapy_name(case)}"}],
        "note": [{"text": plain(f"No estimate: {text}")} for text in reasons],
        "contained": [_evaluation(answer, bool(wanted))],
        "evaluationMessage": [{"reference": "#why"}],
    }
    if wanted:
        found["dataRequirement"] = wanted
    return found


def _evaluation(answer: Mapping[str, Any], lacks_data: bool) -> dict[str, Any]:
    code = "incomplete" if lacks_data else "not-supported"
    issues = [issue("warning", code, one["text"], coding=one["code"]) for one in answer["reasons"]]
    return {"resourceType": "OperationOutcome", "id": "why", "issue": issues}
