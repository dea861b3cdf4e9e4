"""Triggers that refuse to change or delete what was written, for SQLite and PostgreSQL.

A superuser can drop them; what they do then is found by the chain and the signed heads.
"""

from __future__ import annotations

SEALED = "EXISTS (SELECT 1 FROM segments WHERE OLD.seq BETWEEN first_seq AND last_seq)"
"""Rows of a sealed and archived segment may leave the database."""

_SQLITE_REFUSE = "BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END"

_TAKEN = {
    "records": "EXISTS (SELECT 1 FROM records WHERE seq = NEW.seq OR record_id = NEW.record_id)",
    "heads": "EXISTS (SELECT 1 FROM heads WHERE count = NEW.count)",
    "data_keys": "EXISTS (SELECT 1 FROM data_keys WHERE seq = NEW.seq)",
}

SQLITE = [
    *(
        f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} {_SQLITE_REFUSE}"
        for table in ("records", "heads", "segments", "data_keys")
    ),
    *(f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} {_SQLITE_REFUSE}" for table in ("heads", "segments")),
    f"CREATE TRIGGER records_no_delete BEFORE DELETE ON records WHEN NOT {SEALED} {_SQLITE_REFUSE}",
    *(  # INSERT OR REPLACE deletes without firing delete triggers
        f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} WHEN {taken} {_SQLITE_REFUSE}"
        for table, taken in _TAKEN.items()
    ),
]

_REFUSE = "EXECUTE FUNCTION refuse_change()"

POSTGRESQL = [
    "CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ BEGIN RAISE EXCEPTION 'the audit log is append-only'; END $$",
    "CREATE FUNCTION refuse_unsealed() RETURNS trigger LANGUAGE plpgsql AS "
    f"$$ BEGIN IF {SEALED} THEN RETURN OLD; END IF; RAISE EXCEPTION 'the audit log is append-only'; END $$",
    *(
        f"CREATE TRIGGER {table}_no_update BEFORE UPDATE ON {table} FOR EACH ROW {_REFUSE}"
        for table in ("records", "heads", "segments", "data_keys")
    ),
    *(
        f"CREATE TRIGGER {table}_no_delete BEFORE DELETE ON {table} FOR EACH ROW {_REFUSE}"
        for table in ("heads", "segments")
    ),
    "CREATE TRIGGER records_no_delete BEFORE DELETE ON records FOR EACH ROW EXECUTE FUNCTION refuse_unsealed()",
    *(
        f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} FOR EACH STATEMENT {_REFUSE}"
        for table in ("records", "heads", "segments", "data_keys")
    ),
]

GRANTS = (
    "GRANT SELECT, INSERT ON records, heads TO {role}",
    "GRANT SELECT, INSERT, DELETE ON data_keys TO {role}",
    "GRANT SELECT ON segments, alembic_version TO {role}",
    "GRANT SELECT, UPDATE ON alive TO {role}",
    "GRANT SELECT, INSERT, DELETE ON used_tokens TO {role}",
)
"""What the service's PostgreSQL role may do, and no more."""
