"""Tokens that count once, remembered in the audit database: across workers, and across restarts.

A :class:`serving.security.tokens.OnceStore`. It is no part of the log; what has expired is deleted.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import sqlalchemy as sa

from serving.audit.database import unavailable
from serving.audit.tables import USED_TOKENS

if TYPE_CHECKING:
    from collections.abc import Callable

    from serving.audit.database import Database


@dataclass(frozen=True)
class UsedTokens:
    """Remembers which tokens were used."""

    database: Database
    clock: Callable[[], float] = time.time

    def claim(self, issuer: str, jti: str, expires_at: float) -> bool:
        """Return True the first time, and False ever after until ``expires_at`` (seconds since 1970) has passed.

        Raises
        ------
        AuditUnavailable
            When it cannot be remembered, so that the token must not be taken.
        """
        token = hashlib.sha256(f"{issuer}\0{jti}".encode()).hexdigest()
        with unavailable("written"), self.database.writing() as connection:
            connection.execute(sa.delete(USED_TOKENS).where(USED_TOKENS.c.expires <= self.clock()))
            known = connection.execute(sa.select(USED_TOKENS.c.token).where(USED_TOKENS.c.token == token)).first()
            if known is None:
                connection.execute(sa.insert(USED_TOKENS).values(token=token, expires=expires_at))
        return known is None
