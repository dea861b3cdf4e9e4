"""Alembic's environment: migrations run on the connection that serving.audit.database hands over."""

from __future__ import annotations

from alembic import context

if hasattr(context, "config"):  # alembic runs this file; anyone may import it
    context.configure(connection=context.config.attributes["connection"])
    with context.begin_transaction():
        context.run_migrations()
