"""Our own codes: fields of the case that have no public code, sent as Observations of ``urn:oncorespond:case-field``.

The code is the path of the field (``patient.pdl1_cps``). This is how a site sends CPS, IMDC risk or a whole-exome
count, and how our own writer keeps what mCODE has no element for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from features.flat import FLAT_FIELDS
from features.sources.mcode.observations import absent
from features.sources.mcode.plain import number, record, text, value_of

if TYPE_CHECKING:
    from features.sources.mcode.context import Context

_NOT_BY_PATH = ("assay.", "specimen.", "case_id", "patient_id")
KINDS = {
    field.path: field.kind
    for field in FLAT_FIELDS
    if field.path != "histology" and not field.path.startswith(_NOT_BY_PATH)
}
"""Scalar fields of the case that may be sent by their path, and their kind; a specimen's are read with it."""

PREFIX = "own:"
READ_ELSEWHERE = frozenset(
    {"own:specimen", "own:alterations", "own:assay.genes_tested", "own:assay.panel", "own:specimen.tumor_purity",
     "own:prior_therapies"}
)  # fmt: skip
"""Our own codes that say something of a specimen or of a list."""


def read_own(context: Context) -> None:
    """Offer every field that was sent by its path."""
    for topic, found in context.observed.items():
        if not topic.startswith(PREFIX) or topic in READ_ELSEWHERE:
            continue
        name = topic.removeprefix(PREFIX)
        for one in found:
            value = _of_kind(_plain(one.holder), KINDS.get(name, ""))
            if name not in KINDS:
                context.notes.left(
                    one.resource, f"{one.path}.code", "no field of the case has this path", one.code.shown
                )
            elif value is not None:
                context.offer_observed(name, value, one)
            elif not absent(one.holder):
                context.not_used("value_not_understood", name, one, "a number, a text or a truth value is asked for")


def _of_kind(value: Any, kind: str) -> Any:
    """Return a number as the kind of number the field has, so that two spellings of one value are one."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return value
    return int(value) if kind == "integer" and value == int(value) else float(value)


def _plain(holder: dict[str, Any]) -> Any:
    kind, value = value_of(holder)
    if kind == "Quantity":
        body = record(value)
        return None if text(body.get("comparator")) else number(body.get("value"))
    if kind in {"Integer", "Decimal", "PositiveInt", "UnsignedInt"}:
        found = number(value)
        return value if found is not None else None
    if kind == "Boolean":
        return value if isinstance(value, bool) else None
    return text(value) or None if kind in {"String", "Code"} else None
