"""From what a user calls a model (``name@alias``, ``name/version``, a folder) to the loaded model.

Promoted models are found in the folder of :mod:`models.pointer`. A room above may add a registry of its own with
:func:`also_look_in`; the command line adds MLflow's, so that a model which was trained and not yet promoted has a name
too, while the service never asks anything but its folder.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from features.errors import Refusal, seen_text
from models.artifact import load_artifact
from models.manifest import MANIFEST
from models.pointer import promoted_names, read_pointer

if TYPE_CHECKING:
    from collections.abc import Callable

    from models.response import ResponseModel

_registries: list[Callable[[str, str], tuple[Path, str] | None]] = []
"""Each takes (name, alias or version) and gives (artefact folder, version), or None when it does not have it."""


class NoSuchModel(Refusal):
    """A model was named that neither the promoted folder nor a registry has."""

    code = "no_such_model"
    exit_code = 3


def also_look_in(registry: Callable[[str, str], tuple[Path, str] | None]) -> None:
    """Ask a registry for what is not promoted; it takes (name, alias or version) and gives (folder, version)."""
    if registry not in _registries:
        _registries.append(registry)


def load_named(name: str, models: Path) -> ResponseModel:
    """Load a model by what a user calls it; every check of :func:`models.artifact.load_artifact` runs.

    Parameters
    ----------
    name
        ``checkpoint-response@champion``, ``checkpoint-response/3``, or the folder of an artefact.
    models
        The folder of promoted models.

    Raises
    ------
    NoSuchModel
        When nothing has that name; the promoted names are listed.
    """
    folder = Path(name)
    if (folder / MANIFEST).is_file():
        return load_artifact(folder, version="unregistered")
    separator = "@" if "@" in name else "/"
    model, _, which = name.partition(separator)
    if model and which:
        found = _promoted(models, model, which, by_alias=separator == "@") or _registered(model, which)
        if found:
            artifact, version, digest = found
            return load_artifact(artifact, digest=digest, version=version)
    raise NoSuchModel(
        f"no model is called {seen_text(name)}",
        allowed=[f"{known}@champion" for known in promoted_names(models)],
        way_out="Give name@alias, name/version or the folder of an artefact; `oncorespond train` registers models.",
    )


def _promoted(models: Path, name: str, which: str, by_alias: bool) -> tuple[Path, str, str | None] | None:
    if name not in promoted_names(models):
        return None
    pointer = read_pointer(models, name)
    if which == (pointer.alias if by_alias else pointer.version):
        return models / pointer.folder, pointer.version, pointer.digest
    earlier = models / f"{name}-{which}"
    return (earlier, which, None) if not by_alias and (earlier / MANIFEST).is_file() else None


def _registered(name: str, which: str) -> tuple[Path, str, str | None] | None:
    for registry in _registries:
        found = registry(name, which)
        if found:
            return (*found, None)
    return None
