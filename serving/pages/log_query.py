"""Asked: which predictions a page wants, as its address says it; and which rows of the columns those are."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, ClassVar, Self
from urllib.parse import urlencode

import numpy as np

from features.errors import Refusal, seen_text
from serving.pages.contribution_cube import month_name
from serving.pages.log_columns import DECISIONS, KINDS, STATUSES, UNKNOWN, LogColumns

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    BoolArray = NDArray[np.bool_]

ROWS = 50
"""Predictions on one page of the list."""

LONGEST = 80
"""Characters of one value of an address."""

_DAY = re.compile(r"\d{4}-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?")
_NUMBER = re.compile(r"0?\.\d{1,6}|[01](\.\d{1,6})?")
_PAGE = re.compile(r"[1-9]\d{0,6}")

CHOICES: dict[str, tuple[str, ...]] = {
    "kind": (*KINDS, "any"),
    "status": STATUSES,
    "outcome": ("response", "no_response", "unknown", "known"),
    "decision": DECISIONS,
    "sort": ("time", "probability", "width"),
    "order": ("desc", "asc"),
}
"""What keys of a closed set may be."""


class FilterRefused(Refusal):
    """An address asks for what no list of predictions has."""

    code: ClassVar[str] = "filter_refused"
    http_status = 422


@dataclass(frozen=True)
class Asked:
    """A filter, its order and its page; None asks for any.

    Attributes
    ----------
    since, until
        ``2026-11`` or ``2026-11-22``, UTC; until is not included.
    version
        Name and version of the model: ``checkpoint-response/3``.
    histology
        OncoTree code anywhere in the lineage.
    alteration
        A gene (``BRAF``) or a finding (``BRAF p.V600E``).
    warning, reason
        A code among them.
    outcome
        ``response``, ``no_response``, ``unknown``, ``known``.
    decision, review
        ``overridden`` ...; a finding of a review, ``any`` or ``none``.
    disagrees
        A feature whose contribution went against declared biology.
    low, high
        Bounds of the probability, both included.
    """

    since: str | None = None
    until: str | None = None
    version: str | None = None
    therapy_class: str | None = None
    histology: str | None = None
    alteration: str | None = None
    status: str | None = None
    warning: str | None = None
    reason: str | None = None
    outcome: str | None = None
    decision: str | None = None
    review: str | None = None
    disagrees: str | None = None
    low: str | None = None
    high: str | None = None
    caller: str | None = None
    kind: str = "prediction"
    sort: str = "time"
    order: str = "desc"
    page: int = 1

    @classmethod
    def read(cls, parameters: Mapping[str, str]) -> Self:
        """Read the parameters of an address; empty ones ask for any.

        Raises
        ------
        FilterRefused
            A key that is none of these, or a value that is none of its values.

        Examples
        --------
        >>> Asked.read({"since": "2026-10", "disagrees": "tmb_mut_per_mb"}).address(page=2)
        'since=2026-10&disagrees=tmb_mut_per_mb&page=2'
        """
        given = {name: value for name, value in parameters.items() if value != ""}
        known = {one.name for one in fields(cls)}
        for name, value in given.items():
            if name not in known:
                raise FilterRefused(f"{seen_text(name)} is no filter", allowed=sorted(known))
            _check(name, value)
        page = int(given.pop("page", "1"))
        return cls(**given, page=page)

    def address(self, **changes: Any) -> str:
        """Return this filter as a query string, with changes; what is as usual is left out."""
        changed = replace(self, **changes)
        pairs = [(one.name, getattr(changed, one.name)) for one in fields(changed)]
        usual = {one.name: one.default for one in fields(changed)}
        return urlencode([(name, value) for name, value in pairs if value not in (None, usual[name])])

    @property
    def filters(self) -> dict[str, str]:
        """The filters that are set, order and page apart, for showing them and taking them away."""
        usual = {one.name: one.default for one in fields(self)}
        found = {name: getattr(self, name) for name in usual if name not in ("sort", "order", "page")}
        return {name: value for name, value in found.items() if value != usual[name]}


def _check(name: str, value: str) -> None:
    if name in CHOICES and value not in CHOICES[name]:
        raise FilterRefused(f"{seen_text(value)} is no {name}", field=name, allowed=CHOICES[name])
    patterns = {"since": _DAY, "until": _DAY, "low": _NUMBER, "high": _NUMBER, "page": _PAGE}
    if name in patterns and not patterns[name].fullmatch(value):
        raise FilterRefused(f"{seen_text(value)} cannot be read", field=name, way_out="2026-11, 2026-11-22; 0.25.")
    if len(value) > LONGEST:
        raise FilterRefused(f"a value of more than {LONGEST} characters", field=name)


def matching(asked: Asked, columns: LogColumns) -> NDArray[np.intp]:
    """Return the rows that match, in the order of the log."""
    mask = np.ones(columns.n, dtype=np.bool_)
    for condition in _conditions(asked, columns):
        mask &= condition
    return np.flatnonzero(mask)


def ordered(rows: NDArray[np.intp], asked: Asked, columns: LogColumns) -> NDArray[np.intp]:
    """Return rows in the asked order; abstentions, which have no probability, come last in either."""
    if asked.sort == "time":
        return rows if asked.order == "asc" else rows[::-1]
    value = columns["probability"][rows]
    if asked.sort == "width":
        value = columns["high"][rows] - columns["low"][rows]
    return rows[np.argsort(value if asked.order == "asc" else -value, kind="stable")]


def _conditions(asked: Asked, columns: LogColumns) -> Iterator[BoolArray]:
    yield from _about_the_request(asked, columns)
    yield from _about_the_answer(asked, columns)
    yield from _about_what_came_later(asked, columns)


def _about_the_request(asked: Asked, columns: LogColumns) -> Iterator[BoolArray]:
    if asked.kind != "any":
        yield columns["kind"] == KINDS.index(asked.kind)
    if asked.since is not None:
        yield columns["time"] >= start_of(asked.since)
    if asked.until is not None:
        yield columns["time"] < start_of(asked.until)
    for name in ("therapy_class", "caller"):
        if (value := getattr(asked, name)) is not None:
            yield columns[name] == columns.codes[name].known(value)
    if asked.histology is not None:
        yield among(columns, "lineage", lambda lineage: f"/{asked.histology}/" in f"/{lineage}/")
    if asked.alteration is not None:
        yield with_finding(columns, asked.alteration)


def _about_the_answer(asked: Asked, columns: LogColumns) -> Iterator[BoolArray]:
    if asked.version is not None:
        yield columns["version"] == columns.codes["version"].known(asked.version)
    if asked.status is not None:
        yield columns["status"] == STATUSES.index(asked.status)
    for name, code in (("warnings", asked.warning), ("reasons", asked.reason)):
        if code is not None:
            yield flagged(columns, name, name, code)
    if asked.disagrees is not None:
        yield flagged(columns, "disagrees", "features", asked.disagrees)
    with np.errstate(invalid="ignore"):
        if asked.low is not None:
            yield columns["probability"] >= float(asked.low)
        if asked.high is not None:
            yield columns["probability"] <= float(asked.high)


def _about_what_came_later(asked: Asked, columns: LogColumns) -> Iterator[BoolArray]:
    if asked.outcome == "known":
        yield columns["outcome"] != UNKNOWN
    elif asked.outcome is not None:
        yield columns["outcome"] == {"response": 1, "no_response": 0, "unknown": UNKNOWN}[asked.outcome]
    if asked.decision is not None:
        yield columns["decision"] == DECISIONS.index(asked.decision)
    if asked.review in ("any", "none"):
        yield (columns["review"] == UNKNOWN) == (asked.review == "none")
    elif asked.review is not None:
        code = columns.codes["review"].known(asked.review)
        yield (columns["review"] == code) & (columns["review"] != UNKNOWN)


def among(columns: LogColumns, name: str, wanted: Any) -> BoolArray:
    """Return the rows whose text in a coded column is wanted; each text is asked once."""
    table = np.array([*(bool(wanted(text)) for text in columns.codes[name].texts), False])
    return np.asarray(table[columns[name]])  # UNKNOWN, -1, is the last of the table: False


def flagged(columns: LogColumns, name: str, codes: str, code: str) -> BoolArray:
    """Return the rows that have one flag set; none for a code that never came."""
    bit = columns.codes[codes].known(code)
    if bit == UNKNOWN:
        return np.zeros(columns.n, dtype=np.bool_)
    return np.asarray((columns[name] >> np.uint64(bit)) & np.uint64(1), dtype=np.bool_)


def with_finding(columns: LogColumns, alteration: str) -> BoolArray:
    """Return the rows with a finding, or with any finding of a gene."""
    texts = columns.codes["alteration"].texts
    table = np.array([*(text == alteration or text.partition(" ")[0] == alteration for text in texts), False])
    found = np.zeros(columns.n, dtype=np.bool_)
    rows, codes = columns.findings
    found[rows[table[codes]]] = True
    return found


def start_of(day: str) -> int:
    """Return the first microsecond of a month or day, UTC.

    Raises
    ------
    FilterRefused
        A day that no month has.
    """
    try:
        return int(np.datetime64(day, "us").astype(np.int64))
    except ValueError:
        raise FilterRefused(f"{seen_text(day)} is no day", way_out="2026-11 or 2026-11-22.") from None


def months_of(columns: LogColumns) -> list[str]:
    """Return the months that have predictions, the latest first."""
    if columns.n == 0:
        return []
    months = columns["time"].astype("datetime64[us]").astype("datetime64[M]").astype(np.int64)
    return [month_name(int(month) + 12 * 1970) for month in np.unique(months)[::-1]]
