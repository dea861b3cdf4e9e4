"""Fitting and judging on published arms alone: the evidence and its calibration, each trial family left out.

An arm is one or several readings, each a case; readings carry their share of the arm's patients. The calibrator learns
from the evidence as it is *without* the arm's own trial family, and so does the judgement: the evidence a family is
judged with never saw it, nor did the calibrator of its fold.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from features.from_cases import batch_of
from features.table import FeatureTable
from models.calibration import fit_calibration
from models.described import DescribedGroups
from models.inputs import logistic
from models.response_fit import fit_response
from training.evidence_for import arms_of
from training.judged import MODEL, Forecast, Scene

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from features.batch import Batch
    from features.sources.published_arms import Arm
    from models.evidence import EvidenceTerm
    from models.response import ResponseModel
    from models.settings import ResponseSettings
    from training.judged import FloatArray

MOST_PATIENTS = 300
"""Patients of one arm that count (design: issue 4): a phase 3 trial must not outvote everything else."""


@dataclass(frozen=True, eq=False)
class ArmCases:
    """Arms as cases.

    Attributes
    ----------
    arms
        Those that are fitted and judged on, in file order.
    reading
        Shape (m,): the arm each reading belongs to, an index into ``arms``.
    share
        Shape (m,): the reading's share of its arm; shares of an arm add up to one.
    """

    arms: tuple[Arm, ...]
    reading: Any
    share: FloatArray

    @classmethod
    def of(cls, arms: Sequence[Arm]) -> ArmCases:
        """Lay arms out; those that may not be judged are passed over (:attr:`Arm.judged`)."""
        held = tuple(arm for arm in arms if arm.judged)
        reading = [i for i, arm in enumerate(held) for _ in arm.readings]
        share = [weight for arm in held for weight, _ in arm.readings]
        return cls(held, np.array(reading, dtype=np.int64), np.array(share, dtype=np.float64))

    @cached_property
    def batch(self) -> Batch:
        """Every reading as a case."""
        return batch_of([case for arm in self.arms for _, case in arm.readings])

    @cached_property
    def treated(self) -> FloatArray:
        """Patients that count, shape (arms,): at most :data:`MOST_PATIENTS`."""
        return np.minimum([float(arm.treated or 0) for arm in self.arms], MOST_PATIENTS)

    @cached_property
    def rate(self) -> FloatArray:
        """Observed response rate, shape (arms,)."""
        return np.array([float(arm.responders or 0) / float(arm.treated or 1) for arm in self.arms])

    @cached_property
    def families(self) -> list[str]:
        """Trial family of each arm."""
        return [arm.trial_family for arm in self.arms]

    def of_arm(self, probability: FloatArray) -> FloatArray:
        """Return the probability of each arm from those of its readings."""
        summed = np.bincount(self.reading, weights=self.share * probability, minlength=len(self.arms))
        return np.asarray(summed, dtype=np.float64)


def left_family_out(cases: ArmCases, term: EvidenceTerm, each: Callable[[str], None] | None = None) -> FloatArray:
    """Return the evidence of each reading from a fit without its trial family, log-odds, shape (m,).

    The variances of the pools are those of all arms (a dozen numbers); the coefficients are refitted for every family.
    """
    family = np.array(cases.families)[cases.reading]
    found = np.full(len(family), np.nan)
    arms = arms_of(term.family)
    for name in dict.fromkeys(cases.families):
        rows = family == name
        without = type(term).fit(arms, drop_families=(name,), variances=term.variances)
        found[rows] = without.evaluate(cases.batch).log_odds[rows]
        if each is not None:
            each(name)
    return found


def described_groups(cases: ArmCases, term: EvidenceTerm) -> DescribedGroups:
    """Return arms as rows of a fit on patients, each with the evidence as it is without its own trial family."""
    return DescribedGroups(
        cases.batch,
        cases.rate[cases.reading],
        np.maximum(cases.share * cases.treated[cases.reading], 1e-9),
        [f"trial {cases.families[i]}" for i in cases.reading.tolist()],
        left_family_out(cases, term),
    )


def fit_on_arms(
    cases: ArmCases,
    term: EvidenceTerm,
    held_out: FloatArray,
    settings: ResponseSettings,
    card: Mapping[str, Any],
    family: str,
) -> tuple[ResponseModel, FloatArray]:
    """Fit the calibration of the evidence on arms; return the model and its forecast of each arm, left family out."""
    table = FeatureTable.for_family(family).fit(cases.batch)
    fitted = fit_response(
        cases.batch,
        cases.rate[cases.reading],
        [cases.families[i] for i in cases.reading.tolist()],
        table=table,
        evidence=term,
        settings=settings,
        card=card,
        weight=np.maximum(cases.share * cases.treated[cases.reading], 1e-9),
        held_out_evidence=held_out,
    )
    return fitted.model, cases.of_arm(_calibrated_elsewhere(cases, fitted.out_of_fold, settings))


def _calibrated_elsewhere(cases: ArmCases, z: FloatArray, settings: ResponseSettings) -> FloatArray:
    """Return the probability of each reading from a calibrator that never saw its trial family."""
    family = np.array(cases.families)[cases.reading]
    y, weight = cases.rate[cases.reading], cases.share * cases.treated[cases.reading]
    found = np.empty_like(z)
    for name in dict.fromkeys(cases.families):
        held = family == name
        calibration = fit_calibration(z[~held], y[~held], weight[~held], settings.calibration)
        found[held] = logistic(calibration.log_odds(z[held]))
    return found


def arms_scene(cases: ArmCases, forecast: FloatArray, name: str) -> Scene:
    """Return arms as a scene: an arm is two weighted rows, its responders and the others; families are drawn whole."""
    counted = cases.treated
    twice = np.repeat(np.arange(len(cases.arms)), 2)
    outcome = np.tile([1.0, 0.0], len(cases.arms))
    weight = np.where(outcome == 1, counted[twice] * cases.rate[twice], counted[twice] * (1 - cases.rate[twice]))
    tissue = np.array([arm.readings[0][1].histology for arm in cases.arms])
    rate = class_average(cases)
    forecasts = (Forecast(MODEL, forecast[twice][None, :]), Forecast("class_average", rate[twice][None, :]))
    patients = np.array(cases.families)[twice]
    answered = np.ones(len(twice), dtype=np.bool_)
    return Scene("left family out", name, outcome, patients, tissue[twice], answered, forecasts, weight=weight)


def class_average(cases: ArmCases) -> FloatArray:
    """Return the response rate of the arm's target in other families; of all other families where it has none."""
    kinds = np.array([arm.printed["target"] for arm in cases.arms])
    family = np.array(cases.families)
    found = np.empty(len(kinds))
    for i in range(len(kinds)):
        others = family != family[i]
        alike = others & (kinds == kinds[i])
        rows = alike if alike.any() else others
        found[i] = np.average(cases.rate[rows], weights=cases.treated[rows])
    return found
