"""A recipe that fits in a fraction of a second, and synthetic pools to fit it on."""

from __future__ import annotations

from features.sources.synthetic import draw
from models.settings import BoostedSettings, LinearSettings, ResponseSettings
from training.fit import Recipe
from training.pool import Pool

SETTINGS = ResponseSettings(
    evidence=False,
    linear=LinearSettings(penalties=(30.0,), tuned_groups=()),
    boosted=BoostedSettings(on=False, seeds=1, trees=10),
    folds=3,
)


def recipe(*comparators: str) -> Recipe:
    """Ridge alone, one penalty, three folds inside the fit."""
    card = {"endpoint": "orr", "trained_on": "invented", "synthetic": True}
    return Recipe("checkpoint-response", "checkpoint", SETTINGS, None, (), comparators, card)


def two_cohorts(n: int = 150) -> Pool:
    """Two synthetic cohorts, their sites unlike each other."""
    return Pool.of([draw("checkpoint", n, 3), draw("checkpoint", n, 4, cohort="external")])
