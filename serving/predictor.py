"""Predictor: the loaded models of every family, and the one path from cases to answers for HTTP and terminal."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from features.batch import regimen_key
from features.errors import Refusal
from features.from_cases import batch_of
from features.regimens import regimen
from models.answer import answer_of, model_of
from serving.deadline import check_deadline
from serving.errors import NoModelForTherapy, error_body
from serving.identifiers import new_id
from serving.served_models import load_served
from serving.together import ScoredTogether

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from features.case import Case
    from models.response import Answers, ResponseModel


JUDGED_BY = {"mixed": "checkpoint"}
"""A checkpoint inhibitor with a targeted drug: the checkpoint model abstains unless it knows the class."""

BLOCK = 100
"""Cases scored between two looks at the request's deadline: about 0.2 s with their explanations."""


@dataclass(frozen=True, slots=True)
class Scored:
    """One answer, and where it came from.

    Attributes
    ----------
    answer
        From :func:`models.answer.answer_of`, with an id of its own.
    family
        Of the model that answered.
    answers, row
        The scored case, and its row there.
    """

    answer: dict[str, Any]
    family: str
    answers: Answers
    row: int


class Predictor:
    """Answers cases with the model of their therapy's family.

    Parameters
    ----------
    by_family
        ``checkpoint`` and ``targeted`` to the loaded model.
    """

    def __init__(self, by_family: dict[str, ResponseModel]) -> None:
        self.by_family = by_family
        self._together = {family: _together(model) for family, model in by_family.items()}

    @classmethod
    def from_folder(cls, folder: Path, synthetic: bool) -> Predictor:
        """Load every promoted model of a folder; self-tests are re-scored while loading.

        Raises
        ------
        Refusal
            As :func:`serving.served_models.load_served`.
        """
        return cls(load_served(folder, synthetic))

    def refuse_unjudged(self, cases: Sequence[Case]) -> None:
        """Refuse a list of therapies of which one has no model, naming its place in the list.

        Raises
        ------
        NoModelForTherapy
            With the field ``therapies[i]``.
        """
        for place, case in enumerate(cases):
            try:
                self.model_for(case)
            except NoModelForTherapy as refusal:
                refusal.field = f"therapies[{place}]"
                raise

    def describe(self) -> dict[str, Any]:
        """Return what is served: the ``model`` block of the answers, one per family."""
        return {"models": [{"family": name, **model_of(model)} for name, model in self.by_family.items()]}

    def model_for(self, case: Case) -> ResponseModel:
        """Return the model that judges a case's therapy.

        Raises
        ------
        NoModelForTherapy
            When no served model is of the therapy's family.
        """
        key = case_regimen(case)
        family = JUDGED_BY.get(regimen(key).family, regimen(key).family)
        if family not in self.by_family:
            raise NoModelForTherapy(
                f"no served model judges {key!r}, a regimen of the family {family!r}",
                field="therapy",
                allowed=[f"therapies of the {name} family" for name in self.by_family],
            )
        return self.by_family[family]

    def answers(self, cases: Sequence[Case]) -> list[dict[str, Any]]:
        """Return one answer per case, in order; cases of one family are scored together."""
        return [one.answer for one in self.scored(cases)]

    def scored(self, cases: Sequence[Case]) -> list[Scored]:
        """Return one answer per case, in order, with what it was made from; the deadline is looked at between blocks.

        Raises
        ------
        NoModelForTherapy, DeadlineExceeded
            422, 504.
        """
        by_family: dict[str, list[int]] = {}
        for place, case in enumerate(cases):
            by_family.setdefault(self.model_for(case).family, []).append(place)
        found: dict[int, Scored] = {}
        for family, places in by_family.items():
            for start in range(0, len(places), BLOCK):
                block = places[start : start + BLOCK]
                check_deadline()
                answers, first = self._together[family]([cases[place] for place in block])
                for row, place in enumerate(block, first):
                    found[place] = Scored(answer_of(answers, row, new_id()), family, answers, row)
        return [found[place] for place in range(len(cases))]

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
            self.model_for(case)
        except NoModelForTherapy as refusal:
            return refusal
        return None


def _together(model: ResponseModel) -> ScoredTogether:
    return ScoredTogether(lambda cases: model.answers(batch_of(cases)))


def case_regimen(case: Case) -> str:
    """Return the regimen key of a case's therapy."""
    return regimen_key(case.therapy.agents, case.therapy.regimen_class)


def content_id(text: str) -> str:
    """Return an identifier made of the content alone, for answers that must be the same bytes each time."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]
