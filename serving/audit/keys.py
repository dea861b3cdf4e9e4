"""The keys of the audit log: data keys that wrap, pseudonym keys, and the Ed25519 key that signs heads.

A folder, ``$ORP_KEYS`` (default ``./keys``), outside the database, 0700, its secret files 0600::

    data-1.key, data-2.key ...            32 bytes, base64: wrap the data key of each record (AES-256-GCM)
    pseudonym-1.key ...                   32 bytes, base64: HMAC-SHA-256 of case_id, patient_id and requests
    signing-1.pem, signing-1.pub.pem ...  Ed25519, PKCS8; the public half is what a verifier needs

The highest number is the one in use; older ones stay active for reading and look-up. A key's id is made from the key,
so a file may be renamed. ``ORP_DATA_KEY`` (base64 of 32 bytes) comes before the files.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
import secrets
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from serving.audit.refusals import AuditKeysRefused

if TYPE_CHECKING:
    from collections.abc import Mapping

KEYS_VARIABLE, DATA_KEY_VARIABLE = "ORP_KEYS", "ORP_DATA_KEY"
DEFAULT_FOLDER = "keys"
KEY_BYTES = 32
"""AES-256 and HMAC-SHA-256 keys."""
OPEN_TO_OTHERS = 0o077
"""Mode bits that a secret file may not have."""


@dataclass(frozen=True)
class AuditKeys:
    """Keys by id, the one in use first.

    Attributes
    ----------
    data, pseudonym
        Key id to 32 bytes.
    signing
        Private key that signs heads; None where only reading is done.
    verifying
        Key id to public key.
    """

    data: Mapping[str, bytes]
    pseudonym: Mapping[str, bytes]
    signing: Ed25519PrivateKey | None
    verifying: Mapping[str, Ed25519PublicKey]

    @cached_property
    def signing_id(self) -> str:
        """Id of the key that signs."""
        if self.signing is None:
            raise AuditKeysRefused("there is no signing key here", way_out="Run `oncorespond keys init`.")
        return public_id(self.signing.public_key())


def keys_folder(given: str | Path | None = None) -> Path:
    """Return the key folder: the one given, ``$ORP_KEYS``, or ``./keys``."""
    return Path(given or os.environ.get(KEYS_VARIABLE) or DEFAULT_FOLDER)


def key_id(key: bytes) -> str:
    """Return a key's id, which tells nothing of the key.

    Examples
    --------
    >>> key_id(bytes(32))
    '9b71daac'
    """
    return hashlib.sha256(b"oncorespond key id\0" + key).hexdigest()[:8]


def public_id(key: Ed25519PublicKey) -> str:
    """Return the id of a signing key, made from its public half."""
    return key_id(key.public_bytes(Encoding.Raw, PublicFormat.Raw))


def generate_keys(folder: Path) -> list[Path]:
    """Write what is missing of the three keys; return the files that were written. Existing keys are kept."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    absent = [kind for kind in ("data", "pseudonym") if not _numbered(folder, kind, "key")]
    written = [_write_secret(folder / f"{kind}-1.key", _encoded(secrets.token_bytes(KEY_BYTES))) for kind in absent]
    if not _numbered(folder, "signing", "pem"):
        written += _write_signing(folder, 1)
    return written


def rotate_key(folder: Path, kind: str) -> list[Path]:
    """Write the next ``data``, ``pseudonym`` or ``signing`` key; the earlier ones stay for reading and look-up."""
    suffixes = {"data": "key", "pseudonym": "key", "signing": "pem"}
    if kind not in suffixes:
        raise AuditKeysRefused(f"there is no kind of key {kind[:40]!r}", allowed=suffixes)
    present = _numbered(folder, kind, suffixes[kind])
    number = 1 + max((number for number, _ in present), default=0)
    if kind == "signing":
        return _write_signing(folder, number)
    return [_write_secret(folder / f"{kind}-{number}.key", _encoded(secrets.token_bytes(KEY_BYTES)))]


