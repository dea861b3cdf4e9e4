"""A case as one flat row: the dotted paths that cohorts, batches and DataFrames of cases share.

``histology``, ``tmb.mut_per_mb``, ``patient.age_years`` ... are the scalar fields of :class:`features.case.Case`;
its lists (alterations, prior therapies, several specimens) are rows of their own, see :mod:`features.from_cases`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel

from features.case import Case, Regimen

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

Kind = Literal["number", "integer", "truth", "text"]


@dataclass(frozen=True)
class FlatField:
    """One scalar field of a case: its dotted path and its kind."""

    path: str
    kind: Kind


def _bare(annotation: Any) -> tuple[Any, ...]:
    """Return the members of an annotation without None and without Annotated."""
    if get_origin(annotation) is Annotated:
        return _bare(get_args(annotation)[0])
    if get_origin(annotation) in (Union, UnionType):
        return tuple(member for part in get_args(annotation) for member in _bare(part) if member is not NoneType)
    return (annotation,)


def _kind(member: Any) -> Kind | None:
    by_type: dict[Any, Kind] = {bool: "truth", int: "integer", float: "number", str: "text"}
    return "text" if get_origin(member) is Literal else by_type.get(member)


def _walk(record: type[BaseModel], prefix: str) -> Iterator[FlatField]:
    for name, annotation in get_type_hints(record, include_extras=True).items():
        if name not in record.model_fields:
            continue
        member = _bare(annotation)[0]
        if isinstance(member, type) and issubclass(member, BaseModel) and not issubclass(member, Regimen):
            yield from _walk(member, f"{prefix}{name}.")
        elif (kind := _kind(member)) is not None:
            yield FlatField(prefix + name, kind)


FLAT_FIELDS: tuple[FlatField, ...] = tuple(_walk(Case, ""))
"""Every scalar field of a case, in the order of the record."""

NUMBER_PATHS: tuple[str, ...] = tuple(f.path for f in FLAT_FIELDS if f.kind != "text")
TEXT_PATHS: tuple[str, ...] = tuple(f.path for f in FLAT_FIELDS if f.kind == "text")


@lru_cache(maxsize=1)
def _readers() -> tuple[tuple[str, tuple[tuple[str, str], ...]], ...]:
    """Group paths by their parent record, so that an absent record is looked at once."""
    by_parent: dict[str, list[tuple[str, str]]] = {}
    for flat in FLAT_FIELDS:
        parent, _, name = flat.path.rpartition(".")
        by_parent.setdefault(parent, []).append((flat.path, name))
    return tuple((parent, tuple(fields)) for parent, fields in by_parent.items())


def flatten(case: Case) -> dict[str, Any]:
    """Return the scalar fields of a case that are known, by dotted path; unknown ones are left out.

    Examples
    --------
    >>> from features.case import read_case
    >>> flatten(read_case({"histology": "LUAD", "tmb": {"mut_per_mb": 12.3}, "therapy": {"class": "pd1_pdl1"}}))
    {'histology': 'LUAD', 'tmb.mut_per_mb': 12.3}
    """
    found: dict[str, Any] = {}
    for parent, fields in _readers():
        record = _parent_of(case, parent)
        if record is None:
            continue
        values = record.__dict__
        for path, name in fields:
            value = values[name]
            if value is not None:
                found[path] = value
    return found


def _parent_of(case: Case, parent: str) -> Any:
    record: Any = case
    for part in parent.split(".") if parent else ():
        record = getattr(record, part)
        if record is None:
            return None
    return record


def nest(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Return the nested JSON object of flat values; None is left out. The inverse of :func:`flatten`.

    Examples
    --------
    >>> nest({"histology": "LUAD", "tmb.mut_per_mb": 12.3, "stage": None})
    {'histology': 'LUAD', 'tmb': {'mut_per_mb': 12.3}}
    """
    nested: dict[str, Any] = {}
    for path, value in flat.items():
        if value is None:
            continue
        *parents, name = path.split(".")
        place = nested
        for parent in parents:
            place = place.setdefault(parent, {})
        place[name] = value
    return nested
