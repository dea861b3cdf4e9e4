"""Whatever is done to the log behind its back is found and named; its triggers refuse it in the first place."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from serving.audit.auditor import Auditor
from serving.audit.chain import content_hash, link_hash
from serving.audit.tables import DATA_KEYS, HEADS, RECORDS
from tests.audit_log import entry, open_log
from tests.audit_verdict import kinds_of, verdict_of

RECORDED = 9
TAMPERED = 5
"""Number of the record that is tampered with."""


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Auditor]:
    """A log of nine records on SQLite whose triggers are gone, as a superuser could have it."""
    auditor = open_log(tmp_path)
    for _ in range(RECORDED):
        auditor.record_prediction(entry())
    with auditor.database.writing() as connection:
        names = connection.execute(sa.text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).scalars().all()
        for name in names:
            connection.exec_driver_sql(f"DROP TRIGGER {name}")
    assert verdict_of(auditor).good
    yield auditor
    auditor.close()


def _run(log: Auditor, *statements: Any) -> None:
    with log.database.writing() as connection:
        for statement in statements:
            connection.execute(statement)


def _row(log: Auditor, seq: int) -> dict[str, Any]:
    with log.database.reading() as connection:
        return dict(connection.execute(sa.select(RECORDS).where(RECORDS.c.seq == seq)).mappings().one())


def _flipped(value: Any, column: sa.Column[Any]) -> Any:
    """Return a value that differs in one bit, or a present one for an absent one."""
    if value is None:
        return 0.5 if isinstance(column.type, sa.Double) else "x"
    if isinstance(value, bytes):
        return bytes([value[0] ^ 1]) + value[1:]
    if isinstance(value, str):
        return value[:-1] + chr(ord(value[-1]) ^ 1)
    return value + (1e-16 if isinstance(value, float) and abs(value) < 0.5 else 1)


@pytest.mark.parametrize("name", [column.name for column in RECORDS.columns if column.name != "seq"])
def test_a_flipped_bit_in_any_column_is_found_and_named(log: Auditor, name: str) -> None:
    column = RECORDS.c[name]
    value = _flipped(_row(log, TAMPERED)[name], column)
    _run(log, sa.update(RECORDS).where(RECORDS.c.seq == TAMPERED).values({name: value}))
    found = kinds_of(verdict_of(log))
    assert ("changed", TAMPERED) in found
    assert all(seq == TAMPERED for _, seq in found)  # the key check may name it as well


@pytest.mark.parametrize("name", [column.name for column in DATA_KEYS.columns if column.name != "seq"])
def test_a_flipped_bit_of_a_wrapped_key_is_found(log: Auditor, name: str) -> None:
    with log.database.reading() as connection:
        key = connection.execute(sa.select(DATA_KEYS).where(DATA_KEYS.c.seq == TAMPERED)).mappings().one()
    value = _flipped(key[name], DATA_KEYS.c[name])
    _run(log, sa.update(DATA_KEYS).where(DATA_KEYS.c.seq == TAMPERED).values({name: value}))
    assert kinds_of(verdict_of(log)) == {("key", TAMPERED)}


@pytest.mark.parametrize("name", [column.name for column in HEADS.columns if column.name != "count"])
def test_a_flipped_bit_of_a_head_is_found(log: Auditor, name: str) -> None:
    with log.database.reading() as connection:
        head = connection.execute(sa.select(HEADS).where(HEADS.c.count == TAMPERED)).mappings().one()
    value = "A" + head[name][1:] if head[name][0] != "A" else "B" + head[name][1:]
    _run(log, sa.update(HEADS).where(HEADS.c.count == TAMPERED).values({name: value}))
    assert kinds_of(verdict_of(log)) == {("head", None)}


def test_a_removed_key_is_found_unless_an_erasure_was_logged(log: Auditor) -> None:
    _run(log, sa.delete(DATA_KEYS).where(DATA_KEYS.c.seq == TAMPERED))
    assert kinds_of(verdict_of(log)) == {("key", TAMPERED)}


@pytest.mark.parametrize("renumbered", [False, True])
def test_a_missing_record_is_named(log: Auditor, renumbered: bool) -> None:
    _run(log, sa.delete(RECORDS).where(RECORDS.c.seq == TAMPERED), sa.delete(DATA_KEYS))
    if renumbered:
        for seq in range(TAMPERED + 1, RECORDED + 1):
            _run(log, sa.update(RECORDS).where(RECORDS.c.seq == seq).values(seq=seq - 1))
    assert ("missing", TAMPERED) in kinds_of(verdict_of(log))
    assert not {kind for kind, _ in kinds_of(verdict_of(log))} & {"changed", "reordered", "inserted"} - {"cut"}


@pytest.mark.parametrize(("first", "second"), [(2, 3), (2, 7), (1, 9)])
def test_exchanged_records_are_named(log: Auditor, first: int, second: int) -> None:
    for before, after in ((first, 100), (second, first), (100, second)):
        _run(log, sa.update(RECORDS).where(RECORDS.c.seq == before).values(seq=after))
    found = kinds_of(verdict_of(log))
    assert {one for one in found if one[0] == "reordered"} == {("reordered", first), ("reordered", second)}
    assert not {kind for kind, _ in found} & {"changed", "missing", "inserted"}


@pytest.mark.parametrize("hashed", [False, True])
def test_an_inserted_record_is_named(log: Auditor, hashed: bool) -> None:
    for seq in range(RECORDED, TAMPERED - 1, -1):
        _run(log, sa.update(RECORDS).where(RECORDS.c.seq == seq).values(seq=seq + 1))
    false = {**_row(log, TAMPERED - 1), "seq": TAMPERED, "record_id": "false", "probability": 0.99}
    if hashed:
        false["previous"] = _row(log, TAMPERED - 1)["hash"]
        false["hash"] = link_hash(TAMPERED, false["previous"], content_hash(false))
    _run(log, sa.insert(RECORDS).values(false))
    found = kinds_of(verdict_of(log))
    assert ("inserted", TAMPERED) in found
    assert not {kind for kind, _ in found} & {"changed", "missing", "reordered"}


def test_a_record_put_at_the_end_is_under_no_signed_head(log: Auditor) -> None:
    last = _row(log, RECORDED)
    false = {**last, "seq": RECORDED + 1, "record_id": "false", "previous": last["hash"]}
    _run(log, sa.insert(RECORDS).values({**false, "hash": link_hash(RECORDED + 1, last["hash"], content_hash(false))}))
    assert ("inserted", RECORDED + 1) in kinds_of(verdict_of(log))


def test_a_chain_written_anew_differs_from_its_signed_heads(log: Auditor) -> None:
    previous = _row(log, TAMPERED - 1)["hash"]
    for seq in range(TAMPERED, RECORDED + 1):
        row = {**_row(log, seq), "previous": previous}
        row |= {"probability": 0.99} if seq == TAMPERED else {}
        row["hash"] = previous = link_hash(seq, previous, content_hash(row))
        _run(log, sa.update(RECORDS).where(RECORDS.c.seq == seq).values(row))
    assert kinds_of(verdict_of(log)) == {("rewritten", TAMPERED)}


def test_a_changed_record_hashed_anew_is_named(log: Auditor) -> None:
    row = {**_row(log, TAMPERED), "probability": 0.99}
    row["hash"] = link_hash(TAMPERED, row["previous"], content_hash(row))
    _run(log, sa.update(RECORDS).where(RECORDS.c.seq == TAMPERED).values(row))
    assert kinds_of(verdict_of(log)) == {("changed", TAMPERED)}


def test_a_removed_end_is_found_given_the_head(log: Auditor, tmp_path: Path) -> None:
    kept = tmp_path / "elsewhere.jsonl"
    shutil.copy(tmp_path / "audit.heads.jsonl", kept)
    end = [table.c[name] >= RECORDED for table, name in ((RECORDS, "seq"), (DATA_KEYS, "seq"), (HEADS, "count"))]
    _run(log, *(sa.delete(table).where(where) for table, where in zip((RECORDS, DATA_KEYS, HEADS), end, strict=True)))
    assert verdict_of(log).good  # what cannot be found without a head: docs/audit.md
    assert kinds_of(verdict_of(log, heads=kept)) == {("cut", RECORDED)}
    log.record_prediction(entry())
    assert ("rewritten", RECORDED) in kinds_of(verdict_of(log, heads=kept))


@pytest.mark.parametrize("table", ["records", "heads", "data_keys", "segments"])
def test_triggers_refuse_changes_even_to_the_owner(tmp_path: Path, address: str, table: str) -> None:
    auditor = open_log(tmp_path, address)
    auditor.record_prediction(entry())
    column = {"records": "kind", "heads": "hash", "data_keys": "key_id", "segments": "file"}[table]
    if table == "segments":
        names = "last_seq, first_seq, last_hash, file, file_sha256, time, key_id, signature"
        _run(auditor, sa.text(f"INSERT INTO segments ({names}) VALUES (0, 0, 'a', 'b', 'c', 'd', 'e', 'f')"))  # noqa: S608
    for statement in (f"UPDATE {table} SET {column} = 'x'", f"DELETE FROM {table}"):  # noqa: S608
        if statement == "DELETE FROM data_keys":
            continue  # erasure
        with pytest.raises(DBAPIError, match="append-only"):
            _run(auditor, sa.text(statement))
    if auditor.database.lock_file is None:
        with pytest.raises(DBAPIError, match="append-only"):
            _run(auditor, sa.text(f"TRUNCATE {table}"))
    auditor.close()


def test_replace_into_is_refused_on_sqlite(tmp_path: Path) -> None:
    auditor = open_log(tmp_path)
    auditor.record_prediction(entry())
    for table in ("records", "heads", "data_keys"):
        with pytest.raises(DBAPIError, match="append-only"):
            _run(auditor, sa.text(f"INSERT OR REPLACE INTO {table} SELECT * FROM {table}"))  # noqa: S608
    auditor.close()


def test_the_services_own_role_may_only_append_and_erase(tmp_path: Path, postgres: str) -> None:
    from serving.audit.migrations.append_only import GRANTS

    owner = open_log(tmp_path, postgres)
    role = f"service_{sa.make_url(postgres).database}"
    _run(owner, sa.text(f"CREATE ROLE {role} LOGIN"), *(sa.text(one.format(role=role)) for one in GRANTS))
    owner.close()
    service = open_log(tmp_path, sa.make_url(postgres).set(username=role).render_as_string(hide_password=False))
    record_id = service.record_prediction(entry()).record_id
    assert service.lookup(record_id).answer["probability"] == pytest.approx(0.4378234991142019, abs=0)
    for statement in (
        "UPDATE records SET kind = 'x'",
        "DELETE FROM records",
        "TRUNCATE records",
        "UPDATE heads SET hash = 'x'",
        "DELETE FROM heads",
        "UPDATE data_keys SET key_id = 'x'",
        "INSERT INTO segments SELECT 1, 1, 'a', 'b', 'c', 'd', 'e', 'f'",
        "ALTER TABLE records DISABLE TRIGGER ALL",
        "DROP TRIGGER records_no_update ON records",
        "DROP TABLE records",
    ):
        with pytest.raises(DBAPIError, match=r"permission denied|must be owner"):
            _run(service, sa.text(statement))
    assert service.erase("officer", patient_id="p-1") == 1
    service.close()
    _run(owner, sa.text(f"DROP OWNED BY {role}"), sa.text(f"DROP ROLE {role}"))
    owner.database.close()
