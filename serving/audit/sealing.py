"""Pseudonyms and encryption: nothing that names a patient leaves this file in clear.

Pseudonyms are HMAC-SHA-256 under a key with an id (``9b71daac.3f...``), so that look-ups can try every active key.
A payload is compressed and encrypted with AES-256-GCM under a key of its own; that key is wrapped by the data key in
use, bound to the record and to its pseudonyms, and kept apart: without it the payload is noise.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from serving.audit.keys import KEY_BYTES
from serving.audit.refusals import AuditDamaged, AuditKeysRefused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from serving.audit.keys import AuditKeys

NONCE_BYTES = 12
"""AES-GCM's nonce, 96 bits, random; a payload key is used once, a wrapping key for far fewer than 2**32 records."""

PSEUDONYM_HEX = 32
"""Hexadecimal characters kept of an HMAC: 128 bits, no collision to be expected among 10**15 patients."""

COMPRESSION = 1
"""zlib level; an answer of 19 kB becomes 4 kB in a quarter of a millisecond."""


@dataclass(frozen=True)
class Sealed:
    """An encrypted payload and the wrapped key that opens it."""

    payload: bytes
    key_id: str
    wrapped: bytes


def pseudonym(keys: AuditKeys, domain: str, text: str | None) -> str | None:
    """Return the pseudonym of an id under the key in use; None for an id that is not given.

    Parameters
    ----------
    domain
        ``case``, ``patient``, ``request`` or ``once``: the same text in two domains gives unrelated pseudonyms.
    """
    if text is None:
        return None
    identity, key = next(iter(keys.pseudonym.items()))
    return _pseudonym(identity, key, domain, text)


def pseudonyms(keys: AuditKeys, domain: str, text: str) -> list[str]:
    """Return the pseudonyms of an id under every active key, the one in use first."""
    return [_pseudonym(identity, key, domain, text) for identity, key in keys.pseudonym.items()]


def _pseudonym(identity: str, key: bytes, domain: str, text: str) -> str:
    digest = hmac.digest(key, f"{domain}\0{text}".encode(), "sha256")
    return f"{identity}.{digest.hex()[:PSEUDONYM_HEX]}"


def seal(content: bytes, bound_to: bytes, keys: AuditKeys) -> Sealed:
    """Encrypt a payload under a new key, and wrap that key.

    Parameters
    ----------
    bound_to
        Identity of the record (:func:`binding`); the payload opens in no other place.
    """
    identity, wrapping = next(iter(keys.data.items()))
    key = secrets.token_bytes(KEY_BYTES)
    payload = _encrypt(key, zlib.compress(content, COMPRESSION), bound_to)
    return Sealed(payload, identity, _encrypt(wrapping, key, bound_to))


def binding(record_id: str, case_ref: str | None, patient_ref: str | None) -> bytes:
    """Return what a payload and its key are bound to."""
    return "\0".join((record_id, case_ref or "", patient_ref or "")).encode()


def unwrap(wrapped: bytes, key_id: str, bound_to: bytes, data_keys: Mapping[str, bytes]) -> bytes:
    """Return the key of a payload.

    Raises
    ------
    AuditKeysRefused
        When the data key that wrapped it is not at hand.
    AuditDamaged
        When the wrapped key is not what was written, or belongs to another record.
    """
    if key_id not in data_keys:
        raise AuditKeysRefused(f"data key {key_id[:16]} is not among the keys", allowed=data_keys)
    return _decrypt(data_keys[key_id], wrapped, bound_to, "its wrapped key")


def unseal(payload: bytes, key: bytes, bound_to: bytes) -> bytes:
    """Return the content of a payload; AuditDamaged when it is not what was written."""
    return zlib.decompress(_decrypt(key, payload, bound_to, "its payload"))


def sha256_hex(content: bytes) -> str:
    """Return the SHA-256 of some bytes, hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def _encrypt(key: bytes, content: bytes, bound_to: bytes) -> bytes:
    nonce = secrets.token_bytes(NONCE_BYTES)
    return nonce + AESGCM(key).encrypt(nonce, content, bound_to)


def _decrypt(key: bytes, sealed: bytes, bound_to: bytes, what: str) -> bytes:
    try:
        return AESGCM(key).decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], bound_to)
    except (InvalidTag, ValueError):
        raise AuditDamaged(f"{what} is not what was written") from None