NO_KEYS = (
    "For a new log run `oncorespond keys init`; for one that is there name the folder of its keys with ORP_KEYS"
    " (or --keys): new keys open no old record."
)
"""The way out where a folder holds no keys."""


def load_keys(folder: Path) -> AuditKeys:
    """Load the keys of a folder.

    Raises
    ------
    AuditKeysRefused
        When a kind of key is absent, a file is not a key, or a secret file is open to group or others.
    """
    data = _secrets_of(folder, "data")
    if encoded := os.environ.get(DATA_KEY_VARIABLE):
        data = [_decoded(encoded, DATA_KEY_VARIABLE), *data]
    pseudonym = _secrets_of(folder, "pseudonym")
    private = [_private(path) for _, path in _numbered(folder, "signing", "pem")]
    for kind, found in (("data", data), ("pseudonym", pseudonym), ("signing", private)):
        if not found:
            raise AuditKeysRefused(f"there is no {kind} key in {folder.name}/", way_out=NO_KEYS)
    return AuditKeys(_by_id(data), _by_id(pseudonym), private[0], public_keys(folder))


def public_keys(folder: Path) -> dict[str, Ed25519PublicKey]:
    """Return the public signing keys of a folder by id; a verifier needs nothing else."""
    found = {}
    for _, path in _numbered(folder, "signing", "pub.pem"):
        try:
            key = load_pem_public_key(path.read_bytes())
        except ValueError:
            raise AuditKeysRefused("is not a PEM public key", record=path.name) from None
        if not isinstance(key, Ed25519PublicKey):
            raise AuditKeysRefused("is not an Ed25519 key", record=path.name)
        found[public_id(key)] = key
    return found


def _numbered(folder: Path, kind: str, suffix: str) -> list[tuple[int, Path]]:
    """Return (number, file) of a kind, the highest number first."""
    pattern = re.compile(rf"{kind}-(\d+)\.{re.escape(suffix)}")
    matches = [(pattern.fullmatch(path.name), path) for path in folder.glob(f"{kind}-*")]
    return sorted(((int(match[1]), path) for match, path in matches if match), reverse=True)


def _secrets_of(folder: Path, kind: str) -> list[bytes]:
    return [
        _decoded(_read_secret(path).decode("ascii", "replace"), path.name) for _, path in _numbered(folder, kind, "key")
    ]


def _read_secret(path: Path) -> bytes:
    if path.stat().st_mode & OPEN_TO_OTHERS:
        raise AuditKeysRefused("is open to group or others", record=path.name, way_out=f"chmod 600 {path.name}")
    return path.read_bytes()


def _private(path: Path) -> Ed25519PrivateKey:
    try:
        key = load_pem_private_key(_read_secret(path), password=None)
    except ValueError:
        raise AuditKeysRefused("is not a PEM private key", record=path.name) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise AuditKeysRefused("is not an Ed25519 key", record=path.name)
    return key


def _encoded(key: bytes) -> bytes:
    return base64.b64encode(key) + b"\n"


def _decoded(text: str, name: str) -> bytes:
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except binascii.Error:
        key = b""
    if len(key) != KEY_BYTES:
        raise AuditKeysRefused("is not base64 of 32 bytes", record=name)
    return key


def _by_id(found: list[bytes]) -> dict[str, bytes]:
    return {key_id(key): key for key in found}


def _write_signing(folder: Path, number: int) -> list[Path]:
    key = Ed25519PrivateKey.generate()
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    public = folder / f"signing-{number}.pub.pem"
    public.write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return [_write_secret(folder / f"signing-{number}.pem", secret), public]


def _write_secret(path: Path, content: bytes) -> Path:
    """Write a new file that only its owner can read, from its first byte on."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as target:
        target.write(content)
        target.flush()
        os.fsync(target.fileno())
    return path
