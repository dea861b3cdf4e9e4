"""API keys: 256 random bits shown once, kept as HMAC-SHA-256 under a server key, compared in constant time.

The folder of keys (``$ORP_KEYS``, default ``./keys``) holds ``server.key`` (32 bytes as hex) and ``api_keys.json``,
both readable by their owner alone. Who copies ``api_keys.json`` has no key: without ``server.key`` it tells nothing.
A key that is revoked stays in the file with its day, so that the audit log's names keep their meaning.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import secrets
import stat
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from serving.security.refusals import KeyFileRefused, NoSuchKey, Unauthenticated
from serving.security.routes import Caller, Role, read_roles

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

PREFIX = "orp"
"""First part of every key, so that scanners of leaked secrets can be told what to look for."""

KEY_BYTES = 32
"""256 bits."""

FILE, SERVER_KEY = "api_keys.json", "server.key"
FORMAT = 1

_WRITTEN = re.compile(PREFIX + r"_([0-9a-f]{8})_([A-Za-z0-9_-]{43})")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


@dataclass(frozen=True, slots=True)
class ApiKey:
    """One key as it is stored: never the key itself.

    Attributes
    ----------
    identity
        Eight hex digits, the second part of the key: says which digest to compare with.
    digest
        HMAC-SHA-256 of the whole key under the server key, hex.
    created, revoked
        ISO 8601, UTC; ``revoked`` is empty for a key that opens.
    """

    name: str
    identity: str
    roles: tuple[Role, ...]
    digest: str
    created: str
    revoked: str = ""


def private_text(path: Path) -> str:
    """Return the text of a file that nobody but its owner may read.

    Raises
    ------
    KeyFileRefused
        When group or others have any right to it.
    """
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise KeyFileRefused(
            f"{path.name} can be read or changed by others than its owner", way_out=f"Run `chmod 600 {path}`."
        )
    return path.read_text(encoding="utf-8")


def write_private(path: Path, text: str) -> None:
    """Replace a file at once by one that only its owner may read, on disk before this returns."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = path.with_name(f"{path.name}.{secrets.token_hex(4)}.new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def server_key(folder: Path) -> bytes:
    """Return the server key of a folder, made there when there is none.

    Raises
    ------
    KeyFileRefused
        When others can read it, or it is not 32 bytes as hex.
    """
    path = folder / SERVER_KEY
    if not path.exists():
        write_private(path, secrets.token_hex(KEY_BYTES) + "\n")
    try:
        found = bytes.fromhex(private_text(path).strip())
    except ValueError:
        found = b""
    if len(found) != KEY_BYTES:
        raise KeyFileRefused(f"{path.name} is not {KEY_BYTES} bytes as hex")
    return found


class ApiKeys:
    """The keys of one folder; a change of the file, such as a revocation, counts from the next request on.

    Parameters
    ----------
    folder
        Of ``api_keys.json`` and ``server.key``; need not exist.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self._folder = folder
        self._seen: tuple[int, int, int] | None = None
        self._keys: dict[str, ApiKey] = {}
        self._server_key = b""

    def every(self) -> list[ApiKey]:
        """Return all keys, revoked ones too, in the order they were added."""
        return list(self._current().values())

    def active(self) -> list[ApiKey]:
        """Return the keys that open."""
        return [key for key in self.every() if not key.revoked]

    def add(self, name: str, roles: Iterable[str]) -> str:
        """Add a key and return it; it can never be shown again.

        Raises
        ------
        KeyFileRefused
            When the name is not a name, or an active key has it.
        UnknownRole
            When a role is none.
        """
        if not _NAME.fullmatch(name):
            raise KeyFileRefused("a key's name is letters, digits, dots and hyphens, at most 63", field="name")
        if any(key.name == name for key in self.active()):
            raise KeyFileRefused(f"there is an active key {name!r}", way_out="Revoke it first, or take another name.")
        known = tuple(sorted(read_roles(roles)))
        if not known:
            raise KeyFileRefused("a key without a role opens nothing", way_out="Give --role predict.")
        identity = secrets.token_hex(4)
        written = f"{PREFIX}_{identity}_{secrets.token_urlsafe(KEY_BYTES)}"
        key = ApiKey(name, identity, known, self._digest(written), _now())
        self._store([*self.every(), key])
        return written

    def revoke(self, name: str) -> ApiKey:
        """Revoke the active key of a name.

        Raises
        ------
        NoSuchKey
            When there is none.
        """
        found = next((key for key in self.active() if key.name == name), None)
        if found is None:
            raise NoSuchKey(f"there is no active key {name[:63]!r}", allowed=[key.name for key in self.active()])
        gone = replace(found, revoked=_now())
        self._store([gone if key is found else key for key in self.every()])
        return gone

    def caller(self, written: str) -> Caller:
        """Return whose key this is.

        Raises
        ------
        Unauthenticated
            When it is nobody's, or was revoked. The time this takes does not depend on how much of it is right.
        """
        read = _WRITTEN.fullmatch(written)
        known = self._current()
        if not known:  # no digest to compare with; a server key is not made for a guess
            raise Unauthenticated(cause="unknown_key")
        key = known.get(read[1]) if read else None
        right = hmac.compare_digest(self._digest(written), key.digest if key else "0" * 64)
        if key is None or not right:
            raise Unauthenticated(cause="unknown_key")
        if key.revoked:
            raise Unauthenticated("this key was revoked", cause="revoked_key")
        return Caller(f"key:{key.name}", frozenset(key.roles), "key", key_identity=key.identity)

    def opens(self, identity: str) -> bool:
        """Tell whether the key of an identity is active: what a session that it opened is checked against."""
        key = self._current().get(identity)
        return key is not None and not key.revoked

    def _digest(self, written: str) -> str:
        self._server_key = self._server_key or server_key(self._folder)
        return hmac.new(self._server_key, written.encode(), hashlib.sha256).hexdigest()

    def _store(self, keys: list[ApiKey]) -> None:
        write_private(self._path, json.dumps({"format": FORMAT, "keys": [asdict(key) for key in keys]}, indent=1))

    def _current(self) -> dict[str, ApiKey]:
        try:
            found = self._path.stat()
        except FileNotFoundError:
            self._seen, self._keys = None, {}
            return self._keys
        seen = (found.st_mtime_ns, found.st_size, found.st_ino)
        if seen != self._seen:
            self._keys = {key.identity: key for key in _read(private_text(self._path))}
            self._seen = seen
        return self._keys


def _read(text: str) -> list[ApiKey]:
    try:
        stored: dict[str, Any] = json.loads(text)
        if stored["format"] != FORMAT:
            raise KeyFileRefused(f"{FILE} has another format than {FORMAT}")
        return [ApiKey(**{**key, "roles": tuple(sorted(read_roles(key["roles"])))}) for key in stored["keys"]]
    except (ValueError, KeyError, TypeError) as error:
        raise KeyFileRefused(f"{FILE} cannot be read ({type(error).__name__})") from None


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
