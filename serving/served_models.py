"""Where the service finds its models: the promoted folder, and nothing else.

``$ORP_MODELS`` (default ``served-models`` in the working directory, else beside the code, as in a Bento) holds one
``<name>.json`` pointer and one artefact folder per promoted version; see :mod:`models.pointer`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from features.errors import Refusal
from models.pointer import load_promoted, promoted_names, read_pointer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from models.response import ResponseModel

FOLDER = "served-models"


class NoServedModels(Refusal):
    """The folder of promoted models is absent or empty."""

    code: ClassVar[str] = "no_served_models"


class SyntheticRefused(Refusal):
    """A model that was trained on synthetic cases is about to be served as if it were not."""

    code: ClassVar[str] = "synthetic_refused"


def models_folder() -> Path:
    """Return the folder of promoted models; it need not exist."""
    named = os.environ.get("ORP_MODELS")
    if named:
        return Path(named)
    here = Path(FOLDER)
    return here if here.is_dir() else Path(__file__).resolve().parent.parent / FOLDER


def synthetic_allowed() -> bool:
    """Return whether the operator said that synthetic models may be served (``--synthetic``)."""
    return os.environ.get("ORP_SYNTHETIC") == "1"


def load_served(folder: Path, synthetic: bool, kept: Iterable[ResponseModel] = ()) -> dict[str, ResponseModel]:
    """Load every promoted model of a folder, by family; self-tests are re-scored while loading.

    Parameters
    ----------
    folder
        With one pointer per promoted name.
    synthetic
        Whether models of synthetic cases may be served.
    kept
        Models loaded before: one whose name, version and digest a pointer still says is taken as it is.

    Raises
    ------
    NoServedModels
        When nothing is promoted there.
    SyntheticRefused
        When a model was trained on synthetic cases and ``synthetic`` is False.
    ArtifactRefusal, NothingPromoted
        When an artefact, or a pointer, is not usable.
    """
    names = promoted_names(folder)
    if not names:
        raise NoServedModels(
            f"there is no promoted model in {folder}",
            way_out="Run `oncorespond promote NAME`, or name a folder with ORP_MODELS; `make demo` fills .demo/.",
        )
    before = {(one.identity.version, one.identity.digest): one for one in kept}
    models = [_of_pointer(folder, name, before) for name in names]
    for model in models:
        if model.card["synthetic"] and not synthetic:
            raise SyntheticRefused(
                f"{model.identity.name} was trained on synthetic cases",
                way_out="Serve it with `oncorespond serve --synthetic` if that is what you want.",
            )
    return {model.family: model for model in models}


def _of_pointer(folder: Path, name: str, before: dict[tuple[str, str], ResponseModel]) -> ResponseModel:
    pointer = read_pointer(folder, name)
    return before.get((pointer.version, pointer.digest)) or load_promoted(folder, name)
