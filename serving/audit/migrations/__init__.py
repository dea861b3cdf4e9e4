"""Alembic migrations of the audit database, shipped with the package; run by serving.audit.database."""
