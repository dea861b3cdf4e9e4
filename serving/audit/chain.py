"""The chain: each record's hash covers its number, its content and the hash before it; heads are signed.

``content = SHA-256(every column but seq, previous and hash; the ciphertext by its own SHA-256)`` and
``hash = SHA-256(seq, previous, content)``. A head says how many records there were and the last hash, at a time.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from cryptography.exceptions import InvalidSignature

from serving.audit.tables import RECORDS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    from serving.audit.keys import AuditKeys

GENESIS = hashlib.sha256(b"oncorespond audit log, version 1").hexdigest()
"""What the first record stands on."""

LINKS = ("seq", "previous", "hash")
CONTENT = tuple(column.name for column in RECORDS.columns if column.name not in (*LINKS, "payload"))


def content_hash(row: Mapping[str, Any]) -> str:
    """Return the hash of all that a record says, its place in the chain apart.

    Numbers are written by their shortest exact text, so that both databases give the same bytes back.
    """
    clear = json.dumps([row[name] for name in CONTENT], ensure_ascii=True, separators=(",", ":")).encode()
    return hashlib.sha256(clear + b"\0" + hashlib.sha256(row["payload"]).digest()).hexdigest()


def link_hash(seq: int, previous: str, content: str) -> str:
    """Return the hash of a record.

    Examples
    --------
    >>> link_hash(1, "a", "b") == link_hash(2, "a", "b")
    False
    """
    return hashlib.sha256(f"{seq}\0{previous}\0{content}".encode()).hexdigest()


@dataclass(frozen=True)
class Head:
    """What the log was at a time, signed.

    Attributes
    ----------
    count
        Number of the last record.
    hash
        Its hash.
    time
        UTC.
    key_id
        Id of the signing key.
    signature
        Ed25519 over the four others, base64.
    """

    count: int
    hash: str
    time: str
    key_id: str
    signature: str

    def message(self) -> bytes:
        """Return the bytes that are signed."""
        return signed_text(self.count, self.hash, self.time, self.key_id)

    def to_json(self) -> str:
        """Return the head as one line of a head file."""
        return json.dumps(asdict(self))

    def good(self, keys: Mapping[str, Ed25519PublicKey]) -> bool:
        """Return whether one of these keys signed this head."""
        return good_signature(keys, self.key_id, self.signature, self.message())


def signed_text(count: int, last_hash: str, time: str, key_id: str) -> bytes:
    """Return the bytes of a head that are signed."""
    return f"oncorespond audit head 1\n{count}\n{last_hash}\n{time}\n{key_id}".encode()


def sign_head(count: int, last_hash: str, time: str, keys: AuditKeys) -> Head:
    """Sign a head with the key in use."""
    key_id = keys.signing_id
    return Head(count, last_hash, time, key_id, sign(signed_text(count, last_hash, time, key_id), keys))


def sign(message: bytes, keys: AuditKeys) -> str:
    """Return a signature by the key in use, base64; AuditKeysRefused where there is none."""
    _ = keys.signing_id
    assert keys.signing is not None  # noqa: S101  # signing_id has refused
    return base64.b64encode(keys.signing.sign(message)).decode()


def good_signature(keys: Mapping[str, Ed25519PublicKey], key_id: str, signature: str, message: bytes) -> bool:
    """Return whether a signature is by the named one of these keys."""
    if key_id not in keys:
        return False
    try:
        keys[key_id].verify(base64.b64decode(signature, validate=True), message)
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True
