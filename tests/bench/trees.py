"""Number of trees against accuracy and cost, by the protocol: other sites, the same truth.

    python -m tests.bench.trees [--cases 20000]

Each row is the bench model (features of three builders, whole equation) with so many trees of 7 leaves in place of its
300, fitted on synthetic cases of development sites and judged on 4,000 of other sites; and how long the booster's exact
contributions take for one case.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from features.sources.synthetic import draw
from models.boosted_fit import preset
from models.response import ResponseModel
from models.settings import BoostedSettings
from tests.bench_artefact import LEAVES, SEEDS, fit_bench

JUDGED, SEED = 4_000, 20_270
TREES = (0, 5, 15, 30, 60, 120)
"""Trees of each of five boosters; none leaves the booster out."""


def fitted(cases: int, trees: int) -> ResponseModel:
    """The bench model with another number of trees."""
    settings = BoostedSettings(on=False) if not trees else BoostedSettings(seeds=SEEDS, trees=trees, leaves=LEAVES)
    return fit_bench(cases, boosted=settings)


def judged(model: ResponseModel) -> tuple[float, float, float]:
    """Log loss against the outcomes, mean absolute error to the truth, microseconds of contributions per case."""
    fresh = draw("checkpoint", JUDGED, SEED, cohort="external")
    inputs = model.inputs(fresh.batch())
    p, y = model.score(inputs).probability, fresh.response
    assert fresh.truth is not None
    truth = fresh.truth.column("probability").to_numpy()
    loss = -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p))
    return float(loss), float(np.abs(p - truth).mean()), _cost(model, inputs.matrix)


def _cost(model: ResponseModel, matrix: np.ndarray) -> float:
    if model.terms.boosted is None:
        return 0.0
    model.terms.boosted.contributions(matrix)
    start = time.process_time()
    model.terms.boosted.contributions(matrix)
    return 1e6 * (time.process_time() - start) / len(matrix)


def main() -> None:
    """Print the table in Markdown."""
    asked = argparse.ArgumentParser()
    asked.add_argument("--cases", type=int, default=20_000)
    cases = asked.parse_args().cases
    print(f"{cases:,} training cases; the preset of so many is {preset(cases).trees} trees a booster")
    print("| trees | log loss | error to the truth | contributions, microseconds per case |\n|---|---|---|---|")
    for trees in TREES:
        loss, error, cost = judged(fitted(cases, trees))
        print(f"| {SEEDS * trees} | {loss:.4f} | {error:.4f} | {cost:.1f} |", flush=True)


if __name__ == "__main__":
    main()
