"""The answer of ``$predict-response``: one Bundle with the estimates, what is missing, and the trace of both."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from serving.fhir.guidance import LACKS_DATA, guidance_response, missing_features
from serving.fhir.model_resources import address, card_id, device, device_id, model_card
from serving.fhir.remarks import remarks
from serving.fhir.risk import risk_assessment
from serving.fhir.systems import AI_ASSERTED, AI_DEVICE_TYPE, PARTICIPANT_TYPE, concept, labelled, reference_to
from serving.fhir.trace import Trace

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from features.case import Case
    from features.sources.mcode import ReadCase
    from serving.fhir.settings import ClinicalSettings
    from serving.predictor import Predictor

Answered = tuple["Mapping[str, Any]", "Case", Trace]


def instant() -> str:
    """Return the time as FHIR writes an instant: UTC, seconds."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def answer_bundle(
    read: ReadCase,
    cases: Sequence[Case],
    answers: Sequence[Mapping[str, Any]],
    predictor: Predictor,
    settings: ClinicalSettings,
    noticed: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Return the Bundle of one request.

    Parameters
    ----------
    read
        The bundle as it was read.
    cases, answers
        One per therapy, in order; the answers are in the audit log already.
    predictor
        What answered; asked which key inputs an abstained case lacks.
    settings
        For the addresses.
    noticed
        From :func:`serving.fhir.remarks.remarks`; by default what was noticed of the record alone.
    """
    when = instant()
    answered = [(answer, case, Trace(read, case)) for answer, case in zip(answers, cases, strict=True)]
    predicted = [one for one in answered if one[0]["status"] == "predicted"]
    entries = [*_assessments(predicted, read, settings, when), *_abstained(answered, read, predictor, settings, when)]
    models = {device_id(answer["model"]): answer["model"] for answer, _, _ in answered}
    trace = [one for model in models.values() for one in (device(model), model_card(model, settings))]
    synthetic = any(model["synthetic"] for model in models.values())
    return {
        "resourceType": "Bundle",
        "id": str(uuid.uuid4()),
        "meta": labelled(synthetic),
        "type": "collection",
        "timestamp": when,
        "entry": [_entry(resource, settings) for resource in [*entries, *trace, noticed or remarks(read)]],
    }


def _entry(resource: dict[str, Any], settings: ClinicalSettings) -> dict[str, Any]:
    """Return an entry: what can be read again by its address, all else by a urn.

    A relative reference inside a resource with a urn is resolved against nothing of ours, and so stays the caller's.
    """
    if resource["resourceType"] in ("Device", "DocumentReference"):
        return {"fullUrl": address(settings, resource["resourceType"], resource["id"]), "resource": resource}
    return {"fullUrl": f"urn:uuid:{resource.get('id') or uuid.uuid4()}", "resource": resource}


def _assessments(
    predicted: Sequence[Answered], read: ReadCase, settings: ClinicalSettings, when: str
) -> Iterator[dict[str, Any]]:
    """Yield the RiskAssessment of each model with its Provenance; they have one performer each."""
    for model in dict.fromkeys(device_id(answer["model"]) for answer, _, _ in predicted):
        of_model = [one for one in predicted if device_id(one[0]["model"]) == model]
        identity = str(uuid.uuid4())
        yield risk_assessment(identity, of_model, read, settings, when)
        yield provenance(f"urn:uuid:{identity}", of_model[0], settings, when)


def _abstained(
    answered: Sequence[Answered], read: ReadCase, predictor: Predictor, settings: ClinicalSettings, when: str
) -> Iterator[dict[str, Any]]:
    for answer, case, trace in answered:
        if answer["status"] == "predicted":
            continue
        lacks_data = LACKS_DATA & {one["code"] for one in answer["reasons"]}
        features = missing_features(predictor.model_for(case), case) if lacks_data else []
        identity = str(uuid.uuid4())
        yield guidance_response(identity, answer, case, read, settings, when, features)
        yield provenance(f"urn:uuid:{identity}", (answer, case, trace), settings, when)


def provenance(target: str, answered: Answered, settings: ClinicalSettings, when: str) -> dict[str, Any]:
    """Return who made a resource (the Device), of what (the sources), by which card.

    Parameters
    ----------
    target
        The resource, as the bundle refers to it.
    answered
        Answer, case and trace.
    when
        Instant, UTC.
    """
    answer, _, trace = answered
    model = answer["model"]
    card = address(settings, "DocumentReference", card_id(model))
    sources = [{"role": "source", "what": reference_to(one)} for one in trace.everything]
    return {
        "resourceType": "Provenance",
        "id": str(uuid.uuid4()),
        "meta": labelled(model["synthetic"]),
        "target": [{"reference": target}],
        "recorded": when,
        "reason": [concept(AI_ASSERTED)],
        "agent": [
            {
                "type": concept({"system": PARTICIPANT_TYPE, "code": "author"}),
                "role": [concept(AI_DEVICE_TYPE)],
                "who": {"reference": address(settings, "Device", device_id(model))},
            }
        ],
        "entity": [*sources, {"role": "derivation", "what": {"reference": card}}],
    }
