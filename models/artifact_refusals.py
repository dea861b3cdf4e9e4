"""Why an artefact is not loaded: one class per cause; nothing is answered by an artefact that fails one of them.

::

    ArtifactRefusal
    |- NotAnArtifact        the folder has no manifest.json that can be read
    |- UnknownFormat        written by another version of the format
    |- DigestDiffers        the manifest is not the one that the pointer names
    |- SignatureMissing     a public key is configured, and there is no manifest.sig
    |- SignatureInvalid     manifest.sig was not made with that key over this manifest
    |- FileMissing          a file that the manifest lists is not there
    |- FileUnexpected       a file that the manifest does not list is there
    |- FileDiffers          a file's bytes are not those the manifest lists
    `- SelfTestFailed       the self-test's answers are not those that were stored
"""

from __future__ import annotations

from features.errors import Refusal


class ArtifactRefusal(Refusal):
    """An artefact cannot be used."""

    code = "artifact_refused"
    exit_code = 3
    http_status = 503


class NotAnArtifact(ArtifactRefusal):
    """No manifest, or one that is not readable JSON."""

    code = "not_an_artifact"


class UnknownFormat(ArtifactRefusal):
    """Another format version than this code reads."""

    code = "artifact_format"


class DigestDiffers(ArtifactRefusal):
    """The manifest's digest is not the one that was asked for."""

    code = "artifact_digest"


class SignatureMissing(ArtifactRefusal):
    """A key is configured and the artefact is not signed."""

    code = "artifact_unsigned"


class SignatureInvalid(ArtifactRefusal):
    """The signature does not belong to this manifest and key."""

    code = "artifact_signature"


class FileMissing(ArtifactRefusal):
    """A listed file is not there."""

    code = "artifact_file_missing"


class FileUnexpected(ArtifactRefusal):
    """A file is there that is not listed."""

    code = "artifact_file_unexpected"


class FileDiffers(ArtifactRefusal):
    """A listed file has other bytes."""

    code = "artifact_file_differs"


class SelfTestFailed(ArtifactRefusal):
    """Re-scoring the self-test gave other answers: other libraries, another machine type, or other vocabularies."""

    code = "artifact_self_test"
