"""The tables of the audit log.

A test holds these shapes to those of the migrations, which also make the indexes: few, because each page that a commit
touches costs time in its fsync, and all but those of pseudonyms grow at their end alone.

``records`` holds one row per prediction, shadow answer, ranking, outcome, decision, review, feedback or erasure. Values
of a case are in ``payload`` (ciphertext) alone; the columns beside it are what pages filter and draw. ``data_keys``
holds the wrapped key of each payload, apart, so that a patient can be erased while the chain still verifies.
"""

from __future__ import annotations

import sqlalchemy as sa

from features.contract import GROUPS

METADATA = sa.MetaData()

SCHEMA_VERSION = 1
"""Of a record's content; a change that older code would misread makes it 2. Written into every record."""

RECORDS = sa.Table(
    "records",
    METADATA,
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
    sa.Column("case_ref", sa.Text),
    sa.Column("patient_ref", sa.Text),
    sa.Column("request_digest", sa.Text),
    sa.Column("model_name", sa.Text),
    sa.Column("model_version", sa.Text),
    sa.Column("model_digest", sa.Text),
    sa.Column("vocabulary", sa.Text),
    sa.Column("family", sa.Text),
    sa.Column("therapy_class", sa.Text),
    sa.Column("histology", sa.Text),
    sa.Column("lineage", sa.Text),
    sa.Column("status", sa.Text),
    sa.Column("reasons", sa.Text),
    sa.Column("warnings", sa.Text),
    sa.Column("probability", sa.Double),
    sa.Column("low", sa.Double),
    sa.Column("high", sa.Double),
    sa.Column("log_odds", sa.Double),
    sa.Column("base_log_odds", sa.Double),
    *(sa.Column(f"phi_{group}", sa.Double) for group in GROUPS),
    sa.Column("contributions", sa.Text),
    sa.Column("responded", sa.Integer),
    sa.Column("latency_ms", sa.Double),
    sa.Column("payload", sa.LargeBinary, nullable=False),
    sa.Column("previous", sa.Text, nullable=False),
    sa.Column("hash", sa.Text, nullable=False),
)
"""What stands in clear; docs/audit.md says who may read it.

``route`` is the pattern of the address that was asked. ``lineage`` is ``LUAD/NSCLC/LUNG`` and ``histology`` its first.
``phi_<group>`` are the log-odds of a group. ``reasons``, ``warnings`` (lists of codes) and ``contributions`` (feature
to log-odds) are JSON text. ``responded`` is 1 or 0 of an outcome. ``about`` is the prediction that a later record is
about, or the ranking that a prediction was listed in. Latency is in ms.
"""

DATA_KEYS = sa.Table(
    "data_keys",
    METADATA,
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("case_ref", sa.Text),
    sa.Column("patient_ref", sa.Text),
    sa.Column("key_id", sa.Text, nullable=False),
    sa.Column("wrapped", sa.LargeBinary, nullable=False),
)

HEADS = sa.Table(
    "heads",
    METADATA,
    sa.Column("count", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("hash", sa.Text, nullable=False),
    sa.Column("time", sa.Text, nullable=False),
    sa.Column("key_id", sa.Text, nullable=False),
    sa.Column("signature", sa.Text, nullable=False),
)
"""One row per group commit: how many records there were, the last hash, and its Ed25519 signature (base64)."""

SEGMENTS = sa.Table(
    "segments",
    METADATA,
    sa.Column("last_seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("first_seq", sa.BigInteger, nullable=False),
    sa.Column("last_hash", sa.Text, nullable=False),
    sa.Column("file", sa.Text, nullable=False),
    sa.Column("file_sha256", sa.Text, nullable=False),
    sa.Column("time", sa.Text, nullable=False),
    sa.Column("key_id", sa.Text, nullable=False),
    sa.Column("signature", sa.Text, nullable=False),
)
"""Sealed, archived stretches; only rows that one of them covers may be deleted from ``records``."""

ALIVE = sa.Table(
    "alive",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("time", sa.Text, nullable=False),
)
"""One row that is rewritten to find out whether the database takes writes again. Not part of the log."""

USED_TOKENS = sa.Table(
    "used_tokens",
    METADATA,
    sa.Column("token", sa.Text, primary_key=True),
    sa.Column("expires", sa.Double, nullable=False),
)
"""Hashes of tokens that count once, until they expire (seconds since 1970). Not part of the log."""
