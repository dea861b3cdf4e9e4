"""From pydantic's findings to our refusals: one class per cause, nearest valid names, no input echoed at length."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

from pydantic import BaseModel

from features import errors
from features.errors import CaseRefusal, seen_text
from features.vocabulary import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

_BY_CODE: dict[str, type[CaseRefusal]] = {
    kind.code: kind
    for kind in (
        errors.NotAFiniteNumber,
        errors.OutOfRange,
        errors.WrongType,
        errors.Contradiction,
        errors.UnknownHistology,
        errors.UnknownAgent,
        errors.UnknownTherapyClass,
        errors.UnknownGene,
        errors.UnreadableAlteration,
    )
}


_ASKED_FOR = {
    "string": "a text",
    "bool": "true or false",
    "int": "a whole number",
    "float": "a number",
    "tuple": "a list",
    "list": "a list",
    "model": "an object",
    "dict": "an object",
}


def refusals_of(error: ValidationError, record: type[BaseModel]) -> Iterator[CaseRefusal]:
    """Yield one refusal per finding of pydantic, in the order of the fields.

    Parameters
    ----------
    error
        What pydantic found.
    record
        The model that was read; its fields are the valid names for an unknown key.
    """
    details = error.errors(include_url=False)
    places = [detail["loc"] for detail in details]
    for detail in details:
        hollow = detail["type"] == "too_short" and any(p != detail["loc"] and p[:-1] == detail["loc"] for p in places)
        if not hollow:  # a list is too short only because its refused entries were left out
            yield _refusal(detail, record)


def _refusal(detail: ErrorDetails, record: type[BaseModel]) -> CaseRefusal:
    field = field_path(detail["loc"]) or None
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "extra_forbidden":
        return _unknown_key(detail, record, field)
    if kind == "missing" or (detail.get("input") is None and kind.endswith("_type")):
        return errors.MissingField("is required and may not be null", field=field, way_out="Give a value.")
    if kind in _BY_CODE:
        return _BY_CODE[kind](
            context.get("message", detail["msg"]),
            field=field,
            allowed=context.get("allowed", ()),
            way_out=context.get("way_out"),
            nearest=context.get("nearest", False),
        )
    if kind == "literal_error":
        allowed = [part.strip(" '") for part in context["expected"].replace(" or ", ", ").split(", ")]
        return errors.NotAllowed(
            f"{seen_text(detail['input'])} is not a value of this field", field=field, allowed=allowed
        )
    if kind == "finite_number":
        return errors.NotAFiniteNumber("is not a finite number; leave it out when it is unknown", field=field)
    if kind.endswith("_type") or kind == "int_from_float":
        asked = _ASKED_FOR.get(kind.split("_")[0], "another type of value")
        return errors.WrongType(f"{asked} is asked for, seen {seen_text(detail['input'])}", field=field)
    return CaseRefusal(f"{detail['msg']}, seen {seen_text(detail['input'])}", field=field)


def _unknown_key(detail: ErrorDetails, record: type[BaseModel], field: str | None) -> CaseRefusal:
    *parents, key = detail["loc"]
    allowed = field_names(_record_at(record, parents))
    close = nearest(str(key), allowed)
    hint = f"Did you mean {close[0]!r}?" if close else None
    return errors.UnknownKey("is not a field of the record", field=field, allowed=close or allowed, way_out=hint)


def field_names(record: type[BaseModel]) -> tuple[str, ...]:
    """Return the names of a record's fields as a user writes them (aliases where there are any)."""
    return tuple(info.alias or name for name, info in record.model_fields.items())


def field_path(location: Iterable[int | str]) -> str:
    """Write a location as a user would: ``alterations[2].vaf``.

    Examples
    --------
    >>> field_path(("alterations", 2, "vaf"))
    'alterations[2].vaf'
    """
    path = ""
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
    return path


def _record_at(record: type[BaseModel], parents: Iterable[int | str]) -> type[BaseModel]:
    for part in parents:
        if isinstance(part, str):
            by_name = {info.alias or name: info for name, info in record.model_fields.items()}
            if part in by_name:  # else it is a key of a mapping, whose values are of the record at hand
                record = _model_in(by_name[part].annotation) or record
    return record


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for arg in get_args(annotation) if (found := _model_in(arg))), None)
