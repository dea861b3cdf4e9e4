"""What the interval learns from the training cases: how much not knowing an input leaves open."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from models.between import between_groups
from models.interval import IntervalVariance, left
from models.linear_fit import missing_indicators
from models.scores import gathering

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from models.between import BetweenGroups
    from models.cross_fitting import CrossFit, Training
    from models.inputs import BoolArray, FeatureLike, FloatArray, IntArray, TableLike
    from models.settings import IntervalSettings
    from models.terms import Terms

UNTESTED = "target_untested"
"""Column that says: whether the tumour has what the therapy is chosen by was not tested
(:mod:`features.alteration_columns`)."""

OF_THE_MATCH = ("alterations", "therapy")
"""Groups whose contributions depend on the match, beside the evidence."""

BIOMARKER = ("biomarker", "biomarker x histology")

OF_EVIDENCE = {
    "prior_lines": ("line", "line x histology"),
    "same_class_before": ("prior therapy",),
    "tmb_mut_per_mb": BIOMARKER,
    "tmb_exome_count": BIOMARKER,
    "mmr_deficient": BIOMARKER,
    "pdl1_tps_percent": BIOMARKER,
    "pdl1_cps": BIOMARKER,
    "pdl1_ic_percent": BIOMARKER,
}
"""Parts of the evidence (:data:`features.evidence_terms.POOL_OF_KIND`) that say less when a feature is not known."""

THERAPY_CLASS = "therapy_class"
"""Feature whose columns tell the classes of therapy apart."""


ALTERNATIVES = {
    **dict.fromkeys(("tmb_mut_per_mb", "tmb_within_histology", "tmb_exome_count", "tmb_blood_count"), 0.0),
    **dict.fromkeys(("pdl1_tps_percent", "pdl1_cps", "pdl1_ic_percent", "pdl1_tc_ic"), 1.0),
}
"""Features that measure the same thing, by the number of their set: a case with one of them lacks nothing."""


def variances_between(
    training: Training, fit: CrossFit, terms: Terms, settings: IntervalSettings
) -> dict[str, BetweenGroups]:
    """Return the variance between histologies, settings and sites, by name, from fits that left each group out.

    The variance between settings is counted beyond what the evidence's own variance says of them on average, and beyond
    what their histologies say: where all patients have one class of therapy, leaving a setting out is leaving its
    histology out, and one deviation would be counted twice (docs/results.md: it was, by held-out cohorts).
    """
    figures = {
        "histology": (settings.histology_sd**2, settings.figure_counts),
        "setting": (settings.setting_sd**2, settings.figure_counts),
        "site": (settings.site_sd**2, settings.site_figure_counts),
    }
    found = {
        name: between_groups(fit.groups_out[name], training.y, training.weight, group, *figures[name])
        for name, group in training.groupings.items()
    }
    evidence, weight = training.inputs.evidence, terms.evidence_weight
    if evidence is not None and weight is not None:
        known = weight**2 * float(np.average(evidence.variance, weights=training.weight))
        found["setting"] = replace(found["setting"], variance=max(found["setting"].variance - known, 0.0))
    beyond = found["setting"].variance - _of_histologies(training, found["histology"].variance)
    found["setting"] = replace(found["setting"], variance=max(beyond, 0.0))
    return found


def _of_histologies(training: Training, variance: float) -> float:
    """Return what the variance between histologies brings to a setting that is left out, on average over settings.

    Other settings of its histology stay in the fit, and their m cases leave v / (1 + m p (1 - p) v) of it
    (:func:`models.interval.left`).
    """
    histology, setting = training.groupings["histology"], training.groupings["setting"]
    held = (histology >= 0) & (setting >= 0)
    if not held.any():
        return 0.0
    histology, setting, weight = histology[held], setting[held], training.weight[held]
    rate = float(np.average(training.y[held], weights=weight))
    of_histology, of_setting = np.bincount(histology, weight), np.bincount(setting, weight)
    settings, first = np.unique(setting, return_index=True)
    others = np.maximum(of_histology[histology[first]] - of_setting[settings], 0.0)
    information = np.full(len(others), rate * (1.0 - rate))
    return float(left(np.full(len(others), variance), others[:, None], information).mean())


def fit_interval(
    training: Training,
    fit: CrossFit,
    terms: Terms,
    table: TableLike,
    settings: IntervalSettings,
    between: Mapping[str, BetweenGroups],
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
                unknown[f] += _of_evidence(training, contributions.parts, feature, known)
    names = [column.name for column in columns]
    untested = names.index(UNTESTED) if settings.missing_inputs and UNTESTED in names else -1
    return IntervalVariance(
        linear_root=np.zeros((0, 0)) if fit.linear is None else fit.linear.covariance_root,
        unknown_input=unknown,
        indicators=places,
        alternatives=np.array([ALTERNATIVES.get(one.name, -1.0) for one in table.features]),
        between_histologies=between["histology"].variance,
        between_settings=between["setting"].variance,
        untested=float(untested),
        unknown_match=0.0 if untested < 0 else _of_match(training, table, contributions.evidence, phi, untested),
    )


def _of_evidence(training: Training, parts: FloatArray, feature: FeatureLike, known: BoolArray) -> float:
    """Return the variance, where a feature is known, of those parts of the evidence that its columns tell apart.

    One part may depend on several features (TMB, mismatch repair and PD-L1 are all biomarkers): to each its own share.
    """
    evidence, names = training.inputs.evidence, OF_EVIDENCE.get(feature.name, ())
    if evidence is None or not names or not known.any():
        return 0.0
    places = [place for place, name in enumerate(evidence.part_names) if name in names]
    columns = np.nan_to_num(training.inputs.matrix[known][:, list(feature.columns)])
    design, root = np.column_stack([np.ones(len(columns)), columns]), np.sqrt(training.weight[known])
    told = parts[known][:, places].sum(axis=1)
    fitted = design @ np.linalg.lstsq(design * root[:, None], told * root, rcond=None)[0]
    return _weighted_variance(fitted, training.weight[known])


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
