"""The log: records, wrapped keys, signed heads, sealed segments, and the triggers that keep them append-only."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from serving.audit.migrations.append_only import POSTGRESQL, SQLITE

revision = "0001"
down_revision = None

_TEXTS = (
    *("case_ref", "patient_ref", "request_digest", "model_name", "model_version", "model_digest", "vocabulary"),
    *("family", "therapy_class", "histology", "lineage", "status", "reasons", "warnings"),
)
_GROUPS = ("evidence", "histology", "alterations", "tmb", "mmr", "prior_lines", "therapy", "patient")
_NUMBERS = ("probability", "low", "high", "log_odds", "base_log_odds", *(f"phi_{group}" for group in _GROUPS))

_LISTED = ("kind", "seq", "status", "family", "therapy_class", "histology", "model_digest", "about", "probability")
"""What a page filters by and sorts by, in one narrow index that is walked from its end: every list is quick without
opening a row that it does not show, and a commit writes to its last page alone."""


def upgrade() -> None:
    """Make the tables of an empty database."""
    _records()
    _beside_the_records()
    for name in ("about", "once", "case_ref", "patient_ref"):
        given = sa.text(f"{name} IS NOT NULL")
        op.create_index(f"ix_records_{name}", "records", [name], sqlite_where=given, postgresql_where=given)
    op.create_index("ix_records_time", "records", ["time"])
    op.create_index("ix_records_listed", "records", list(_LISTED))
    op.execute("INSERT INTO alive (id, time) VALUES (1, '')")
    for statement in SQLITE if op.get_bind().dialect.name == "sqlite" else POSTGRESQL:
        op.execute(statement)


def _records() -> None:
    op.create_table(
        "records",
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("record_id", sa.Text, nullable=False, unique=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("about", sa.Text),
        sa.Column("time", sa.Text, nullable=False),
        sa.Column("schema_version", sa.Integer, nullable=False),
        sa.Column("caller", sa.Text, nullable=False),
        sa.Column("once", sa.Text),
        sa.Column("once_digest", sa.Text),
        sa.Column("place", sa.Integer, nullable=False),
        sa.Column("route", sa.Text),
        *(sa.Column(name, sa.Text) for name in _TEXTS),
        *(sa.Column(name, sa.Double) for name in _NUMBERS),
        sa.Column("contributions", sa.Text),
        sa.Column("responded", sa.Integer),
        sa.Column("latency_ms", sa.Double),
        sa.Column("payload", sa.LargeBinary, nullable=False),
        sa.Column("previous", sa.Text, nullable=False),
        sa.Column("hash", sa.Text, nullable=False),
    )


def _beside_the_records() -> None:
    op.create_table(
        "data_keys",
        sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("case_ref", sa.Text),
        sa.Column("patient_ref", sa.Text),
        sa.Column("key_id", sa.Text, nullable=False),
        sa.Column("wrapped", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "heads",
        sa.Column("count", sa.BigInteger, primary_key=True, autoincrement=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("hash", "time", "key_id", "signature")),
    )
    op.create_table(
        "segments",
        sa.Column("last_seq", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("first_seq", sa.BigInteger, nullable=False),
        *(
            sa.Column(name, sa.Text, nullable=False)
            for name in ("last_hash", "file", "file_sha256", "time", "key_id", "signature")
        ),
    )
    op.create_table(
        "alive",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("time", sa.Text, nullable=False),
    )
    op.create_table(
        "used_tokens",
        sa.Column("token", sa.Text, primary_key=True),
        sa.Column("expires", sa.Double, nullable=False),
    )
