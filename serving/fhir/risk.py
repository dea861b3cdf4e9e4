"""RiskAssessment: the estimates of one model, one prediction per therapy, each traced to what it was made of.

``probabilityDecimal`` is in percent in R4; the proportion itself stands in the extension ``estimate``, with the
log-odds that the contributions sum to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from features.agents import agents
from models.intended_use import INTENDED_USE, NO_RECOMMENDATION
from serving.fhir.model_resources import address, device_id
from serving.fhir.outcome import plain
from serving.fhir.systems import AI_CONFIDENCE, RXNORM, labelled, reference_to

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from features.case import Case
    from features.sources.mcode import ReadCase
    from serving.fhir.settings import ClinicalSettings
    from serving.fhir.trace import Trace

MOST_IN_RATIONALE = 3
"""Contributions that the rationale names; the extensions have them all."""

DECIMALS_OF_PERCENT = 4


class PercentOutOfRange(ValueError):
    """A bug of ours: FHIR's invariant ras-2 wants at most 100, and no estimate is below 0."""


def percent(probability: float) -> float:
    """Return a proportion as FHIR R4 wants it.

    Raises
    ------
    PercentOutOfRange
        When it is not between 0 and 100; fhir.resources does not check it, so we do.

    Examples
    --------
    >>> percent(0.41303)
    41.303
    """
    found = round(100 * probability, DECIMALS_OF_PERCENT)
    if not 0 <= found <= 100:  # NaN fails as well
        raise PercentOutOfRange("an estimate outside 0 to 100 percent was about to be sent")
    return found


def therapy_name(case: Case) -> str:
    """Return the words for a case's therapy: ``carboplatin + pembrolizumab``."""
    if case.therapy.agents is not None:
        return " + ".join(case.therapy.agents)
    return str(case.therapy.regimen_class)


def outcome_concept(case: Case) -> dict[str, Any]:
    """Return what is estimated: an objective response, coded by the drug where the therapy is one drug.

    Two codings of one concept mean the same thing, so a combination has words alone.
    """
    found: dict[str, Any] = {"text": f"Objective response to {therapy_name(case)}"}
    drugs = case.therapy.agents or ()
    code = agents()[drugs[0]].rxnorm if len(drugs) == 1 else ""
    if code:
        found["coding"] = [{"system": RXNORM, "code": code}]
    return found


def prediction(answer: Mapping[str, Any], case: Case, trace: Trace, settings: ClinicalSettings) -> dict[str, Any]:
    """Return one prediction with its interval, its numbers and every contribution that is not zero."""
    interval = answer["interval"]
    limits = {name: {"value": interval[name]} for name in ("low", "high")}
    telling = [one for one in answer["contributions"] if one["log_odds"]]
    said = "; ".join(one["text"] for one in telling[:MOST_IN_RATIONALE])
    return {
        "extension": [
            {"url": AI_CONFIDENCE, "valueRange": limits},
            _estimate(answer, settings),
            *(_contribution(one, trace, settings) for one in telling),
        ],
        "outcome": outcome_concept(case),
        "probabilityDecimal": percent(answer["probability"]),
        "rationale": plain(f"{said}. {NO_RECOMMENDATION}"),
    }


def _estimate(answer: Mapping[str, Any], settings: ClinicalSettings) -> dict[str, Any]:
    numbers = ("probability", "log_odds", "base_log_odds")
    return {
        "url": f"{settings.fhir_url}/StructureDefinition/estimate",
        "extension": [
            {"url": "prediction-id", "valueString": answer["prediction_id"]},
            *({"url": name.replace("_", "-"), "valueDecimal": answer[name]} for name in numbers),
            {"url": "interval-method", "valueString": answer["interval"]["method"]},
        ],
    }


def _contribution(one: Mapping[str, Any], trace: Trace, settings: ClinicalSettings) -> dict[str, Any]:
    return {
        "url": f"{settings.fhir_url}/StructureDefinition/feature-contribution",
        "extension": [
            {"url": "feature", "valueString": one["feature"]},
            {"url": "group", "valueCode": one["group"]},
            {"url": "shap", "valueDecimal": one["log_odds"]},
            {"url": "unit", "valueCode": "log-odds"},
            {"url": "text", "valueString": plain(one["text"])},
            *({"url": "source", "valueReference": reference_to(source)} for source in trace.sources(one)),
        ],
    }


def risk_assessment(
    identity: str,
    answered: Sequence[tuple[Mapping[str, Any], Case, Trace]],
    read: ReadCase,
    settings: ClinicalSettings,
    when: str,
) -> dict[str, Any]:
    """Return the RiskAssessment of the answers that one model gave.

    Parameters
    ----------
    identity
        Its id.
    answered
        Answer with a probability, its case, and what traces it; all of one model.
    read
        The bundle as it was read.
    when
        Instant of the answer, UTC.
    """
    model = answered[0][0]["model"]
    found: dict[str, Any] = {
        "resourceType": "RiskAssessment",
        "id": identity,
        "meta": labelled(model["synthetic"]),
        "identifier": [
            {"system": "urn:ietf:rfc:3986", "value": f"urn:uuid:{answer['prediction_id']}"} for answer, _, _ in answered
        ],
        "status": "final",
        "method": {"text": plain(f"{model['name']} {model['version']}")},
        "subject": subject_of(read),
        "occurrenceDateTime": when,
        "performer": {"reference": address(settings, "Device", device_id(model))},
        "prediction": [prediction(*one, settings) for one in answered],
        "note": [{"text": plain(text)} for text in [INTENDED_USE, *_warnings(answered)]],
    }
    if read.condition_reference:
        found["condition"] = reference_to(read.condition_reference)
    if basis := answered[0][2].everything:
        found["basis"] = [reference_to(one) for one in basis]
    return found


def subject_of(read: ReadCase) -> dict[str, str]:
    """Return the patient as the bundle refers to it; in words when it does not."""
    if read.patient_reference:
        return reference_to(read.patient_reference)
    return {"display": "the patient of this request"}


def _warnings(answered: Sequence[tuple[Mapping[str, Any], Case, Trace]]) -> list[str]:
    several = len(answered) > 1
    texts = [
        f"{therapy_name(case)}: {one['text']}" if several else one["text"]
        for answer, case, _ in answered
        for one in answer["warnings"]
    ]
    return list(dict.fromkeys(texts))
