"""What of the prefetch is there: a value may be absent, null, failed, a resource, a searchset, or one page of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from features.errors import listed
from serving.cds_hooks.discovery import REQUIRED, prefetch_templates
from serving.cds_hooks.refusals import AnotherPatient, MissingPrefetch

if TYPE_CHECKING:
    from collections.abc import Mapping

WHOLE = ("patient", "conditions", "molecular")
"""Of these a single page would be read for less than it is: a gene that stands on the next page is not wild-type."""

MEDICATIONS = ("administrations", "requests", "statements", "episodes")


@dataclass(frozen=True)
class Prefetched:
    """Prefetch that can be read.

    Attributes
    ----------
    values
        Key to resource or Bundle, of our keys alone.
    not_sent
        Keys that the client declined or that failed: what they hold is unknown.
    left_out
        Keys of which only one page came: lines are not counted from half of the medications.
    """

    values: Mapping[str, Any]
    not_sent: tuple[str, ...]
    left_out: tuple[str, ...]


def read_prefetch(prefetch: Mapping[str, Any], patient_id: str) -> Prefetched:
    """Return what can be read of the prefetch.

    ``null`` says that there is none, which is an answer; absent and failed values are not. Nothing is fetched, neither
    missing values nor further pages.

    Raises
    ------
    MissingPrefetch
        412: a required value is absent, null, failed or incomplete.
    AnotherPatient
        400: the Patient is another than the context's.
    """
    values: dict[str, Any] = {}
    not_sent, left_out = [], []
    for key in prefetch_templates():
        found = prefetch.get(key)
        if key not in prefetch or _failed(found):
            not_sent.append(key)
        elif _has_more_pages(found):
            left_out.append(key)
        elif found is not None:
            values[key] = found
    _demand(values, prefetch, left_out)
    _same_patient(values["patient"], patient_id)
    return Prefetched(values, tuple(not_sent), tuple(left_out))


def _demand(values: Mapping[str, Any], prefetch: Mapping[str, Any], left_out: list[str]) -> None:
    incomplete = [key for key in left_out if key in WHOLE]
    if incomplete:
        raise MissingPrefetch(
            f"only one page came of {listed(incomplete)}",
            field=f"prefetch.{incomplete[0]}",
            way_out="Send all pages in one Bundle; further pages are not fetched.",
        )
    null_is_none = {key for key in REQUIRED if key in prefetch and prefetch[key] is None and key != "patient"}
    missing = [key for key in REQUIRED if key not in values and key not in null_is_none]
    if missing:
        raise MissingPrefetch(
            f"there is no prefetch for {listed(missing)}",
            field=f"prefetch.{missing[0]}",
            way_out="Send the prefetch that /cds-services asks for; nothing is read from fhirServer.",
        )


def _same_patient(patient: Any, patient_id: str) -> None:
    resource = patient if isinstance(patient, dict) else {}
    if resource.get("resourceType") != "Patient":
        raise MissingPrefetch("prefetch.patient is no Patient", field="prefetch.patient")
    if resource.get("id") not in (None, patient_id):
        raise AnotherPatient("the Patient is another than context.patientId", field="prefetch.patient.id")


def _failed(value: Any) -> bool:
    if not isinstance(value, dict):
        return value is not None
    if value.get("resourceType") == "OperationOutcome":
        return True
    entries = value.get("entry")
    only = [one.get("resource") for one in entries if isinstance(one, dict)] if isinstance(entries, list) else []
    return bool(only) and all(isinstance(one, dict) and one.get("resourceType") == "OperationOutcome" for one in only)


def _has_more_pages(value: Any) -> bool:
    links = value.get("link") if isinstance(value, dict) else None
    return isinstance(links, list) and any(isinstance(one, dict) and one.get("relation") == "next" for one in links)
