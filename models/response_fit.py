"""Fitting the whole: feature table, evidence, linear, boosted, calibrator, interval, applicability, in this order."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from features.batch import Coded
from features.errors import Refusal
from features.vocabulary import version as vocabulary_version
from models.applicability import Applicability, alike
from models.calibration import fit_calibration
from models.cross_fitting import CrossFit, Training, cross_fit
from models.described import joined
from models.folds import canonical_order, patient_folds
from models.inputs import Inputs
from models.interval_fit import fit_interval, variances_between
from models.response import Identity, ResponseModel, evidence_inputs
from models.terms import Terms

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from features.batch import Batch
    from models.between import BetweenGroups
    from models.described import DescribedGroups
    from models.inputs import FloatArray, IntArray, TableLike
    from models.response import EvidenceLike
    from models.settings import ResponseSettings


FEWEST_FOLDS, FEWEST_FOLDS_BOOSTED = 2, 3
"""A case is forecast by a fit without its fold; its boosters start from fits without one more (cross_fitting)."""


class CannotFit(Refusal):
    """Training cases that no model can be fitted to."""

    code = "cannot_fit"


@dataclass(frozen=True, eq=False)
class Fitted:
    """A fitted model and z out of fold, in the order the cases were given."""

    model: ResponseModel
    out_of_fold: FloatArray


def fit_response(
    batch: Batch,
    y: FloatArray,
    groups: Sequence[str],
    *,
    table: TableLike,
    evidence: EvidenceLike | None,
    settings: ResponseSettings,
    card: Mapping[str, Any],
    weight: FloatArray | None = None,
    held_out_evidence: FloatArray | None = None,
    described: DescribedGroups | None = None,
    sites: Sequence[str] | None = None,
) -> Fitted:
    """Fit a response model on cases with outcomes; the order of the cases makes no difference, bit for bit.

    Parameters
    ----------
    batch
        The training cases. A case without an outcome must be left out before.
    y
        Shape (n,): 1 objective response, 0 none; or a rate (responders of n) with ``weight`` n.
    groups
        Patient id of each case (trial family of each arm): never split over folds.
    table
        The fitted feature table (``FeatureTable.for_family(family).fit(batch)``).
    evidence
        The evidence term, fitted without the arms of these patients' own trials; None leaves it out.
    settings
        From the experiment file; a term that does not earn its place is switched off there.
    card
        ``name``, ``endpoint``, ``trained_on``, ``synthetic`` and whatever else the card says; JSON-ready.
    weight
        Shape (n,): how many cases each row stands for; 1 each when not given.
    held_out_evidence
        Shape (n,): see :class:`models.cross_fitting.Training`; for fits on published arms.
    described
        Published arms that are fitted on beside the patients; base and centring are over both, by weight. What the
        model abstains for is counted over the patients alone.
    sites
        Hospital or cohort of each case, for the variance between them; None where cases of any origin are alike
        (synthetic ones), and then the interval has no part for a new site.

    Raises
    ------
    CannotFit
        When shapes disagree, an outcome is not between 0 and 1, or there are fewer groups than folds.
    """
    counted = np.ones(batch.n) if weight is None else weight
    _check(batch, y, groups, counted, settings)
    rows = _rows(batch, y, groups, table, evidence if settings.evidence else None, counted, held_out_evidence)
    if described is not None:
        rows = _with_described(rows, described, table, evidence if settings.evidence else None)
    order = canonical_order(rows.groups, rows.y, rows.weight, rows.inputs.matrix)
    training = Training(
        inputs=rows.inputs.take(order),
        columns=table.columns,
        y=rows.y[order],
        weight=rows.weight[order],
        fold=patient_folds([rows.groups[i] for i in order.tolist()], rows.y[order], settings.folds, settings.seed),
        held_out_evidence=None if rows.held_out is None else rows.held_out[order],
        groupings={name: group[order] for name, group in _groupings(batch, sites, len(order)).items()},
    )
    fit = cross_fit(training, settings)
    terms = _terms(training, fit)
    between = variances_between(training, fit, terms, settings.interval)
    account = _account(training, fit, settings, y, counted, between)
    calibration = fit_calibration(fit.out_of_fold, training.y, training.weight, settings.calibration)
    model = ResponseModel(
        table=table,
        evidence=evidence if settings.evidence else None,
        terms=terms,
        calibration=replace(calibration, between_sites=between["site"].variance if sites is not None else 0.0),
        interval=fit_interval(training, fit, terms, table, settings.interval, between),
        applicability=Applicability.fit(batch, rows.inputs.matrix[: batch.n], table.columns, settings.applicability),
        card={
            "vocabulary": vocabulary_version(),
            **card,
            "fit": account,
        },
        identity=Identity(str(card["name"])),
    )
    back = np.empty(len(order))
    back[order] = fit.out_of_fold
    return Fitted(model, back[: batch.n])


@dataclass(frozen=True, eq=False)
class _Rows:
    """What is fitted on, patients first, in the order they were given."""

    inputs: Inputs
    y: FloatArray
    weight: FloatArray
    groups: list[str]
    held_out: FloatArray | None


def _rows(
    batch: Batch,
    y: FloatArray,
    groups: Sequence[str],
    table: TableLike,
    evidence: EvidenceLike | None,
    weight: FloatArray,
    held_out: FloatArray | None,
) -> _Rows:
    read = Inputs(table.matrix(batch), evidence_inputs(evidence, batch) if evidence else None)
    return _Rows(read, y, weight, list(groups), held_out)


def _with_described(
    patients: _Rows, described: DescribedGroups, table: TableLike, evidence: EvidenceLike | None
) -> _Rows:
    """Put described groups behind the patients; evidence as learned is without each group's own trial family."""
    batch = described.batch
    theirs = _rows(
        batch, described.rate, described.groups, table, evidence, described.weight, described.held_out_evidence
    )
    held_out = None
    if patients.inputs.evidence is not None:
        ours = patients.inputs.evidence.log_odds if patients.held_out is None else patients.held_out
        held_out = np.concatenate([ours, described.held_out_evidence])
    return _Rows(
        joined(patients.inputs, theirs.inputs),
        np.concatenate([patients.y, theirs.y]),
        np.concatenate([patients.weight, theirs.weight]),
        [*patients.groups, *theirs.groups],
        held_out,
    )


