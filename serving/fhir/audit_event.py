"""AuditEvent: the log in FHIR's words. Clear columns alone: pseudonyms, codes and digests, no value of a patient."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from serving.fhir.model_resources import address, device_id
from serving.fhir.outcome import plain
from serving.fhir.systems import AUDIT_EVENT_TYPE, OBJECT_ROLE, RESTFUL_INTERACTION

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from serving.fhir.settings import ClinicalSettings

PATIENT_ROLE, QUERY_ROLE = "1", "24"

_KINDS: Mapping[str, tuple[str, str]] = {
    "prediction": ("operation", "E"),
    "shadow": ("operation", "E"),
    "ranking": ("operation", "E"),
    "outcome": ("create", "C"),
    "decision": ("create", "C"),
    "review": ("create", "C"),
    "feedback": ("create", "C"),
    "erasure": ("delete", "D"),
}
"""Kind of a record to (interaction, action); what is not listed is an operation."""


def audit_event(row: Mapping[str, Any], settings: ClinicalSettings) -> dict[str, Any]:
    """Return one record of the log as an AuditEvent.

    Parameters
    ----------
    row
        The clear columns of a record (:mod:`serving.audit.tables`).
    settings
        For the addresses.
    """
    interaction, action = _KINDS.get(row["kind"], ("operation", "E"))
    return {
        "resourceType": "AuditEvent",
        "id": row["record_id"],
        "extension": [_chain(row, settings)],
        "type": {"system": AUDIT_EVENT_TYPE, "code": "rest"},
        "subtype": [{"system": RESTFUL_INTERACTION, "code": interaction}],
        "action": action,
        "recorded": row["time"],
        "outcome": "0",
        "agent": [{"who": {"identifier": {"value": plain(row["caller"])}}, "requestor": True}],
        "source": {"observer": _observer(row, settings)},
        "entity": _entities(row),
    }


def _chain(row: Mapping[str, Any], settings: ClinicalSettings) -> dict[str, Any]:
    """Return where the record stands in the log, so that an exported event can be checked against it."""
    parts: list[dict[str, Any]] = [
        {"url": "seq", "valueInteger": row["seq"]},
        {"url": "hash", "valueString": row["hash"]},
        {"url": "kind", "valueCode": row["kind"]},
    ]
    return {"url": f"{settings.fhir_url}/StructureDefinition/audit-detail", "extension": parts}


def _observer(row: Mapping[str, Any], settings: ClinicalSettings) -> dict[str, Any]:
    if row["model_name"] is None:
        return {"display": "oncorespond"}
    model = {"name": row["model_name"], "version": row["model_version"], "digest": row["model_digest"]}
    return {"reference": address(settings, "Device", device_id(model))}


def _entities(row: Mapping[str, Any]) -> list[dict[str, Any]]:
    patient = row["patient_ref"] or row["case_ref"]
    found: list[dict[str, Any]] = []
    if patient:
        role = {"system": OBJECT_ROLE, "code": PATIENT_ROLE}
        found.append({"what": {"identifier": {"value": f"hmac:{patient}"}}, "role": role})
    if row["about"]:
        found.append({"what": {"identifier": {"value": f"urn:uuid:{row['about']}"}}})
    if row["request_digest"]:
        found.append(
            {
                "what": {"identifier": {"value": f"hmac:{row['request_digest']}"}},
                "role": {"system": OBJECT_ROLE, "code": QUERY_ROLE},
                "detail": _details(row),
            }
        )
    return found or [{"what": {"display": "the audit log"}}]


def _details(row: Mapping[str, Any]) -> list[dict[str, str]]:
    named = {"status": row["status"], "vocabulary": row["vocabulary"]}
    if row["model_name"] is not None:
        named["model"] = f"{row['model_name']}@{row['model_version']} {row['model_digest']}"
    return [{"type": name, "valueString": plain(str(value))} for name, value in named.items() if value]


def audit_bundle(
    rows: Sequence[Mapping[str, Any]], settings: ClinicalSettings, here: str, further: str | None
) -> dict[str, Any]:
    """Return a page of the log as a searchset.

    Parameters
    ----------
    rows
        Clear columns, in their order.
    here, further
        Addresses of this page and of the next; None when this is the last.
    """
    links = [{"relation": "self", "url": here}]
    if further:
        links.append({"relation": "next", "url": further})
    found: dict[str, Any] = {"resourceType": "Bundle", "type": "searchset", "link": links}
    entries = [{"fullUrl": f"urn:uuid:{row['record_id']}", "resource": audit_event(row, settings)} for row in rows]
    if entries:  # nothing in FHIR is empty
        found["entry"] = [{**one, "search": {"mode": "match"}} for one in entries]
    return found
