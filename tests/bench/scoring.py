"""(a) Scoring from Parquet to Parquet against what it is made of, and against what others would write."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from features.flat_batch import read_flat
from models.artifact import load_artifact
from serving.bulk import Options, score
from serving.bulk.rows import GRANULE
from tests.bench.timing import Figure, in_turns
from tests.bench_artefact import write_bench
from tests.flat_tables import synthetic_table

CONTRIB, EXPLAINED = 2_048, 256
"""Cases of raw ``pred_contrib``, and of the slow comparisons."""


def figures(folder: Path, granules: int = 6, rounds: int = 3, others: bool = True) -> list[Figure]:
    """Ratios of rates: above 1 ours is the quicker one."""
    artifact = write_bench(folder)
    model = load_artifact(artifact)
    before, cases = (folder / f"{name}.parquet" for name in ("before", "cases"))
    pq.write_table(synthetic_table(GRANULE, 5), before)
    n = granules * GRANULE
    pq.write_table(synthetic_table(n, 5, start=GRANULE), cases, row_group_size=2 * GRANULE)
    matrix = np.ascontiguousarray(model.table.matrix(read_flat(pq.read_table(cases)).parts[0].batch))
    assert model.terms.boosted is not None
    boosters = model.terms.boosted.boosters()

    def ours(contributions: str) -> None:
        score(cases, model, folder / "out.parquet", Options(contributions))  # type: ignore[arg-type]

    def raw(rows: int, contrib: bool) -> None:
        for booster in boosters:
            booster.predict(matrix[:rows], raw_score=True, pred_contrib=contrib, num_threads=1)

    for contributions in ("none", "all"):  # vocabularies read, code warm: a run of a million cases does this once
        score(before, model, folder / "out.parquet", Options(contributions))  # type: ignore[arg-type]
    work = {
        "none": (lambda: ours("none"), n),
        "predict": (lambda: raw(n, False), n),
        "all": (lambda: ours("all"), n),
        "grouped": (lambda: ours("grouped"), n),
        "contrib": (lambda: raw(CONTRIB, True), CONTRIB),
        "tables": (lambda: model.terms.boosted.contributions(matrix), n),  # type: ignore[union-attr]
    }
    if others:
        work |= _others(folder, boosters, matrix)
    s = in_turns(work, rounds)
    part = "a score"
    found = [
        Figure(
            part,
            "all contributions, Parquet to Parquet, against raw pred_contrib on a ready matrix",
            s["contrib"] / s["all"],
            0.7,
        ),
        Figure(
            part,
            "probability and interval alone, Parquet to Parquet, against raw predict on a ready matrix",
            s["predict"] / s["none"],
            0.3,
        ),
        Figure(
            part, "grouped contributions, Parquet to Parquet, against raw pred_contrib", s["contrib"] / s["grouped"]
        ),
        Figure(part, "TreeSHAP by table against pred_contrib, both on a ready matrix", s["contrib"] / s["tables"], 3.0),
    ]
    if others:
        found += [
            Figure(part, "all contributions against shap.TreeExplainer on a ready matrix", s["shap"] / s["all"]),
            Figure(part, "all contributions against mlflow.pyfunc and shap on a ready frame", s["mlflow"] / s["all"]),
        ]
    return found


def _others(folder: Path, boosters: list[object], matrix: np.ndarray) -> dict[str, tuple[object, int]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecations of others
        import mlflow
        import pandas as pd
        import shap

        explainers = [shap.TreeExplainer(booster) for booster in boosters]
        models = []
        for k, booster in enumerate(boosters):
            place = folder / f"mlflow-{k}"
            if not place.exists():
                mlflow.lightgbm.save_model(booster, str(place))
            models.append(mlflow.pyfunc.load_model(str(place)))
    rows = matrix[:EXPLAINED]
    frame = pd.DataFrame(rows, columns=boosters[0].feature_name())  # type: ignore[attr-defined]

    def explained() -> None:
        for explainer in explainers:
            explainer.shap_values(rows)

    def served() -> None:
        for model in models:
            model.predict(frame)
        explained()

    return {"shap": (explained, EXPLAINED), "mlflow": (served, EXPLAINED)}