def _groupings(batch: Batch, sites: Sequence[str] | None, rows: int) -> dict[str, IntArray]:
    """Return the number of each row's histology, setting and site; described groups are of none."""
    found = {"histology": batch.texts["histology"], "setting": alike(batch)}
    if sites is not None:
        found["site"] = Coded.of(list(sites))
    numbers = {}
    for name, coded in found.items():
        rank = np.argsort(np.argsort(np.array(coded.levels, dtype=np.str_)))
        numbers[name] = np.full(rows, -1, dtype=np.int64)
        numbers[name][: batch.n] = np.append(rank, -1)[coded.codes]
    return numbers


def _check(batch: Batch, y: FloatArray, groups: Sequence[str], weight: FloatArray, settings: ResponseSettings) -> None:
    lengths = {"cases": batch.n, "outcomes": len(y), "patient ids": len(groups), "weights": len(weight)}
    if len(set(lengths.values())) != 1:
        raise CannotFit(f"the numbers of cases, outcomes, patient ids and weights differ: {lengths}")
    if not np.all((y >= 0) & (y <= 1)):
        raise CannotFit(
            f"{int(np.sum(~((y >= 0) & (y <= 1))))} outcomes are not between 0 and 1 (unknown ones included)",
            way_out="Leave cases without an outcome out, and count them.",
        )
    fewest = FEWEST_FOLDS_BOOSTED if settings.boosted.on else FEWEST_FOLDS
    if settings.folds < fewest:
        raise CannotFit(
            f"{settings.folds} folds are too few to fit out of fold",
            field="model.folds",
            allowed=[f"{fewest} or more"],
            way_out="Boosters start from fits without two folds at once; without them, two are enough.",
        )
    if len(set(groups)) < settings.folds:
        raise CannotFit(f"{len(set(groups))} patients cannot be split into {settings.folds} folds")


def _terms(training: Training, fit: CrossFit) -> Terms:
    evidence, intercept, weight = training.inputs.evidence, 0.0, None
    if evidence is not None:
        weight = 1.0 if fit.linear is None else fit.linear.evidence_weight
    if fit.linear is not None:
        intercept = fit.linear.intercept
    mean, part_means = 0.0, np.zeros(0)
    if evidence is not None:
        mean = float(np.average(evidence.log_odds, weights=training.weight))
        part_means = np.average(evidence.parts, axis=0, weights=training.weight)
    base = intercept + (weight or 0.0) * mean + (0.0 if fit.boosted is None else fit.boosted.mean)
    return Terms(base, weight, mean, part_means, None if fit.linear is None else fit.linear.term, fit.boosted)


def _account(
    training: Training,
    fit: CrossFit,
    settings: ResponseSettings,
    y: FloatArray,
    weight: FloatArray,
    between: Mapping[str, BetweenGroups],
) -> dict[str, Any]:
    """Return what the card says of the fit: counts, chosen numbers, settings, kind of SHAP."""
    linear = fit.linear
    return {
        "cases": float(weight.sum()),
        "responders": float(weight @ y),
        "described_groups": len(training.y) - len(y),
        "described_weight": float(training.weight.sum() - weight.sum()),
        "evidence_weight": None if linear is None else linear.evidence_weight,
        "penalty": None if linear is None else linear.term.penalty,
        "effective_parameters": None if linear is None else effective_parameters(training, fit),
        "boosters": 0 if fit.boosted is None else len(fit.boosted.texts),
        "between": {name: {"groups": one.groups, "sd": one.variance**0.5} for name, one in between.items()},
        "settings": settings.to_dict(),
        "explanation": {
            "evidence": "linear, centred on the training cases",
            "linear": "linear SHAP with independent features, centred on the training cases",
            "boosted": "path-dependent TreeSHAP, each column centred on the training cases",
        },
    }


def effective_parameters(training: Training, fit: CrossFit) -> float:
    """Return the effective degrees of freedom of the ridge: trace of X' W X times the penalised covariance."""
    if fit.linear is None:
        return 0.0
    root, term = fit.linear.covariance_root, fit.linear.term
    design = term.standardised(training.inputs.matrix)
    p = design.shape[1]
    odds = fit.linear.value(training.inputs.matrix, training.evidence)
    spread = training.weight / (2.0 + np.exp(odds) + np.exp(-odds))
    turned = design @ root[:p, :]
    level = np.average(turned, axis=0, weights=spread)
    return float(np.sum(spread[:, None] * (turned - level) ** 2)) + float(training.inputs.evidence is not None)
