"""The manifest of an artefact: format, digests of every other file, library versions; and how it is checked."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from importlib.metadata import version as installed_version
from typing import TYPE_CHECKING, Any

from models.artifact_refusals import (
    DigestDiffers,
    FileDiffers,
    FileMissing,
    FileUnexpected,
    NotAnArtifact,
    SignatureInvalid,
    SignatureMissing,
    UnknownFormat,
)

if TYPE_CHECKING:
    from pathlib import Path

FORMAT = "oncorespond-artefact-2"
"""Format version; a change that older code would misread raises its number."""

MANIFEST, SIGNATURE = "manifest.json", "manifest.sig"
LIBRARIES = ("numpy", "scipy", "lightgbm", "scikit-learn")
"""Libraries whose versions can move a number; the self-test is what decides."""


def json_bytes(value: Any) -> bytes:
    r"""Return JSON whose floats keep every bit (shortest repr), keys in the order given, no NaN.

    Examples
    --------
    >>> json_bytes({"b": 0.1})
    b'{\n "b": 0.1\n}\n'
    """
    return (json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


def digest_of(content: bytes) -> str:
    """Return ``sha256:`` and the hexadecimal digest."""
    return "sha256:" + hashlib.sha256(content).hexdigest()


def write_manifest(folder: Path, name: str) -> str:
    """Write the manifest over every file of the folder; return its digest, which names the artefact."""
    listed = {path: digest_of((folder / path).read_bytes()) for path in files_in(folder)}
    libraries = {library: installed_version(library) for library in LIBRARIES}
    content = json_bytes({"format": FORMAT, "name": name, "files": listed, "libraries": libraries})
    (folder / MANIFEST).write_bytes(content)
    return digest_of(content)


def files_in(folder: Path) -> list[str]:
    """Return the files of an artefact, sorted, the manifest and its signature apart."""
    found = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if not path.is_dir())
    return sorted(path for path in found if path not in (MANIFEST, SIGNATURE))


def check_manifest(
    folder: Path, digest: str | None = None, public_key: bytes | None = None
) -> tuple[dict[str, Any], str]:
    """Check an artefact's bytes and return the manifest and its digest.

    Parameters
    ----------
    folder
        The artefact.
    digest
        What the pointer says the manifest's digest is; None when no pointer led here.
    public_key
        Ed25519 public key as PEM, when one is configured.

    Raises
    ------
    ArtifactRefusal
        By its subclasses: format, digest, signature, missing, unexpected or differing file, each by name.
    """
    content = _content(folder)
    found = digest_of(content)
    if digest is not None and found != digest:
        raise DigestDiffers(f"the manifest is {found}, the pointer names {digest}", record=folder.name)
    if public_key is not None:
        _check_signature(folder, content, public_key)
    manifest = _parsed(content, folder)
    _check_files(folder, manifest["files"])
    return manifest, found


def _content(folder: Path) -> bytes:
    try:
        return (folder / MANIFEST).read_bytes()
    except OSError:
        raise NotAnArtifact(f"there is no {MANIFEST}", record=folder.name) from None


def _parsed(content: bytes, folder: Path) -> dict[str, Any]:
    try:
        manifest = json.loads(content)
    except ValueError:
        raise NotAnArtifact(f"{MANIFEST} is not JSON", record=folder.name) from None
    seen = manifest.get("format") if isinstance(manifest, dict) else None
    if seen != FORMAT:
        raise UnknownFormat(
            f"the format is {seen!r}", record=folder.name, allowed=[FORMAT], way_out="Train it again with this version."
        )
    if not isinstance(manifest.get("files"), dict):
        raise NotAnArtifact(f"{MANIFEST} lists no files", record=folder.name)
    if not isinstance(manifest.get("name"), str):
        raise NotAnArtifact(f"{MANIFEST} names no model", record=folder.name)
    return dict(manifest)


def _check_files(folder: Path, listed: dict[str, str]) -> None:
    present = {path for path in files_in(folder) if (folder / path).is_file()}  # a link that leads nowhere is none
    if missing := sorted(set(listed) - present):
        raise FileMissing(f"{missing[0]} is listed and not there", record=folder.name, field=missing[0])
    if unexpected := sorted(present - set(listed)):
        raise FileUnexpected(f"{unexpected[0]} is there and not listed", record=folder.name, field=unexpected[0])
    for path, expected in sorted(listed.items()):
        if digest_of((folder / path).read_bytes()) != expected:
            raise FileDiffers(f"{path} has other bytes than the manifest lists", record=folder.name, field=path)


def sign(folder: Path, private_key: bytes) -> None:
    """Sign the manifest with an Ed25519 private key (PEM, without a password); writes ``manifest.sig``."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    key = load_pem_private_key(private_key, password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise SignatureInvalid("the private key is not an Ed25519 key")
    (folder / SIGNATURE).write_bytes(base64.b64encode(key.sign(_content(folder))) + b"\n")


def _check_signature(folder: Path, content: bytes, public_key: bytes) -> None:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    if not (folder / SIGNATURE).is_file():
        raise SignatureMissing(f"a public key is configured and there is no {SIGNATURE}", record=folder.name)
    key = load_pem_public_key(public_key)
    if not isinstance(key, Ed25519PublicKey):
        raise SignatureInvalid("the configured public key is not an Ed25519 key", record=folder.name)
    try:
        key.verify(base64.b64decode((folder / SIGNATURE).read_bytes().strip(), validate=True), content)
    except (InvalidSignature, binascii.Error):
        raise SignatureInvalid(f"{SIGNATURE} does not belong to this manifest and key", record=folder.name) from None
