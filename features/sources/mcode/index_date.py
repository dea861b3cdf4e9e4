"""The index date: what the caller says, else what the bundle says, else its latest clinical date. Never the clock."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from features.sources.mcode.choosing import Day
from features.sources.mcode.plain import text, value_of
from features.sources.mcode.when import When, collected, observed, read_date, start_and_end

if TYPE_CHECKING:
    from features.sources.mcode.context import Context
    from features.sources.mcode.index import Resource

NAME = "index_date"
_VOID = frozenset({"entered-in-error", "cancelled", "not-done", "nullified"})
_OBSERVED = frozenset({"Observation", "DiagnosticReport"})
_WITH_DATES = {
    "Condition": ("recordedDate", "onsetDateTime"),
    "MedicationRequest": ("authoredOn",),
    "MedicationDispense": ("whenHandedOver",),
    "ServiceRequest": ("authoredOn",),
}
_WITH_PERIODS = {"MedicationAdministration": "effective", "MedicationStatement": "effective", "Procedure": "performed"}


def read_index_date(context: Context, given: Any) -> tuple[str | None, str]:
    """Set the index date of the reading; return it as YYYY-MM-DD and where it came from."""
    parameters = context.gathered.parameters.get("indexDate", [])
    written = [value_of(one)[1] for one in parameters]
    for value, source in ((given, "request"), (written[0] if written else None, "parameters")):
        if value is not None:
            return _stated(context, value, source)
    stamped = read_date(context.gathered.timestamp)
    if stamped is not None:
        return _set(context, stamped, "bundle")
    latest = max(
        (when for one in context.index.resources for when in dates_of(one)), key=lambda when: when.day, default=None
    )
    if latest is None:
        return None, "unknown"
    context.notes.say("index_date_derived", "no index date was given; the latest date in the bundle is taken", NAME)
    return _set(context, latest, "derived")


def _stated(context: Context, value: Any, source: str) -> tuple[str | None, str]:
    when = When(value.toordinal()) if isinstance(value, date) else read_date(value)
    if when is None or when.precision != "day":
        context.notes.say(
            "index_date_invalid", f"{text(value)[:40]!r} is no whole date", NAME, path="Parameters.parameter(indexDate)"
        )
        return None, "unknown"
    return _set(context, when, source)


def _set(context: Context, when: When, source: str) -> tuple[str, str]:
    context.day = Day(when.day)
    return when.iso, source


def dates_of(one: Resource) -> list[When]:
    """Return the clinical dates of a resource that is not void."""
    body = one.body
    if text(body.get("status")) in _VOID:
        return []
    found: list[When | None] = []
    if one.kind in _OBSERVED:
        found.append(observed(body))
    elif one.kind == "Specimen":
        found.append(collected(body))
    elif one.kind in _WITH_PERIODS:
        found.extend(start_and_end(body, _WITH_PERIODS[one.kind]))
    found.extend(read_date(body.get(name)) for name in _WITH_DATES.get(one.kind, ()))
    return [when for when in found if when is not None]
