"""Figures of a judgement: calibration, ROC and precision-recall, decision curve; each on one set of patients.

Curves that are compared are drawn on the same patients: a rival that is not defined for everybody is drawn where the
set is restricted to those it is defined for (:func:`training.resampling.beside_loris`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from models.bootstrap import resample_counts
from models.decision import THRESHOLDS, net_benefit
from models.metrics import auprc, auroc
from models.pooling import exact_interval
from models.smooth import Loess
from training.judged import MODEL, Forecast, Scene
from training.palette import BLACK, BLUE, GREEN, STYLES, TITLES, VERMILION, blank, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from training.judged import FloatArray

SHOWN_BESIDE = (
    "loris_recalibrated",
    "loris_pan_cancer",
    "histology_base_rate",
    "plain_logistic",
    "default_lightgbm",
    "class_average",
)
"""Comparators drawn beside the model, in this order, as far as there are any and :data:`STYLES` lasts."""

BINS = 10
"""Groups of equal size in a reliability diagram."""

BAND_RESAMPLES = 200
"""Bootstrap resamples of the band around the calibration curve."""

WITHHOLD_BELOW = 0.10
"""Probability below which a therapy might be withheld (design/protocol.md); named on the decision curve."""


def _beside(scene: Scene, unit_scale: bool) -> list[Forecast]:
    """Return the model and the rivals that are defined for the same patients."""
    model = scene.forecasts[0]
    found = [one for name in SHOWN_BESIDE if (one := scene.forecast(name)) is not None]
    kept = [one for one in found if (one.on_unit_scale or not unit_scale) and one.known[model.known].all()]
    return [model, *kept][: len(STYLES)]


def _words(scene: Scene) -> str:
    events = round(float(scene.weights @ scene.outcome))
    return f"{scene.cohort}\n{scene.name}: {events} responders of {round(float(scene.weights.sum()))}"


def reliability(scene: Scene) -> Figure:
    """Draw observed against predicted: loess with its band, groups with exact intervals and counts, histogram below."""
    model = scene.forecasts[0]
    held = model.known
    y, p, weight = scene.outcome[held], model.values[:, held].mean(axis=0), scene.weights[held]
    figure = blank(5.6, 6.4, scene.synthetic)
    axes, below = figure.subplots(2, 1, height_ratios=[4, 1], sharex=True)
    axes.plot([0, 1], [0, 1], color="0.6", lw=1, label="perfect")
    _loess_line(axes, y, p, weight, BLUE, "-", "our model (loess, 95% band)", scene.patients[held])
    rival = scene.forecast("loris_recalibrated") or scene.forecast("histology_base_rate")
    if rival is not None and rival.known.any():
        ours = rival.known
        words = f"{TITLES[rival.predictor]} (loess, n {int(ours.sum())})"
        theirs = rival.values[:, ours].mean(axis=0)
        _loess_line(axes, scene.outcome[ours], theirs, scene.weights[ours], VERMILION, "--", words)
    _groups(axes, y, p, weight)
    counts, edges = [p[y == 1], p[y == 0]], np.linspace(0, 1, 41).tolist()
    standing = [weight[y == 1], weight[y == 0]]
    names = ["response", "no response"]
    below.hist(counts, bins=edges, weights=standing, stacked=True, color=[GREEN, "0.75"], label=names)
    below.set(xlabel="predicted probability of response", ylabel="patients", xlim=(0, 1))
    axes.set(ylabel="observed share of responders", ylim=(0, 1))
    axes.legend(frameon=False, loc="upper left", fontsize=8)
    below.legend(frameon=False, loc="upper right", fontsize=8)
    plain(axes, f"Calibration: {_words(scene)}")
    plain(below)
    return figure


def _loess_line(
    axes: Axes,
    y: FloatArray,
    p: FloatArray,
    weight: FloatArray,
    colour: str,
    dash: str,
    label: str,
    patients: FloatArray | None = None,
) -> None:
    if len(y) < BINS or np.ptp(p) == 0:
        return
    curve = Loess.of(p, weight)
    axes.plot(curve.points, np.clip(curve.at_points(y), 0, 1), color=colour, ls=dash, lw=2, label=label)
    if patients is None:
        return
    drawn = [curve.at_points(y, w * weight) for w in resample_counts(patients, np.zeros(len(y)), BAND_RESAMPLES)]
    low, high = np.nanquantile(np.concatenate(drawn), [0.025, 0.975], axis=0)
    axes.fill_between(curve.points, np.clip(low, 0, 1), np.clip(high, 0, 1), color=colour, alpha=0.15, lw=0)


def _groups(axes: Axes, y: FloatArray, p: FloatArray, weight: FloatArray) -> None:
    """Draw groups of equal size; counts stand upright above them so that neighbours do not overlap."""
    order = np.argsort(p, kind="stable")
    middle = np.cumsum(weight[order]) - weight[order] / 2
    group = np.minimum((middle / weight.sum() * BINS).astype(int), BINS - 1)
    for tenth in range(BINS):
        rows = order[group == tenth]
        events, n = round(float(weight[rows] @ y[rows])), round(float(weight[rows].sum()))
        if not n:
            continue
        at = float(np.average(p[rows], weights=weight[rows]))
        span = exact_interval(events, n)
        axes.plot([at, at], [span.low, span.high], color=BLACK, lw=1)
        axes.plot(at, events / n, "o", color=BLACK, ms=4)
        place: dict[str, Any] = {"xytext": (0, 3), "textcoords": "offset points", "rotation": 90}
        axes.annotate(f"{events}/{n}", (at, span.high), fontsize=6.5, ha="center", va="bottom", color="0.2", **place)


def ranking(scene: Scene) -> Figure:
    """Draw ROC and precision-recall curves of the model and of the rivals defined for the same patients."""
    figure = blank(9.4, 5.0, scene.synthetic)
    left, right = figure.subplots(1, 2)
    held = scene.forecasts[0].known
    y, weight = scene.outcome[held], scene.weights[held]
    left.plot([0, 1], [0, 1], color="0.6", lw=1)
    rate = float(np.average(y, weights=weight))
    right.axhline(rate, color="0.6", lw=1, label=f"at random: {rate:.3f}")
    for (colour, dash), one in zip(STYLES, _beside(scene, unit_scale=False), strict=False):
        p, title = one.values[0, held], TITLES.get(one.predictor, one.predictor)
        wrong, found, share = _curve_points(y, p, weight)
        style = {"color": colour, "ls": dash, "lw": 2.0 if one.predictor == MODEL else 1.4}
        left.plot(wrong, found, label=f"{title}: {float(auroc(y, p, weight)):.3f}", **style)
        right.plot(found[1:], share, label=f"{title}: {float(auprc(y, p, weight)):.3f}", **style)
    left.set(xlabel="1 - specificity", ylabel="sensitivity", xlim=(0, 1), ylim=(0, 1.01), aspect="equal")
    right.set(
        xlabel="sensitivity (recall)", ylabel="positive predictive value (precision)", xlim=(0, 1), ylim=(0, 1.01)
    )
    left.legend(frameon=False, fontsize=7.5, loc="lower right", title="area (first repeat)", title_fontsize=7.5)
    right.legend(frameon=False, fontsize=7.5, loc="upper right", title="average precision", title_fontsize=7.5)
    right.set_box_aspect(1)
    plain(left, f"ROC: {_words(scene)}")
    plain(right, "Precision and recall\n")
    return figure


def _curve_points(y: FloatArray, p: FloatArray, weight: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return false-positive rate and sensitivity (both from 0) and precision, at every distinct threshold."""
    order = np.argsort(-p, kind="stable")
    last = np.r_[np.diff(p[order]) != 0, True]
    right, wrong = np.cumsum((weight * y)[order])[last], np.cumsum((weight * (1 - y))[order])[last]
    return np.r_[0, wrong / wrong[-1]], np.r_[0, right / right[-1]], right / (right + wrong)


