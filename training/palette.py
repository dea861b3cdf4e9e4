"""Colours, dashes and names that every figure shares: safe for colour-blind eyes, legible in print.

Colours are those of Okabe and Ito (https://jfly.uni-koeln.de/color/); every line also differs in its dash, so that a
grey print still tells them apart. Figures are made without pyplot: nothing global is touched.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure

from training.judged import MODEL

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BLUE, VERMILION, GREEN, ORANGE, SKY, PURPLE, BLACK, GREY = (
    "#0072B2",
    "#D55E00",
    "#009E73",
    "#E69F00",
    "#56B4E9",
    "#CC79A7",
    "#000000",
    "#7F7F7F",
)
STYLES: tuple[tuple[str, Any], ...] = (
    (BLUE, "-"),
    (VERMILION, "--"),
    (GREEN, "-."),
    (ORANGE, ":"),
    (PURPLE, (0, (5, 1, 1, 1))),
    (SKY, (0, (1, 1))),
)
"""Colour and dash, in order: our model first."""

MARKERS = "osD^vP*X"
"""One per cohort, in order, where points of several cohorts share a figure."""

GROUP_COLOURS = {
    "evidence": BLUE,
    "histology": VERMILION,
    "alterations": GREEN,
    "tmb": ORANGE,
    "mmr": PURPLE,
    "prior_lines": SKY,
    "therapy": GREY,
    "patient": BLACK,
}
GROUP_TITLES = {
    "evidence": "published evidence",
    "histology": "histology",
    "alterations": "alterations",
    "tmb": "TMB",
    "mmr": "mismatch repair",
    "prior_lines": "prior lines",
    "therapy": "therapy",
    "patient": "patient",
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


def blank(width: float, height: float, synthetic: bool) -> Figure:
    """Return an empty figure, size in inches; SYNTHETIC lies under everything drawn on it where the cases are."""
    figure = Figure(figsize=(width, height), layout="constrained")
    if synthetic:
        size = 7.0 * min(width, height)
        figure.text(
            0.5, 0.5, "SYNTHETIC", fontsize=size, color="0.91", ha="center", va="center", rotation=24, zorder=-1
        )
    return figure


def plain(axes: Axes, title: str = "") -> None:
    """Take away what carries no information, and set the title at the left, where it is never cut."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_facecolor("none")
    if title:
        axes.set_title(title, loc="left", fontsize=10)
