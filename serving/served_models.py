"""Where the service finds its models: the promoted folder, and nothing else.

``$ORP_MODELS`` (default ``served-models`` in the working directory, else beside the code, as in a Bento) holds one
``<name>.json`` pointer and one artefact folder per promoted version; see :mod:`models.pointer`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import ClassVar

from features.errors import Refusal

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
