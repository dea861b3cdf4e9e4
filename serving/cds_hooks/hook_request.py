"""Reading a hook's request. Fields that the specification lets a client add are let through and not read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from features.errors import seen_text
from serving.cds_hooks.discovery import ORDER_SELECT
from serving.cds_hooks.refusals import AnotherPatient, WrongHookRequest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from serving.cds_hooks.discovery import Service

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_ID = re.compile(r"[A-Za-z0-9.-]{1,64}")


@dataclass(frozen=True)
class HookRequest:
    """One request, checked.

    Attributes
    ----------
    patient_id
        FHIR id of the patient of the context.
    prefetch
        As it came; what it lacks is judged by :mod:`serving.cds_hooks.prefetch`.
    draft_orders, selections
        Of ``order-select``; empty for other hooks.
    """

    patient_id: str
    prefetch: Mapping[str, Any]
    draft_orders: Mapping[str, Any]
    selections: tuple[str, ...]


def read_hook_request(raw: Mapping[str, Any], service: Service) -> HookRequest:
    """Read a request to a service.

    ``fhirServer`` and ``fhirAuthorization`` are neither used nor kept: nothing is fetched.

    Raises
    ------
    WrongHookRequest
        400: a field is absent or not of its type.
    AnotherPatient
        400: a draft order is another patient's.
    """
    if raw.get("hook") != service.hook:
        raise WrongHookRequest(f"the hook is {seen_text(raw.get('hook'))}", field="hook", allowed=[service.hook])
    if not _UUID.fullmatch(_text(raw, "hookInstance", "hookInstance")):
        raise WrongHookRequest("a UUID is asked for", field="hookInstance")
    context = _object(raw, "context", "context")
    _text(context, "userId", "context.userId")
    patient = _text(context, "patientId", "context.patientId").removeprefix("Patient/")
    if not _ID.fullmatch(patient):
        raise WrongHookRequest("a FHIR id is asked for", field="context.patientId")
    prefetch = raw.get("prefetch")
    if prefetch is not None and not isinstance(prefetch, dict):
        raise WrongHookRequest(f"an object is asked for, seen {seen_text(prefetch)}", field="prefetch")
    if service.hook != ORDER_SELECT:
        return HookRequest(patient, prefetch or {}, {}, ())
    return HookRequest(patient, prefetch or {}, *_orders(context, patient))


def _orders(context: Mapping[str, Any], patient: str) -> tuple[Mapping[str, Any], tuple[str, ...]]:
    orders = _object(context, "draftOrders", "context.draftOrders")
    if orders.get("resourceType") != "Bundle":
        raise WrongHookRequest("a Bundle is asked for", field="context.draftOrders")
    selections = context.get("selections")
    if not isinstance(selections, list) or not all(isinstance(one, str) for one in selections):
        raise WrongHookRequest("a list of references is asked for", field="context.selections")
    for place, resource in enumerate(resources_of(orders)):
        reference = _reference(resource)
        if reference and reference.rpartition("/")[2] != patient:
            raise AnotherPatient(
                "this order is for another patient than context.patientId",
                field=f"context.draftOrders.entry[{place}].resource.subject",
            )
    return orders, tuple(selections)


def resources_of(bundle: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the resources of a bundle's entries; whatever is none is passed by."""
    entries = bundle.get("entry")
    for entry in entries if isinstance(entries, list) else []:
        resource = entry.get("resource") if isinstance(entry, dict) else None
        if isinstance(resource, dict):
            yield resource


def _reference(resource: Mapping[str, Any]) -> str:
    """Return the reference to whom an order is for, empty when it has none."""
    subject = resource.get("subject") or resource.get("patient")
    found = subject.get("reference") if isinstance(subject, dict) else None
    return found if isinstance(found, str) else ""


def _object(raw: Mapping[str, Any], name: str, field: str) -> Mapping[str, Any]:
    found = raw.get(name)
    if not isinstance(found, dict):
        raise WrongHookRequest(f"an object is asked for, seen {seen_text(found)}", field=field)
    return found


def _text(raw: Mapping[str, Any], name: str, field: str) -> str:
    found = raw.get(name)
    if not isinstance(found, str) or not found.strip():
        raise WrongHookRequest(f"a text is asked for, seen {seen_text(found)}", field=field)
    return found.strip()
