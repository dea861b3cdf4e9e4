"""What the audit log can refuse, one class per cause.

::

    Refusal
    |- AuditUnavailable      503  it cannot be written now; nothing was answered
    |- NoLogHere                  no log is where it was looked for
    |- UnknownExportFormat        a file to export to ends in no format that there is
    |- UnknownPrediction     404  no record has this id
    |- ErasedRecord          410  its key was destroyed when the patient was erased
    |- IdempotencyKeyReused  422  the same key came with another request
    |- AuditKeysRefused           key files are absent, open to others, or not keys
    |- SchemaOutdated             the database was made by another version
    `- AuditDamaged               the log is not what was written (exit status 3)
"""

from __future__ import annotations

from typing import ClassVar

from features.errors import Refusal


class AuditUnavailable(Refusal):
    """The audit log cannot be written or read now, so nothing is answered."""

    code: ClassVar[str] = "audit_unavailable"
    http_status = 503


class NoLogHere(Refusal):
    """No audit log is where it was looked for; looking makes none."""

    code: ClassVar[str] = "no_audit_log"


class UnknownExportFormat(Refusal):
    """The name of a file to export to ends in no format that an export has."""

    code: ClassVar[str] = "unknown_export_format"


class UnknownPrediction(Refusal):
    """No record of the log has this identifier."""

    code: ClassVar[str] = "unknown_prediction"
    http_status = 404


class ErasedRecord(Refusal):
    """The record's data key was destroyed; its clear columns and its place in the chain remain."""

    code: ClassVar[str] = "erased_record"
    http_status = 410


class IdempotencyKeyReused(Refusal):
    """The caller used this Idempotency-Key before, with another request."""

    code: ClassVar[str] = "idempotency_key_reused"


class AuditKeysRefused(Refusal):
    """The key files are absent, readable by others, or not keys."""

    code: ClassVar[str] = "audit_keys_refused"
    exit_code = 3
    http_status = 503


class SchemaOutdated(Refusal):
    """The audit database has another schema than this version writes."""

    code: ClassVar[str] = "audit_schema_outdated"
    exit_code = 3
    http_status = 503


class AuditDamaged(Refusal):
    """The log, or an archived segment of it, is not what was written."""

    code: ClassVar[str] = "audit_damaged"
    exit_code = 3
