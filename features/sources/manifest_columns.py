"""From source columns to the fields of a case: codes, units, constants, and what a manifest declares unknown.

Every value is checked by the field of :class:`features.case.Case` itself, once per distinct value.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from features.case import Case, read_case
from features.case_refusals import nearest_keys
from features.cohort_columns import is_post_index
from features.cohort_refusals import PostIndexColumn
from features.errors import InvalidCase
from features.field_types import Number
from features.flat import FLAT_FIELDS, flatten, nest
from features.sources.manifest_refusals import InvalidManifest, UnknownUnit, UnusableColumn
from features.sources.manifest_schema import code_text
from features.sources.source_table import matching
from features.vocabulary import nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from features.sources.build_report import BuildReport
    from features.sources.manifest_schema import FieldRule
    from features.sources.source_table import SourceTable

KINDS = {field.path: field.kind for field in FLAT_FIELDS}

MOST_UNREADABLE = 0.5
"""A column of which more than this share of known values does not fit its field is refused as a whole."""

_TO = {
    ("g/L", "g/dL"): 0.1,
    ("mg/dL", "g/dL"): 0.001,
    ("percent", "fraction"): 0.01,
    ("fraction", "percent"): 100.0,
    ("weeks", "days"): 7.0,
    ("months", "days"): 30.4375,
    ("years", "days"): 365.25,
    ("days", "years"): 1 / 365.25,
    ("months", "years"): 1 / 12,
    ("10^3/uL", "10^9/L"): 1.0,
    ("cells/uL", "10^9/L"): 0.001,
}
"""Factors from a declared unit to the unit of a field; 365.25 days a year, 30.4375 a month."""

DATE = re.compile(r"\d{4}-\d{1,2}-\d{1,2}|\d{1,2}[./]\d{1,2}[./]\d{2,4}")
"""What looks like a day of a calendar."""

_PROBE = {"histology": "NSCLC", "therapy": {"class": "pd1_pdl1"}}


@dataclass(frozen=True)
class Reading:
    """The values of one field, one per row; None is unknown."""

    path: str
    values: list[Any]
    columns: tuple[str, ...]


def check_path(path: str, record: str) -> None:
    """Refuse a field that a case does not have."""
    if path not in KINDS or path in ("case_id", "patient_id"):
        close = nearest_keys(path.rpartition(".")[2], [one for one in KINDS if one.startswith(path.split(".")[0])])
        close = close or nearest(path, KINDS)
        raise InvalidManifest("is not a field of a case", field=f"fields.{path}", record=record, allowed=close or KINDS)


def unit_of(path: str) -> str | None:
    """Return the unit of a measured field, or None.

    Examples
    --------
    >>> unit_of("patient.albumin_g_per_dl"), unit_of("histology")
    ('g/dL', None)
    """
    record: type[BaseModel] = Case
    *parents, name = path.split(".")
    for parent in parents:
        record = _record_in(record.model_fields[parent].annotation)
    field = next(info for key, info in record.model_fields.items() if key == name or info.alias == name)
    measured = [
        mark for mark in (*field.metadata, *getattr(field.annotation, "__metadata__", ())) if isinstance(mark, Number)
    ]
    return measured[0].measure.unit if measured else None


def _record_in(annotation: Any) -> type[BaseModel]:
    members = getattr(annotation, "__args__", (annotation,))
    return next(member for member in members if isinstance(member, type) and issubclass(member, BaseModel))


def checked(path: str, value: Any) -> Any:
    """Return a value as the field of a case holds it, canonically spelled.

    Raises
    ------
    InvalidCase
        When the field cannot hold it.

    Examples
    --------
    >>> checked("histology", "Lung Adenocarcinoma")
    'LUAD'
    """
    case = read_case({**_PROBE, **nest({path: value})})
    return flatten(case)[path]


def read_field(path: str, rules: Sequence[FieldRule], table: SourceTable, report: BuildReport) -> Reading:
    """Read one field of all rows: the first rule that knows a value wins.

    Raises
    ------
    MissingColumn, UnusableColumn, UnknownUnit, PostIndexColumn
    """
    values: list[Any] = [None] * len(table)
    used: list[str] = []
    for rule in rules:
        name = present_column(rule, table, report)
        if name is not None:
            used.append(name)
        found = _rule_values(path, rule, name, table, report)
        values = [new if old is None else old for old, new in zip(values, found, strict=True)]
    return Reading(path, values, tuple(used))


def present_column(rule: FieldRule, table: SourceTable, report: BuildReport) -> str | None:
    """Return the column that a rule reads in this source; None for a constant and for an absent optional one."""
    for name in rule.column:
        if is_post_index(name):
            raise PostIndexColumn(
                "is dated after the index date and can never be a feature", field=name, record=table.name
            )
    found = next((name for name in rule.column if name in table.columns), None)
    if found is None and rule.column:
        if not rule.optional:
            table.column(rule.column[0])
        report.absent_columns.append(" or ".join(rule.column))
    return found


def _rule_values(path: str, rule: FieldRule, name: str | None, table: SourceTable, report: BuildReport) -> list[Any]:
    if rule.value is not None:
        found: list[Any] = [checked(path, rule.value)] * len(table)
    elif name is None:
        found = [None if rule.when_blank is None else checked(path, rule.when_blank)] * len(table)
    elif rule.unknown_when_constant and _is_constant(table.column(name)):
        report.made_unknown[f"{path}: {name} is the same in all rows, filled in by its authors"] += len(table)
        found = [None] * len(table)
    else:
        found = read_column(path, rule, name, table, report, lambda value: checked(path, value))
    return hide(path, rule, table, report, found)


def _is_constant(values: Sequence[str | None]) -> bool:
    return len(values) > 1 and len(set(values)) == 1 and values[0] is not None


def hide(path: str, rule: FieldRule, table: SourceTable, report: BuildReport, values: list[Any]) -> list[Any]:
    """Make the values unknown where the rule says that they cannot be used."""
    for where in rule.unknown_where:
        hidden = matching(table, where)
        condition = condition_text(where)
        times = sum(hit and value is not None for hit, value in zip(hidden, values, strict=True))
        if times:
            report.made_unknown[f"{path}: {condition}"] += times
        values = [None if hit else value for hit, value in zip(hidden, values, strict=True)]
    return values


def condition_text(where: Mapping[str, Sequence[str]]) -> str:
    """Write a condition on columns in words.

    Examples
    --------
    >>> condition_text({"BEP": ["Y"], "ID": [""]})
    'BEP is Y and ID is blank'
    """
    return " and ".join(
        f"{name} is {' or '.join(value or 'blank' for value in allowed)}" for name, allowed in where.items()
    )


def read_column(
    path: str, rule: FieldRule, name: str, table: SourceTable, report: BuildReport, check: Callable[[Any], Any]
) -> list[Any]:
    """Read a column value by value, each distinct one once; what does not fit is unknown and counted."""
    source = table.column(name)
    counts = Counter(source)
    factor = _factor(path, rule)
    known: dict[str | None, Any] = {None: None if rule.when_blank is None else check(rule.when_blank)}
    unreadable = 0
    first_problem = ""
    for value, times in counts.items():
        if value is None:
            continue
        try:
            known[value] = _one(path, rule, value, table.decimal, factor, check)
        except (InvalidCase, ValueError) as problem:
            known[value] = None
            unreadable += times
            first_problem = first_problem or str(problem)
            report.count_unreadable(path, value, times)
    filled = len(source) - counts.get(None, 0)
    if filled and unreadable / filled > MOST_UNREADABLE:
        raise UnusableColumn(
            f"{unreadable} of {filled} values of column {name!r} do not fit; the first: {first_problem}",
            field=path,
            record=table.name,
            way_out="Correct the column, its `unit` or its `codes` in the manifest.",
        )
    return [known[value] for value in source]


def _one(path: str, rule: FieldRule, value: str, decimal: str, factor: float, check: Callable[[Any], Any]) -> Any:
    if value in rule.unknown_values or code_text(value) in rule.unknown_values:
        return None
    if rule.codes is not None:
        coded = rule.codes.get(value, rule.codes.get(code_text(value), _ABSENT))
        if coded is _ABSENT and rule.else_as_it_stands:
            coded = value
        if coded is _ABSENT:
            raise ValueError(f"{value!r} is not among the codes of the manifest")
        return None if coded is None else check(coded)
    return check(_plain(path, rule, value, decimal, factor))


_ABSENT = object()
_TRUTHS = {"true": True, "yes": True, "y": True, "1": True, "false": False, "no": False, "n": False, "0": False}


def _plain(path: str, rule: FieldRule, value: str, decimal: str, factor: float) -> Any:
    """Return an uncoded value as the type of its field."""
    kind = KINDS.get(path, "text")
    if kind == "text":
        return value
    if kind == "truth":
        if value.lower() not in _TRUTHS:
            raise ValueError(f"{value!r} is neither yes nor no")
        return _TRUTHS[value.lower()]
    number = _number(value, decimal) * factor * rule.scale + rule.offset
    if kind == "integer":
        if not number.is_integer():
            raise ValueError(f"{value!r} is not a whole number")
        return int(number)
    return number


def _number(value: str, decimal: str) -> float:
    try:
        return float(value.replace(decimal, ".") if decimal != "." else value)
    except ValueError:
        dated = "; dates are not read: give a column of days before the index date" if DATE.match(value) else ""
        raise ValueError(f"{value!r} is not a number{dated}") from None


def _factor(path: str, rule: FieldRule) -> float:
    if rule.unit is None:
        return 1.0
    wanted = unit_of(path)
    if rule.unit == wanted:
        return 1.0
    factor = _TO.get((rule.unit, wanted or ""))
    if factor is None:
        raise UnknownUnit(
            f"{rule.unit!r} cannot be converted to {wanted!r}",
            field=path,
            record="manifest",
            allowed=[wanted, *(known for known, to in _TO if to == wanted)],
        )
    return factor
