"""Figures of a report: legible in print, safe for colour-blind eyes, marked SYNTHETIC where the cases are.

Colours are those of Okabe and Ito (https://jfly.uni-koeln.de/color/); every line also differs in its dash. Each
function returns a matplotlib figure made without pyplot, so nothing global is touched.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.figure import Figure

from models.decision import THRESHOLDS, net_benefit, net_benefit_treat_all
from models.metrics import auroc
from models.pooling import exact_interval
from models.smooth import Loess
from training.judged import MODEL, Forecast, Row, Scene

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

    from training.judged import FloatArray

BLUE, VERMILION, GREEN, ORANGE, SKY, PURPLE, BLACK = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#E69F00",
    "#56B4E9",
    "#CC79A7",
    "#000000",
)
STYLES: tuple[tuple[str, Any], ...] = (
    (BLUE, "-"),
    (VERMILION, "--"),
    (GREEN, "-."),
    (ORANGE, ":"),
    (PURPLE, (0, (5, 1, 1, 1))),
    (SKY, (0, (1, 1))),
)
GROUP_COLOURS = {
    "evidence": BLUE,
    "histology": VERMILION,
    "alterations": GREEN,
    "tmb": ORANGE,
    "mmr": PURPLE,
    "prior_lines": SKY,
    "therapy": "#7F7F7F",
    "patient": BLACK,
}

TITLES = {
    MODEL: "our model",
    "base_rate": "base rate",
    "histology_base_rate": "histology base rate",
    "tmb_alone": "TMB alone",
    "tmb_10_or_more": "TMB ≥ 10 mut/Mb",
    "msi_high_or_tmb_10": "MSI-high or TMB ≥ 10",
    "pdl1_alone": "PD-L1 alone",
    "loris_pan_cancer": "LORIS as published (score)",
    "loris_nsclc": "LORIS NSCLC as published (score)",
    "loris_recalibrated": "LORIS recalibrated",
    "loris_inputs": "our linear model, LORIS's inputs",
    "plain_logistic": "plain logistic regression",
    "default_lightgbm": "default LightGBM",
    "class_average": "average of the therapy's target",
}
"""Names of predictors as people read them."""

METRIC_TITLES = {"auroc": "AUROC", "citl": "calibration in the large (log-odds)"}

SHOWN_BESIDE = ("loris_recalibrated", "loris_pan_cancer", "histology_base_rate", "tmb_alone")
"""Comparators drawn beside the model, in this order, as far as there are any."""

BINS = 10
"""Groups of equal size in a reliability diagram."""

MOST_FEATURES = 18
"""Features shown in the figure of contributions; the rest are summed in its caption."""


def _figure(width: float, height: float, synthetic: bool) -> Figure:
    figure = Figure(figsize=(width, height), layout="constrained")
    if synthetic:
        figure.text(0.5, 0.5, "SYNTHETIC", fontsize=46, color="0.85", ha="center", va="center", rotation=28, zorder=-1)
    return figure


def _plain(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_facecolor("none")


def _beside(scene: Scene, unit_scale: bool) -> list[Forecast]:
    found = [scene.forecast(name) for name in (MODEL, *SHOWN_BESIDE)]
    return [one for one in found if one is not None and one.known.any() and (one.on_unit_scale or not unit_scale)]


def reliability(scene: Scene) -> Figure:
    """Draw observed against predicted: loess, groups with exact intervals and event counts, histogram below."""
    model = scene.forecasts[0]
    held = model.known
    y, p = scene.outcome[held], model.values[0, held]
    figure = _figure(5.4, 6.2, scene.synthetic)
    axes, below = figure.subplots(2, 1, height_ratios=[4, 1], sharex=True)
    axes.plot([0, 1], [0, 1], color="0.6", lw=1, label="perfect")
    _loess_line(axes, y, p, BLUE, "-", "our model (loess)")
    rival = scene.forecast("loris_recalibrated") or scene.forecast("histology_base_rate")
    if rival is not None and rival.known.any():
        ours, words = rival.known, f"{TITLES[rival.predictor]} (loess)"
        _loess_line(axes, scene.outcome[ours], rival.values[0, ours], VERMILION, "--", words)
    _groups(axes, y, p)
    counts, edges = [p[y == 1], p[y == 0]], np.linspace(0, 1, 41).tolist()
    below.hist(counts, bins=edges, stacked=True, color=[GREEN, "0.75"], label=["response", "none"])
    below.set(xlabel="predicted probability of response", ylabel="patients", xlim=(0, 1))
    axes.set(ylabel="observed share of responders", ylim=(0, 1), title=f"Calibration: {scene.cohort} ({scene.name})")
    axes.legend(frameon=False, loc="upper left", fontsize=8)
    below.legend(frameon=False, fontsize=8)
    for one in (axes, below):
        _plain(one)
    return figure


def _loess_line(axes: Axes, y: FloatArray, p: FloatArray, colour: str, dash: str, label: str) -> None:
    if len(y) < BINS or np.ptp(p) == 0:
        return
    curve = Loess.of(p, np.ones_like(p))
    axes.plot(curve.points, curve.at_points(y), color=colour, ls=dash, lw=2, label=label)


def _groups(axes: Axes, y: FloatArray, p: FloatArray) -> None:
    for rows in np.array_split(np.argsort(p, kind="stable"), BINS):
        if not len(rows):
            continue
        events, n, at = int(y[rows].sum()), len(rows), float(p[rows].mean())
        span = exact_interval(events, n)
        axes.plot([at, at], [span.low, span.high], color=BLACK, lw=1)
        axes.plot(at, events / n, "o", color=BLACK, ms=4)
        axes.annotate(f"{events}/{n}", (at, span.high), fontsize=6, ha="center", va="bottom", color="0.25")


def roc(scene: Scene) -> Figure:
    """Draw the ROC curve of the model and of its rivals, each on the patients it is defined for."""
    figure = _figure(5.2, 5.2, scene.synthetic)
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="0.6", lw=1)
    for (colour, dash), one in zip(STYLES, _beside(scene, unit_scale=False), strict=False):
        y, p = scene.outcome[one.known], one.values[0, one.known]
        if np.ptp(y) == 0:
            continue
        wrong, right = _roc_points(y, p)
        label = f"{TITLES.get(one.predictor, one.predictor)}: {auroc(y, p):.3f} (n {len(y)})"
        axes.plot(wrong, right, color=colour, ls=dash, lw=1.8, label=label)
    axes.set(xlabel="1 - specificity", ylabel="sensitivity", xlim=(0, 1), ylim=(0, 1.01), aspect="equal")
    axes.set_title(f"ROC: {scene.cohort} ({scene.name})")
    axes.legend(frameon=False, fontsize=7.5, loc="lower right")
    _plain(axes)
    return figure


def _roc_points(y: FloatArray, p: FloatArray) -> tuple[FloatArray, FloatArray]:
    order = np.argsort(-p, kind="stable")
    last = np.r_[np.diff(p[order]) != 0, True]
    right, wrong = np.cumsum(y[order])[last], np.cumsum(1 - y[order])[last]
    return np.r_[0, wrong / wrong[-1]], np.r_[0, right / right[-1]]


def decision_curve(scene: Scene) -> Figure:
    """Draw net benefit over thresholds 0.05 to 0.50 against treat-all, treat-none and the rivals on a 0 to 1 scale."""
    figure = _figure(6.4, 4.4, scene.synthetic)
    axes = figure.subplots()
    everyone = net_benefit_treat_all(scene.outcome)
    axes.plot(THRESHOLDS, everyone, color="0.5", lw=1, label="treat all")
    axes.axhline(0, color=BLACK, lw=1, label="treat none")
    highest = float(everyone.max())
    for (colour, dash), one in zip(STYLES, _beside(scene, unit_scale=True), strict=False):
        benefit = net_benefit(scene.outcome[one.known], one.values[0, one.known])
        highest = max(highest, float(benefit.max()))
        axes.plot(THRESHOLDS, benefit, color=colour, ls=dash, lw=1.8, label=TITLES.get(one.predictor, one.predictor))
    axes.axvline(0.10, color="0.7", lw=1, ls=":")
    axes.annotate("withhold below 10%", (0.105, 0.98), xycoords=("data", "axes fraction"), fontsize=7, va="top")
    axes.set(xlabel="threshold probability", ylabel="net benefit per patient", xlim=(0.05, 0.5))
    axes.set_ylim(-0.06, highest * 1.1 + 0.01)
    axes.set_title(f"Decision curve: {scene.cohort} ({scene.name})")
    axes.legend(frameon=False, fontsize=7.5)
    _plain(axes)
    return figure


def forest(rows: Sequence[Row], metric: str, title: str, neutral: float | None, synthetic: bool) -> Figure:
    """Draw one metric with its interval per predictor and cohort; a vertical line where nothing is gained."""
    shown = [row for row in rows if np.isfinite(row.value(metric))]
    figure = _figure(7.2, 1.2 + 0.26 * max(1, len(shown)), synthetic)
    axes = figure.subplots()
    for place, row in enumerate(reversed(shown)):
        one, ours = row.metrics[metric], row.predictor == MODEL
        colour = BLUE if ours else "0.35"
        if np.isfinite(one.low):
            axes.plot([one.low, one.high], [place, place], color=colour, lw=2.4 if ours else 1.4)
        axes.plot(one.value, place, "s" if ours else "o", color=colour, ms=5)
    names = [f"{row.cohort}: {TITLES.get(row.predictor, row.predictor)}" for row in reversed(shown)]
    counts = [f"({row.events}/{row.n})" for row in reversed(shown)]
    labels = [f"{name} {count}" for name, count in zip(names, counts, strict=True)]
    axes.set_yticks(range(len(shown)), labels, fontsize=7.5)
    if neutral is not None:
        axes.axvline(neutral, color="0.6", lw=1, ls="--")
    axes.set(title=title, xlabel=f"{METRIC_TITLES.get(metric, metric)} (95% interval)")
    axes.margins(y=0.02)
    _plain(axes)
    return figure


def contributions(names: Sequence[str], groups: Sequence[str], phi: FloatArray, synthetic: bool) -> Figure:
    """Draw contributions to the log-odds: mean size per feature (bars) and every case (dots), coloured by group."""
    size = np.abs(phi).mean(axis=0)
    order = np.argsort(-size, kind="stable")[:MOST_FEATURES]
    figure = _figure(9.0, 1.4 + 0.28 * len(order), synthetic)
    bars, dots = figure.subplots(1, 2, sharey=True, width_ratios=[1, 1.4])
    random = np.random.default_rng(0)
    for place, f in enumerate(order):
        colour = GROUP_COLOURS.get(groups[f], BLACK)
        bars.barh(-place, size[f], color=colour, height=0.7)
        spread = random.uniform(-0.28, 0.28, len(phi))
        dots.plot(phi[:, f], -place + spread, ".", ms=2.2, alpha=0.45, color=colour, rasterized=True)
    bars.set_yticks([-place for place in range(len(order))], [names[f].replace("_", " ") for f in order], fontsize=7.5)
    bars.set(xlabel="mean |contribution| (log-odds)", title="How much each feature moves the estimate")
    dots.axvline(0, color="0.6", lw=1)
    dots.set(xlabel="contribution (log-odds) of each patient", title="In which direction")
    shown = sorted({groups[f] for f in order}, key=list(GROUP_COLOURS).index)
    handles: list[Any] = [bars.barh(0, 0, color=GROUP_COLOURS[group], label=group.replace("_", " ")) for group in shown]
    bars.legend(handles=handles, frameon=False, fontsize=7, loc="lower right")
    for axes in (bars, dots):
        _plain(axes)
    return figure


def against_truth(scene: Scene) -> Figure:
    """Draw the estimate against the true probability that synthetic cases were drawn with."""
    figure = _figure(5.0, 5.0, scene.synthetic)
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="0.6", lw=1)
    truth = scene.truth if scene.truth is not None else np.full_like(scene.outcome, np.nan)
    axes.plot(truth, scene.forecasts[0].values[0], ".", ms=3, alpha=0.4, color=BLUE, rasterized=True)
    error = float(np.nanmean(np.abs(truth - scene.forecasts[0].values[0])))
    axes.set(xlabel="true probability", ylabel="estimate", xlim=(0, 1), ylim=(0, 1), aspect="equal")
    axes.set_title(f"Against the truth: mean absolute error {error:.3f}")
    _plain(axes)
    return figure
