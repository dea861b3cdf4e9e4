"""Measured values: quantities of any spelling, numbers in text, bare numbers where the unit cannot be in doubt."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from features.sources.mcode.observations import absent
from features.sources.mcode.plain import number, record, records, text, value_of
from features.sources.mcode.units import Measured, factor_of, measure

if TYPE_CHECKING:
    from features.sources.mcode.context import Context
    from features.sources.mcode.observations import Observed
    from features.sources.mcode.plain import Json

_WRITTEN = re.compile(r"([<>]=?|[\u2264\u2265])?\s*(\d{1,9}(?:\.\d{1,9})?)\s*([^\d\s.,].{0,30})?")
_WHY = {
    "comparator": "a bound is no value",
    "unit_not_understood": "its unit is missing, not known, or its code and text differ",
    "no_value": "it has no value",
    "value_not_understood": "the value is not understood",
}


def measured(one: Observed, dimension: str) -> Measured:
    """Return the value of an observation in the unit of the case.

    Whole numbers without a unit are taken for scores only, and for percents above 1, which can be nothing else.
    """
    kind, value = value_of(one.holder)
    if not kind:
        return Measured(None, "no_value", "")
    if kind == "Quantity":
        return measure(value, dimension)
    if kind == "String":
        return _in_text(text(value), dimension)
    if kind in {"Integer", "Decimal", "PositiveInt", "UnsignedInt"}:
        return _bare(number(value), dimension)
    if kind == "Range":
        return Measured(None, "value_not_understood", "a range")
    return Measured(None, "value_not_understood", kind)


def _in_text(written: str, dimension: str) -> Measured:
    hit = _WRITTEN.fullmatch(written)
    if hit is None:
        return Measured(None, "value_not_understood", written)
    comparator = {"\u2264": "<=", "\u2265": ">="}.get(hit[1] or "", hit[1] or "")
    body: Json = {"value": float(hit[2]), "unit": (hit[3] or "").strip()}
    return measure({**body, "comparator": comparator} if comparator else body, dimension)


def _bare(value: float | None, dimension: str) -> Measured:
    if value is None:
        return Measured(None, "no_value", "")
    if factor_of("", "", dimension) == 1.0 or (dimension == "percent" and (value == 0 or value > 1)):
        return Measured(value, "", f"{value:g}")
    return Measured(None, "unit_not_understood", f"{value:g}")


def offer_measured(context: Context, topic: str, name: str, dimension: str) -> None:
    """Offer every usable value of a topic for a field of the case; say why the others are not used."""
    for one in context.observed.get(topic, ()):
        found = measured(one, dimension)
        if found.problem or found.value is None:
            refuse(context, name, one, found)
            continue
        note = f"converted from {found.seen}" if found.factor != 1.0 else ""
        context.offer_observed(name, found.value, one, note)


def refuse(context: Context, name: str, one: Observed, found: Measured) -> None:
    """Say why a value is not used."""
    problem = found.problem or "unit_not_understood"
    if problem == "no_value" and absent(one.holder):
        context.notes.left(
            one.resource, f"{one.path}.dataAbsentReason", "the value is said to be absent", one.code.shown
        )
        return
    context.not_used(problem, name, one, _WHY[problem])


def upper_limit(resource_body: Json, dimension: str) -> float | None:
    """Return the upper limit of the one normal range, None when there is none or several."""
    ranges = records(resource_body.get("referenceRange"))
    highs = [measure(record(one.get("high")), dimension) for one in ranges if record(one.get("high"))]
    limits = {one.value for one in highs if not one.problem and one.value}
    return limits.pop() if len(limits) == 1 else None
