"""Reading the log: one record with what was later said of it, a filtered list, or all of it in order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from pydantic_core import from_json

from features.errors import listed as listed_values
from features.errors import seen_text
from serving.audit.refusals import ErasedRecord, UnknownPrediction
from serving.audit.sealing import binding, unseal, unwrap
from serving.audit.tables import DATA_KEYS, RECORDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from serving.audit.database import Database
    from serving.audit.keys import AuditKeys

    Row = Mapping[str, Any]

BLOCK = 500
"""Records read at a time; with their payloads about 3 MB."""


@dataclass(frozen=True)
class Filter:
    """Which records to list; None asks for any.

    Attributes
    ----------
    since, until
        UTC texts that times are compared with (``2026-11-22`` is the start of that day); until is not included.
    lineage
        An OncoTree code anywhere in the lineage: ``NSCLC`` finds LUAD.
    warning, reason
        A code among the warnings or reasons.
    case_refs, patient_refs
        Pseudonyms under every active key.
    newest
        At most so many, the newest first.
    """

    since: str | None = None
    until: str | None = None
    kind: str | None = None
    status: str | None = None
    family: str | None = None
    therapy_class: str | None = None
    lineage: str | None = None
    model_digest: str | None = None
    warning: str | None = None
    reason: str | None = None
    caller: str | None = None
    case_refs: Sequence[str] | None = None
    patient_refs: Sequence[str] | None = None
    newest: int = 50


@dataclass(frozen=True)
class Logged:
    """One record with its content opened, and the later records about it, oldest first.

    ``row`` is the clear columns; ``payload`` holds request, answer and features, or event; None when it was erased.
    """

    row: Row
    payload: dict[str, Any] | None
    later: tuple[Logged, ...] = ()

    @property
    def erased(self) -> bool:
        """Whether the payload's key was destroyed."""
        return self.payload is None

    @property
    def answer(self) -> dict[str, Any]:
        """The answer as it was given, its case_id a pseudonym; ErasedRecord when it was erased."""
        if self.payload is None:
            raise ErasedRecord("the values of this record were erased", record=self.row["record_id"])
        found: dict[str, Any] = self.payload["answer"]
        return found


CLEAR = [column for column in RECORDS.columns if column.name != "payload"]


def listed(database: Database, wanted: Filter) -> list[Row]:
    """Return the clear columns of matching records, the newest first."""
    query = sa.select(*CLEAR).where(*_conditions(wanted)).order_by(RECORDS.c.seq.desc()).limit(wanted.newest)
    with database.reading() as connection:
        return [dict(row) for row in connection.execute(query).mappings()]


def nowhere(database: Database, wanted: Filter) -> list[str]:
    """Return what to say when nothing matched: that, and which words of the filter no record of the log has."""
    said = ["no record matches"]
    with database.reading() as connection:
        for name in ("kind", "status", "family", "therapy_class", "caller"):
            value, column = getattr(wanted, name), RECORDS.c[name]
            if value is None:
                continue
            there = sorted(connection.scalars(sa.select(column).where(column.is_not(None)).distinct()))
            if value not in there:
                option = f"--{name.replace('_', '-')}"
                said.append(f"{option} {seen_text(value)} is nowhere in this log; there are: {listed_values(there)}")
    return said


def _conditions(wanted: Filter) -> Iterator[sa.ColumnElement[bool]]:
    columns = RECORDS.c
    for name in ("kind", "status", "family", "therapy_class", "model_digest", "caller"):
        if (value := getattr(wanted, name)) is not None:
            yield columns[name] == value
    if wanted.since is not None:
        yield columns.time >= wanted.since
    if wanted.until is not None:
        yield columns.time < wanted.until
    if wanted.lineage is not None:
        yield ("/" + columns.lineage + "/").contains(f"/{wanted.lineage}/", autoescape=True)
    for name in ("warning", "reason"):
        if (code := getattr(wanted, name)) is not None:
            yield columns[f"{name}s"].contains(f'"{code}"', autoescape=True)
    for name in ("case_ref", "patient_ref"):
        if (refs := getattr(wanted, f"{name}s")) is not None:
            yield columns[name].in_(refs)


def row_of(database: Database, record_id: str) -> Row:
    """Return a record, its ciphertext included; UnknownPrediction when there is none."""
    with database.reading() as connection:
        row = connection.execute(sa.select(RECORDS).where(RECORDS.c.record_id == record_id)).mappings().first()
    if row is None:
        raise UnknownPrediction("there is no record of this id", way_out="See `oncorespond audit list`.")
    return dict(row)


def looked_up(database: Database, record_id: str, keys: AuditKeys) -> Logged:
    """Return a record opened, with the records about it."""
    row = row_of(database, record_id)
    query = sa.select(RECORDS).where(RECORDS.c.about == record_id).order_by(RECORDS.c.seq)
    with database.reading() as connection:
        later = [dict(one) for one in connection.execute(query).mappings()]
    first, *others = opened(database, [row, *later], keys)
    return Logged(first.row, first.payload, tuple(others))


def rows_of_key(database: Database, once_keys: Sequence[str]) -> list[Row]:
    """Return the records that an Idempotency-Key made, in their order."""
    query = sa.select(RECORDS).where(RECORDS.c.once.in_(once_keys)).order_by(RECORDS.c.seq)
    with database.reading() as connection:
        return [dict(row) for row in connection.execute(query).mappings()]


def opened(database: Database, rows: Sequence[Row], keys: AuditKeys) -> list[Logged]:
    """Open the payloads of rows, in their order; those whose keys were destroyed stay closed."""
    query = sa.select(DATA_KEYS).where(DATA_KEYS.c.seq.in_([row["seq"] for row in rows]))
    with database.reading() as connection:
        wrapped = {row["seq"]: dict(row) for row in connection.execute(query).mappings()}
    return [_opened(row, wrapped.get(row["seq"]), keys) for row in rows]


def _opened(row: Row, wrapped: Row | None, keys: AuditKeys) -> Logged:
    clear = {name: value for name, value in row.items() if name != "payload"}
    if wrapped is None:
        return Logged(clear, None)
    bound_to = binding(row["record_id"], row["case_ref"], row["patient_ref"])
    key = unwrap(wrapped["wrapped"], wrapped["key_id"], bound_to, keys.data)
    return Logged(clear, from_json(unseal(row["payload"], key, bound_to)))


def in_order(database: Database, kinds: Sequence[str] | None = None) -> Iterator[list[Row]]:
    """Yield all records, or those of some kinds, in blocks by number, ciphertext included.

    Each block is read for itself, so a long walk holds no transaction open; records only ever come behind the last.
    """
    after: int | None = None
    while True:
        query = sa.select(RECORDS).order_by(RECORDS.c.seq).limit(BLOCK)
        if after is not None:
            query = query.where(RECORDS.c.seq > after)
        if kinds is not None:
            query = query.where(RECORDS.c.kind.in_(kinds))
        with database.reading() as connection:
            block: list[Row] = [dict(row) for row in connection.execute(query).mappings()]
        if not block:
            return
        yield block
        after = block[-1]["seq"]
