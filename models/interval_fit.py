"""What the interval learns from the training cases: how much not knowing an input leaves open."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from models.interval import IntervalVariance
from models.linear_fit import missing_indicators
from models.scores import gathering

if TYPE_CHECKING:
    from collections.abc import Sequence

    from models.cross_fitting import CrossFit, Training
    from models.inputs import BoolArray, FloatArray, IntArray, TableLike
    from models.settings import IntervalSettings
    from models.terms import Terms

UNTESTED = "target_untested"
"""Column that says: whether the tumour has what the therapy is chosen by was not tested
(:mod:`features.alteration_columns`)."""

OF_THE_MATCH = ("alterations", "therapy")
"""Groups whose contributions depend on the match, beside the evidence."""

OF_EVIDENCE = {"prior_lines": ("line", "line x histology"), "same_class_before": ("prior therapy",)}
"""Parts of the evidence (:data:`features.evidence_terms.POOL_OF_KIND`) that are silent when a feature is not known."""

THERAPY_CLASS = "therapy_class"
"""Feature whose columns tell the classes of therapy apart."""


ALTERNATIVES = {
    **dict.fromkeys(("tmb_mut_per_mb", "tmb_within_histology", "tmb_exome_count", "tmb_blood_count"), 0.0),
    **dict.fromkeys(("pdl1_tps_percent", "pdl1_cps", "pdl1_ic_percent", "pdl1_tc_ic"), 1.0),
}
"""Features that measure the same thing, by the number of their set: a case with one of them lacks nothing."""


def fit_interval(
    training: Training, fit: CrossFit, terms: Terms, table: TableLike, settings: IntervalSettings
) -> IntervalVariance:
    """Return the interval's variances.

    What an unknown input leaves open is the mean square of what it would contribute: the variance of its contribution
    among training cases where it is known, plus the mean variance of that contribution (its coefficients are not known
    either: with few cases they are shrunk, and the first part alone would be too small). An untested match leaves open
    the variance, within a class of therapy, of everything that depends on the match.
    """
    matrix, columns = training.inputs.matrix, table.columns
    contributions = terms.contributions(training.inputs)
    phi = contributions.columns @ gathering(table.features, len(columns))
    unknown, places = np.zeros(len(table.features)), np.full(len(table.features), -1.0)
    missing = missing_indicators(columns)
    if settings.missing_inputs:
        for f, feature in enumerate(table.features):
            indicators = [c for c in feature.columns if missing[c]]
            if indicators:
                places[f] = indicators[0]
                known = matrix[:, indicators[0]] == 0
                unknown[f] = _weighted_variance(phi[known, f], training.weight[known])
                unknown[f] += _of_coefficients(training, fit, list(feature.columns), np.flatnonzero(known))
                unknown[f] += _of_evidence(training, contributions.parts, OF_EVIDENCE.get(feature.name, ()), known)
    names = [column.name for column in columns]
    untested = names.index(UNTESTED) if settings.missing_inputs and UNTESTED in names else -1
    return IntervalVariance(
        linear_root=np.zeros((0, 0)) if fit.linear is None else fit.linear.covariance_root,
        unknown_input=unknown,
        indicators=places,
        alternatives=np.array([ALTERNATIVES.get(one.name, -1.0) for one in table.features]),
        unmeasured=settings.unmeasured_sd**2,
        between_histologies=settings.histology_sd**2,
        between_settings=settings.setting_sd**2,
        untested=float(untested),
        unknown_match=0.0 if untested < 0 else _of_match(training, table, contributions.evidence, phi, untested),
    )


def _of_evidence(training: Training, parts: FloatArray, names: Sequence[str], known: BoolArray) -> float:
    """Return the variance of those parts of the evidence that depend on a feature, where it is known."""
    evidence = training.inputs.evidence
    if evidence is None or not names:
        return 0.0
    places = [place for place, name in enumerate(evidence.part_names) if name in names]
    return _weighted_variance(parts[known][:, places].sum(axis=1), training.weight[known])


def _of_coefficients(training: Training, fit: CrossFit, places: list[int], known: IntArray) -> float:
    """Return the mean, over cases that know a feature, of the variance of its contribution: mean x' C x."""
    if fit.linear is None or not known.size:
        return 0.0
    root = fit.linear.covariance_root[places]
    design = fit.linear.term.standardised(training.inputs.matrix[known])[:, places]
    weighted = design * training.weight[known, None]
    moments = weighted.T @ design / training.weight[known].sum()
    return float(np.sum(moments * (root @ root.T)))


def _of_match(training: Training, table: TableLike, evidence: FloatArray, phi: FloatArray, untested: int) -> float:
    """Return the variance, within a class of therapy, of what depends on the match, where the match is known."""
    matrix = training.inputs.matrix
    of_match = evidence + phi[:, [f for f, one in enumerate(table.features) if one.group in OF_THE_MATCH]].sum(axis=1)
    classes = _classes(table, matrix)
    tested = np.flatnonzero(matrix[:, untested] == 0)
    total, weight = 0.0, float(training.weight[tested].sum())
    for one in np.unique(classes[tested]):
        rows = tested[classes[tested] == one]
        share = float(training.weight[rows].sum()) / weight
        total += share * _weighted_variance(of_match[rows], training.weight[rows])
    return total


def _classes(table: TableLike, matrix: FloatArray) -> IntArray:
    """Return a number for the class of therapy of each case; 0 for the reference and for rare classes."""
    places = next((one.columns for one in table.features if one.name == THERAPY_CLASS), ())
    return _first_raised(matrix, places)


def _first_raised(matrix: FloatArray, places: Sequence[int]) -> IntArray:
    if not places:
        return np.zeros(len(matrix), dtype=np.int64)
    flags = matrix[:, list(places)] == 1
    return np.where(flags.any(axis=1), 1 + flags.argmax(axis=1), 0)


def _weighted_variance(values: FloatArray, weight: FloatArray) -> float:
    if not len(values):
        return 0.0
    return float(np.average((values - np.average(values, weights=weight)) ** 2, weights=weight))
