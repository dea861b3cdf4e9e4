"""The response model: the one equation, its interval, its applicability, and answers for many cases at once.

z = w * evidence(case) + linear(case) + boosted(case);    log-odds(response) = a * z + b
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from features.batch import MOST_KEPT
from models.applicability import blood_negative, scoring_inputs_known
from models.explanation import SMALLEST_SIGN_WARNING
from models.inputs import EvidenceInputs, Inputs
from models.scores import Scores, gathering, score

if TYPE_CHECKING:
    from collections.abc import Mapping

    from features.batch import Batch
    from features.contract import Group
    from models.applicability import Applicability
    from models.calibration import AffineCalibration
    from models.inputs import BoolArray, FloatArray, IntArray, TableLike
    from models.interval import IntervalVariance
    from models.terms import Terms

EVIDENCE = "evidence"
"""Name of the evidence's contribution and of its group."""


class EvidenceLike(Protocol):
    """What the models ask of the evidence term; :class:`models.evidence.EvidenceTerm` is the one that is served."""

    def evaluate(self, batch: Batch) -> Any:
        """Return log-odds, variance, parts and what is covered, per case."""
        ...

    def nearest_arms(self, batch: Batch, row: int, k: int = 5) -> list[dict[str, Any]]:
        """Return the arms that the evidence of one case leans on."""
        ...

    def to_json(self) -> dict[str, Any]:
        """Return the stored form."""
        ...


@dataclass(frozen=True)
class Identity:
    """Which model answers: its name and version, and the digest of its artefact (empty before it is stored)."""

    name: str
    version: str = ""
    digest: str = ""


