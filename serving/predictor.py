"""Predictor: the loaded models of every family, and the one path from cases to answers for HTTP and terminal."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from models.answer import answer_of
from models.artifact import load
from models.pointer import read_pointers

from features.errors import Refusal
from features.from_cases import batch_of
from features.regimens import regimen
from serving.errors import NoModelForTherapy, error_body
from serving.served_models import NoServedModels, SyntheticRefused

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from models.pointer import Pointer
    from models.response import ResponseModel

    from features.batch import Batch
    from features.case import Case


@dataclass(frozen=True)
class Served:
    """A loaded model and the pointer it was loaded by."""

    model: ResponseModel
    pointer: Pointer


class Predictor:
    """Answers cases with the model of their therapy's family.

    Parameters
    ----------
    by_family
        ``checkpoint`` and ``targeted`` to the served model.
    """

    def __init__(self, by_family: dict[str, Served]) -> None:
        self.by_family = by_family

    @classmethod
    def from_folder(cls, folder: Path, synthetic: bool) -> Predictor:
        """Load every promoted model of a folder; self-tests are re-scored while loading.

        Raises
        ------
        NoServedModels
            When nothing is promoted there.
        SyntheticRefused
            When a model was trained on synthetic cases and ``synthetic`` is False.
        """
        pointers = read_pointers(folder)
        if not pointers:
            raise NoServedModels(
                f"there is no promoted model in {folder}",
                way_out="Run `oncorespond promote NAME`, or name a folder with ORP_MODELS; `make demo` fills .demo/.",
            )
        served = [Served(load(pointer.artifact, digest=pointer.digest), pointer) for pointer in pointers]
        for one in served:
            if one.model.card["synthetic"] and not synthetic:
                raise SyntheticRefused(
                    f"{one.pointer.name} was trained on synthetic cases",
                    way_out="Serve it with `oncorespond serve --synthetic` if that is what you want.",
                )
        return cls({one.model.family: one for one in served})

    def describe(self) -> dict[str, Any]:
        """Return what is served: the ``model`` block of the answers, one per family."""
        return {"models": [one.model.provenance(one.pointer.version) for one in self.by_family.values()]}

    def served_for(self, case: Case) -> Served:
        """Return the model that judges a case's therapy.

        Raises
        ------
        NoModelForTherapy
            When no served model is of the therapy's family.
        """
        key = case_regimen(case)
        family = regimen(key).family
        if family not in self.by_family:
            raise NoModelForTherapy(
                f"no served model judges {key!r}, a regimen of the family {family!r}",
                field="therapy",
                allowed=[f"therapies of the {name} family" for name in self.by_family],
            )
        return self.by_family[family]

    def answers(self, cases: Sequence[Case]) -> list[dict[str, Any]]:
        """Return one answer per case, in order; cases of one family are scored together."""
        by_family: dict[str, list[int]] = {}
        for place, case in enumerate(cases):
            by_family.setdefault(self.served_for(case).model.family, []).append(place)
        answered: dict[int, dict[str, Any]] = {}
        for family, places in by_family.items():
            served = self.by_family[family]
            batch = batch_of([cases[place] for place in places])
            for row, answer in enumerate(answers_of(served, batch)):
                answered[places[row]] = answer
        return [answered[place] for place in range(len(cases))]

    def answers_or_errors(self, entries: Sequence[Case | Refusal]) -> list[dict[str, Any]]:
        """Return, for each entry of a batch, its answer or the error object of its refusal."""
        found: list[dict[str, Any] | None] = []
        answerable: list[Case] = []
        for entry in entries:
            refusal = entry if isinstance(entry, Refusal) else self._no_model(entry)
            found.append(error_body(refusal, "-") if refusal else None)
            if refusal is None and not isinstance(entry, Refusal):
                answerable.append(entry)
        answers = iter(self.answers(answerable))
        return [one if one is not None else next(answers) for one in found]

    def _no_model(self, case: Case) -> Refusal | None:
        try:
            self.served_for(case)
        except NoModelForTherapy as refusal:
            return refusal
        return None


def case_regimen(case: Case) -> str:
    """Return the regimen key of a case's therapy."""
    from features.batch import regimen_key

    return regimen_key(case.therapy.agents, case.therapy.regimen_class)


def answers_of(served: Served, batch: Batch) -> list[dict[str, Any]]:
    """Return the answers of a batch whose cases all belong to one model."""
    answers = served.model.answers(batch)
    return [
        {"prediction_id": str(uuid.uuid4()), **answer_of(answers, row, version=served.pointer.version)}
        for row in range(batch.n)
    ]


def content_id(text: str) -> str:
    """Return an identifier made of the content alone, for answers that must be the same bytes each time."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]
