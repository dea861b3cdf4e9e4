"""The pointer between training and serving: ``<name>.json`` in a folder of promoted artefacts.

Promotion copies the artefact to ``<name>-<version>/`` and then replaces ``<name>.json`` in one step, so a reader sees
the old model or the new one, whole. The service reads and watches only that folder.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from features.errors import Refusal, seen_text
from models.artifact import load_artifact
from models.manifest import MANIFEST, check_manifest, json_bytes

if TYPE_CHECKING:
    from models.response import ResponseModel

MODELS_VARIABLE = "ORP_MODELS"
DEFAULT_MODELS = "served-models"

CHALLENGERS = "challengers"
"""Folder within that of the promoted models: what answers in shadow."""

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class PromotionRefused(Refusal):
    """An artefact cannot be promoted as asked."""

    code = "promotion_refused"
    exit_code = 3


class NothingPromoted(Refusal):
    """No model of that name was promoted."""

    code = "nothing_promoted"
    exit_code = 3
    http_status = 503


@dataclass(frozen=True)
class Pointer:
    """What is served under a name.

    Attributes
    ----------
    name, version, digest
        The model, its registered version, and the digest of its manifest.
    folder
        Name of the folder beside the pointer.
    synthetic
        Trained on invented cases; copied from its card.
    alias
        ``champion``, ``challenger`` ...
    """

    name: str
    version: str
    digest: str
    folder: str
    synthetic: bool
    alias: str


def models_folder(given: str | Path | None = None) -> Path:
    """Return the folder of promoted models: the one given, ``$ORP_MODELS``, or ``./served-models``."""
    return Path(given or os.environ.get(MODELS_VARIABLE) or DEFAULT_MODELS)


def promote(artifact: Path, models: Path, name: str, version: str, alias: str = "champion") -> Pointer:
    """Copy an artefact among the promoted ones and point to it.

    Parameters
    ----------
    artifact
        A folder that :func:`models.artifact.save_artifact` wrote.
    models
        The folder of promoted models; made when it is not there.
    name, version
        Such as ``checkpoint-response`` and ``3``.

    Raises
    ------
    ArtifactRefusal
        When the artefact's files are not those of its manifest.
    PromotionRefused
        When name or version cannot be a file's name, or another artefact has that version already.
    """
    if not _NAME.fullmatch(name) or not _VERSION.fullmatch(version):
        raise PromotionRefused(f"{seen_text(name)} version {seen_text(version)} cannot name a folder")
    _, digest = check_manifest(artifact)
    synthetic = bool(json.loads((artifact / "card.json").read_bytes()).get("synthetic"))
    pointer = Pointer(name, version, digest, f"{name}-{version}", synthetic, alias)
    _copy(artifact, models, pointer)
    _replace(models / f"{name}.json", json_bytes(asdict(pointer)))
    return pointer


def _copy(artifact: Path, models: Path, pointer: Pointer) -> None:
    target, partial = models / pointer.folder, models / f".{pointer.folder}.partial"
    if (target / MANIFEST).is_file():
        if check_manifest(target)[1] != pointer.digest:
            raise PromotionRefused(
                f"{pointer.folder} is another artefact", record=str(pointer.name), way_out="Give it a new version."
            )
        return
    shutil.rmtree(partial, ignore_errors=True)
    shutil.copytree(artifact, partial)
    check_manifest(partial, pointer.digest)
    partial.replace(target)


def _replace(path: Path, content: bytes) -> None:
    """Replace a file in one step, on disk before it is seen."""
    partial = path.with_name(f".{path.name}.partial")
    with partial.open("wb") as target:
        target.write(content)
        target.flush()
        os.fsync(target.fileno())
    partial.replace(path)


def read_pointer(models: Path, name: str) -> Pointer:
    """Return what is promoted under a name.

    Raises
    ------
    NothingPromoted
        When there is no such pointer; the names that are there are listed.
    """
    path = models / f"{name}.json"
    if not _NAME.fullmatch(name) or not path.is_file():
        raise NothingPromoted(
            f"no model {seen_text(name)} is promoted",
            allowed=promoted_names(models),
            way_out="Run `oncorespond promote`.",
        )
    try:
        pointer = Pointer(**json.loads(path.read_bytes()))
    except (ValueError, TypeError):
        raise NothingPromoted(f"{path.name} is no pointer", record=name, way_out="Promote the model again.") from None
    if Path(pointer.folder).name != pointer.folder or pointer.folder in (".", ".."):
        raise NothingPromoted(f"{path.name} points outside its folder", record=name)
    return pointer


def promoted_names(models: Path) -> list[str]:
    """Return the names that are promoted, sorted."""
    return sorted(path.stem for path in models.glob("*.json") if not path.name.startswith("."))


def load_promoted(models: Path, name: str, public_key: bytes | None = None) -> ResponseModel:
    """Load what is promoted under a name, its digest checked against the pointer's."""
    pointer = read_pointer(models, name)
    return load_artifact(models / pointer.folder, digest=pointer.digest, version=pointer.version, public_key=public_key)
