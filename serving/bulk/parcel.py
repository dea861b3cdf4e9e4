"""A model on its way to another process: the bytes of its artefact, unpacked once there and checked as any artefact."""

from __future__ import annotations

import gc
import tempfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from models.artifact import load_artifact, save_artifact
from models.bulk_model import for_bulk

if TYPE_CHECKING:
    from models.response import ResponseModel
    from serving.bulk.columns import Contributions
    from serving.bulk.scoring import ScoredBlock
    from serving.bulk.sources import Block


@dataclass(frozen=True)
class Parcel:
    """A model's artefact as bytes, and how much is asked of it.

    Attributes
    ----------
    digest
        Of the artefact; the worker refuses another.
    files
        Path within the artefact, and content.
    contributions
        What is asked of the model.
    """

    digest: str
    files: tuple[tuple[str, bytes], ...]
    contributions: Contributions

    @classmethod
    def of(cls, model: ResponseModel, contributions: Contributions) -> Parcel:
        """Pack a model; the same model gives the same bytes."""
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place) / "artifact"
            saved = save_artifact(model, folder)
            paths = sorted(path for path in folder.rglob("*") if path.is_file())
            files = tuple((path.relative_to(folder).as_posix(), path.read_bytes()) for path in paths)
        return cls(saved.identity.digest, files, contributions)

    def model(self) -> ResponseModel:
        """Return the model as bulk scoring uses it, loaded once in each process."""
        return _loaded(self)

    def __hash__(self) -> int:
        return hash((self.digest, self.contributions))


@lru_cache(maxsize=2)
def _loaded(parcel: Parcel) -> ResponseModel:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / "artifact"
        for name, content in parcel.files:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        model = for_bulk(load_artifact(folder, digest=parcel.digest), parcel.contributions != "none")
    gc.collect()
    gc.freeze()  # vocabularies and model stay: the collector need not walk them again with every block
    return model


def score_parcel(block: Block, parcel: Parcel) -> ScoredBlock:
    """Score a block with a parcelled model: what travels to other processes and machines."""
    from serving.bulk.scoring import score_block

    return score_block(block, parcel.model(), parcel.contributions)
