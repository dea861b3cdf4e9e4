"""From pydantic's findings to our refusals: one class per cause, nearest valid names, no input echoed at length."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

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


CASE = "Case"
"""Name of the record that the examples are of; manifests and events have fields of the same names."""

EXAMPLES = {
    "agents": '["pembrolizumab"]',
    "alterations": '[{"gene": "KRAS", "kind": "mutation", "protein_change": "p.G12C"}]',
    "alterations[]": '{"gene": "KRAS", "kind": "mutation", "protein_change": "p.G12C"}',
    "assay": '{"panel": "MSK-IMPACT468"}',
    "gene": '"KRAS"',
    "genes_tested": '["KRAS", "STK11"]',
    "histology": '"LUAD"',
    "mmr": '{"ihc": "proficient"}',
    "patient": '{"age_years": 63, "ecog": 1}',
    "prior_therapies": '[{"agents": ["carboplatin", "pemetrexed"], "line": 1}]',
    "prior_therapies[]": '{"agents": ["carboplatin", "pemetrexed"], "line": 1}',
    "specimen": '{"source": "tissue"}',
    "therapy": '{"agents": ["pembrolizumab"]}',
    "tmb": '{"mut_per_mb": 12.3}',
}
"""How a field of a case is written, for whoever wrote it in another way."""


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
        return _missing(detail, record, field)
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
        example = EXAMPLES.get(_shape(detail["loc"]))
        return errors.WrongType(
            f"{asked} is asked for, seen {seen_text(detail['input'])}",
            field=field,
            way_out=f"Write it as {example}." if example and record.__name__ == CASE else None,
        )
    return CaseRefusal(f"{detail['msg']}, seen {seen_text(detail['input'])}", field=field)


def _missing(detail: ErrorDetails, record: type[BaseModel], field: str | None) -> CaseRefusal:
    *parents, key = detail["loc"]
    info = _record_at(record, parents).model_fields.get(str(key))
    allowed = get_args(info.annotation) if info is not None and get_origin(info.annotation) is Literal else ()
    example = EXAMPLES.get(_shape(detail["loc"])) if record.__name__ == CASE else None
    way_out = None if allowed else f"Give a value, such as {example}." if example else "Give a value."
    return errors.MissingField("is required and may not be null", field=field, allowed=allowed, way_out=way_out)


def _shape(location: Iterable[int | str]) -> str:
    """Return the name of the last field of a location; ``name[]`` for an entry of a list."""
    *_, before, last = ("", *location)
    return f"{before}[]" if isinstance(last, int) else str(last)


def _unknown_key(detail: ErrorDetails, record: type[BaseModel], field: str | None) -> CaseRefusal:
    *parents, key = detail["loc"]
    allowed = field_names(_record_at(record, parents))
    close = (_elsewhere(record, str(key)) if record.__name__ == CASE else ()) or nearest_keys(str(key), allowed)
    hint = f"Did you mean {close[0]!r}?" if close else None
    return errors.UnknownKey("is not a field of the record", field=field, allowed=close or allowed, way_out=hint)


def _elsewhere(record: type[BaseModel], key: str) -> tuple[str, ...]:
    """Return where a field of this very name stands, when it was written one level too high or too low."""
    found = [key] if key in field_names(record) else []
    for name, info in record.model_fields.items():
        inner = None if _is_list(info.annotation) else _model_in(info.annotation)
        if inner is not None and key in field_names(inner):
            found.append(f"{info.alias or name}.{key}")
    return tuple(found)


def _is_list(annotation: Any) -> bool:
    return get_origin(annotation) in (tuple, list) or any(_is_list(arg) for arg in get_args(annotation))


def nearest_keys(seen: str, allowed: Iterable[str]) -> tuple[str, ...]:
    """Return the names that a key may have meant: those that hold it as a whole word, else the nearest spellings.

    Examples
    --------
    >>> nearest_keys("age", ["race", "age_years"]), nearest_keys("ecgo", ["ecog", "sex"])
    (('age_years',), ('ecog',))
    """
    names = tuple(allowed)
    whole = tuple(name for name in names if seen.casefold() in name.casefold().replace(".", "_").split("_"))
    return whole or nearest(seen, names)


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