@dataclass(frozen=True, eq=False)
class ResponseModel:
    """A fitted model of one family.

    Attributes
    ----------
    table, evidence
        Feature table and evidence term; the evidence is None when the experiment switched it off.
    terms, calibration, interval, applicability
        The parts of the equation, and when it may be used.
    card
        JSON-ready: name, endpoint, trained_on, synthetic, vocabulary ... and whatever training adds.
    """

    table: TableLike
    evidence: EvidenceLike | None
    terms: Terms
    calibration: AffineCalibration
    interval: IntervalVariance
    applicability: Applicability
    card: Mapping[str, Any]
    identity: Identity = field(default_factory=lambda: Identity("unnamed"))

    @property
    def family(self) -> str:
        """``checkpoint`` or ``targeted``."""
        return self.table.family

    @cached_property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the contributions, evidence first where there is evidence."""
        first = (EVIDENCE,) if self.terms.evidence_weight is not None else ()
        return (*first, *(feature.name for feature in self.table.features))

    @cached_property
    def feature_groups(self) -> tuple[Group, ...]:
        """Group of each contribution."""
        first: tuple[Group, ...] = ("evidence",) if self.terms.evidence_weight is not None else ()
        return (*first, *(feature.group for feature in self.table.features))

    @cached_property
    def _sums(self) -> FloatArray:
        return gathering(self.table.features, len(self.table.columns))

    @cached_property
    def key_places(self) -> list[int]:
        """Columns of the key inputs; NaN there means unknown."""
        return self.applicability.key_places(self.table.features, self.table.columns)

    @cached_property
    def against_biology(self) -> IntArray:
        """Columns whose linear coefficient has the sign that the contract denies."""
        linear = self.terms.linear
        if linear is None:
            return np.zeros(0, dtype=np.int64)
        signs = np.array([column.expected_sign for column in self.table.columns])
        return np.flatnonzero(signs * linear.coefficients < 0)

    @cached_property
    def declared_signs(self) -> Mapping[str, int]:
        """By feature, the one sign that biology declares of its columns; features without one are not in it."""
        signs: dict[str, set[int]] = {}
        for column in self.table.columns:
            if column.expected_sign:
                signs.setdefault(column.feature, set()).add(column.expected_sign)
        return {feature: found.pop() for feature, found in signs.items() if len(found) == 1}

    def inputs(self, batch: Batch) -> Inputs:
        """Return what the terms read of a batch."""
        evidence = None
        if self.evidence is not None and self.terms.evidence_weight is not None:
            evidence = evidence_inputs(self.evidence, batch)
        return Inputs(self.table.matrix(batch), evidence, *self.applicability.lineage_support(batch))

    def score(self, inputs: Inputs) -> Scores:
        """Score inputs and check that every sum is exact; see :func:`models.scores.score`."""
        return score(inputs, self.terms, self.calibration, self.interval, self._sums)

    def answers(self, batch: Batch, inputs: Inputs | None = None) -> Answers:
        """Answer every case of a batch, in its order.

        Parameters
        ----------
        batch
            The cases.
        inputs
            What the terms read of them, when it is at hand already.

        Raises
        ------
        DoesNotAddUp
            When base and contributions are not the log-odds; nothing is served then.
        """
        read = self.inputs(batch) if inputs is None else inputs
        scores = self.score(read)
        return Answers(self, batch, read, scores, _abstains(self, batch, read, scores))

    def recalibrated(self, calibration: AffineCalibration) -> ResponseModel:
        """Return the model with another calibration: another model, which has no version or digest yet.

        :func:`models.local_version.updated_on` says in the card, too, what local outcomes changed.
        """
        return replace(self, calibration=calibration, identity=Identity(self.identity.name))


@dataclass(frozen=True, eq=False)
class Answers:
    """Answers as arrays; :func:`models.answer.answer_of` puts one into words.

    ``scores`` holds numbers for abstained cases too, because reports score them; nothing that is served shows them.
    ``abstains`` maps each abstaining code to shape (n,).
    """

    model: ResponseModel
    batch: Batch
    inputs: Inputs
    scores: Scores
    abstains: Mapping[str, BoolArray]

    @property
    def n(self) -> int:
        """Number of cases."""
        return self.batch.n

    @cached_property
    def answered(self) -> BoolArray:
        """Shape (n,): True where the status is ``predicted``."""
        return np.asarray(~np.logical_or.reduce(list(self.abstains.values())), dtype=np.bool_)

    def near(self, row: int) -> tuple[Answers, int]:
        """Return few answers that hold one case's, and its row there; see :meth:`features.batch.Batch.near`."""
        return (self, row) if self.n <= MOST_KEPT else (self.only(row), 0)

    @cached_property
    def outside(self) -> tuple[BoolArray, BoolArray]:
        """Where a number is outside the training range, and where it is far outside; shape (n, p) each."""
        return self.model.applicability.outside(self.inputs.matrix)

    @cached_property
    def against_biology(self) -> BoolArray:
        """Where a column of :attr:`ResponseModel.against_biology` matters, shape (n, number of such columns)."""
        linear, places = self.model.terms.linear, self.model.against_biology
        if linear is None:
            return np.zeros((self.n, 0), dtype=np.bool_)
        here = self.model.calibration.a * linear.contributions(self.inputs.matrix)[:, places]
        return np.asarray(np.abs(here) >= SMALLEST_SIGN_WARNING, dtype=np.bool_)

    def only(self, row: int) -> Answers:
        """Return the answer of one case, as that of case 0."""
        if self.n == 1:
            return self
        here = slice(row, row + 1)
        return Answers(
            self.model,
            self.batch.only(row),
            self.inputs.take(np.array([row])),
            self.scores.only(row),
            {code: flags[here] for code, flags in self.abstains.items()},
        )

    def reason_codes(self, row: int) -> list[str]:
        """Return the codes for which one case is abstained; empty when it is predicted."""
        return [code for code, flags in self.abstains.items() if flags[row]]


def evidence_inputs(evidence: EvidenceLike, batch: Batch) -> EvidenceInputs:
    """Return the evidence of a batch as the terms read it, the between-trial variance added."""
    values = evidence.evaluate(batch)
    return EvidenceInputs(
        values.log_odds,
        values.variance + values.between_trial_variance,
        values.covered,
        values.names,
        values.parts,
    )


def _abstains(model: ResponseModel, batch: Batch, inputs: Inputs, scores: Scores) -> dict[str, BoolArray]:
    rules, settings = model.applicability, model.applicability.settings
    covered = np.zeros(batch.n, dtype=np.bool_) if inputs.evidence is None else inputs.evidence.covered
    _, of_tissue = rules.histology_support(batch)
    known = scoring_inputs_known(inputs, model.key_places).sum(axis=1)
    negative = settings.blood_negative == "abstain"
    return {
        "histology_too_few_cases": (of_tissue < settings.fewest_tissue_cases) & ~covered,
        "therapy_class_unknown": (rules.class_support(batch) < settings.fewest_class_cases) & ~covered,
        "key_inputs_missing": known < min(settings.fewest_key_inputs, len(model.key_places)),
        "outside_training_range": rules.far_outside(inputs.matrix),
        "interval_too_wide": scores.high - scores.low > settings.widest_interval,
        "blood_negative_for_driver": blood_negative(batch) if negative else np.zeros(batch.n, dtype=np.bool_),
    }