def decision_curve(scene: Scene) -> Figure:
    """Draw net benefit over thresholds 0.05 to 0.50 against treat-all, treat-none and rivals on the same patients."""
    figure = blank(6.6, 4.6, scene.synthetic)
    axes = figure.subplots()
    held = scene.forecasts[0].known
    y, weight = scene.outcome[held], scene.weights[held]
    rate = float(np.average(y, weights=weight))
    everyone = net_benefit(y, np.ones_like(y), weight=weight)
    axes.plot(THRESHOLDS, everyone, color="0.45", lw=1.2, ls=(0, (8, 2)), label="treat all")
    axes.axhline(0, color=BLACK, lw=1, label="treat none")
    highest, lowest = float(everyone.max()), 0.0
    for (colour, dash), one in zip(STYLES, _beside(scene, unit_scale=True), strict=False):
        benefit = net_benefit(y, one.values[0, held], weight=weight)
        highest, lowest = max(highest, float(benefit.max())), min(lowest, float(benefit.min()))
        width = 2.0 if one.predictor == MODEL else 1.4
        axes.plot(THRESHOLDS, benefit, color=colour, ls=dash, lw=width, label=TITLES.get(one.predictor, one.predictor))
    bottom, top = max(lowest, -0.08) - 0.01, highest * 1.18 + 0.01
    for at, words in ((WITHHOLD_BELOW, "withhold below 10%"), (rate, f"response rate {rate:.0%}")):
        axes.axvline(at, ymax=0.93, color="0.6", lw=1, ls=":")
        axes.annotate(words, (at, 0.995), xycoords=("data", "axes fraction"), fontsize=7, va="top", ha="center")
    axes.set(xlabel="threshold probability", ylabel="net benefit per patient", xlim=(0.05, 0.5), ylim=(bottom, top))
    axes.legend(frameon=False, fontsize=7.5, loc="upper right", bbox_to_anchor=(1, 0.94))
    plain(axes, f"Decision curve: {_words(scene)}")
    return figure
