"""Figures of published arms: a row that stands for many patients is drawn as that many."""

from __future__ import annotations

import numpy as np
import pytest

from training.figures import decision_curve, ranking, reliability
from training.judged import MODEL, Forecast, Scene


def scene(repeated: bool) -> Scene:
    random = np.random.default_rng(1)
    p = np.repeat(random.uniform(0.05, 0.9, 30), 2)
    y = np.tile([1.0, 0.0], 30)
    n = np.where(y == 1, np.round(40 * p), 40 - np.round(40 * p))
    rows = np.repeat(np.arange(60), n.astype(int)) if repeated else np.flatnonzero(n > 0)
    families = np.array([f"family {i // 2}" for i in range(60)])
    forecast = Forecast(MODEL, p[None, rows])
    weight = None if repeated else n[rows]
    held = np.ones(len(rows), dtype=bool)
    return Scene(
        "left family out", "arms", y[rows], families[rows], families[rows], held, (forecast,), False, None, weight
    )


@pytest.mark.parametrize("draw", [ranking, decision_curve])
def test_weights_and_repeated_rows_give_the_same_curves(draw):
    for weighted, repeated in zip(draw(scene(False)).axes, draw(scene(True)).axes, strict=True):
        for ours, theirs in zip(weighted.lines, repeated.lines, strict=True):
            assert np.allclose(ours.get_xydata(), theirs.get_xydata())


def test_the_calibration_curve_of_honest_arms_lies_on_the_diagonal():
    axes = reliability(scene(False)).axes[0]
    curve = next(line for line in axes.lines if str(line.get_label()).startswith("our model"))
    assert np.abs(curve.get_ydata() - curve.get_xdata()).max() < 0.05
    assert axes.get_title(loc="left").endswith(f"of {30 * 40}")
    counts = [text.get_text() for text in axes.texts]
    assert sum(int(one.split("/")[1]) for one in counts) == 30 * 40
