"""Device and DocumentReference: which model gave an answer, and where its card is."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from models.intended_use import INTENDED_USE, NO_RECOMMENDATION
from serving.fhir.outcome import plain
from serving.fhir.systems import AI_DEVICE_TYPE, AI_MODEL_CARD, concept, labelled

if TYPE_CHECKING:
    from collections.abc import Mapping

    from serving.fhir.settings import ClinicalSettings

LONGEST_ID = 64
"""Characters of a FHIR id."""

_NOT_ID = re.compile(r"[^A-Za-z0-9.-]")


def device_id(model: Mapping[str, Any]) -> str:
    """Return the id of a model's Device: name, version and the first characters of its digest.

    Examples
    --------
    >>> device_id({"name": "checkpoint-response", "version": "3", "digest": "sha256:0123456789abcdef"})
    'checkpoint-response-3-0123456789ab'
    """
    digest = str(model["digest"]).rpartition(":")[2][:12]
    words = f"{model['name']}-{model['version']}"[: LONGEST_ID - len(digest) - 1]
    return _NOT_ID.sub("-", f"{words}-{digest}").strip("-")


def card_id(model: Mapping[str, Any]) -> str:
    """Return the id of the DocumentReference of a model's card."""
    return f"card-{device_id(model)}"[:LONGEST_ID]


def device(model: Mapping[str, Any]) -> dict[str, Any]:
    """Return the Device of a served model, from the ``model`` block of an answer."""
    notes = [INTENDED_USE, NO_RECOMMENDATION]
    if model["synthetic"]:
        notes.insert(0, "SYNTHETIC: trained on invented cases; for tests and demonstrations only.")
    named = [f"endpoint {model['endpoint']}", f"trained on {model['trained_on']}", f"vocabulary {model['vocabulary']}"]
    return {
        "resourceType": "Device",
        "id": device_id(model),
        "meta": labelled(model["synthetic"]),
        "identifier": [{"system": "urn:ietf:rfc:3986", "value": f"urn:{model['digest']}"}],
        "status": "active",
        "type": concept(AI_DEVICE_TYPE),
        "deviceName": [{"name": plain(str(model["name"])), "type": "model-name"}],
        "version": [{"value": plain(str(model["version"]))}],
        "note": [{"text": plain(text)} for text in [*notes, *named]],
    }


def model_card(model: Mapping[str, Any], settings: ClinicalSettings) -> dict[str, Any]:
    """Return the DocumentReference to the card of a served model."""
    title = f"Model card of {model['name']} {model['version']}"
    return {
        "resourceType": "DocumentReference",
        "id": card_id(model),
        "meta": labelled(model["synthetic"]),
        "status": "current",
        "type": concept(AI_MODEL_CARD, "AI model card"),
        "subject": {"reference": address(settings, "Device", device_id(model))},
        "description": plain(title),
        "content": [
            {"attachment": {"contentType": "application/json", "url": settings.card_url, "title": plain(title)}}
        ],
    }


def address(settings: ClinicalSettings, kind: str, identity: str) -> str:
    """Return where a resource of ours is read."""
    return f"{settings.fhir_url}/{kind}/{identity}"
