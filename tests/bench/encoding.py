"""(b) Features against the pipelines that one would write with pandas and scikit-learn for the same inputs.

The rivals read the same flat cases and make columns of the same inputs: lineage levels, altered genes by class, TMB on
a log scale with a hinge, and missing indicators. They do less than ours: no wild type against unknown, no checks.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, MultiLabelBinarizer, StandardScaler

from features.case import Alteration
from features.driver_classes import read
from features.flat_batch import read_flat
from features.histology import lineage
from models.artifact import load_artifact
from tests.bench.timing import Figure, in_turns
from tests.bench_artefact import write_bench
from tests.flat_tables import synthetic_table

SIZES = (1, 100, 10_000)
"""Cases at a time: one request, a list, a partition."""

NUMBERS = ["tmb.mut_per_mb", "tmb.exome_nonsynonymous_count", "tmb.blood_count"]


def _levels_of(histologies: Any) -> list[tuple[str, ...]]:
    return [lineage(code) for code in histologies]


def _classes_of(found: Any) -> list[set[str]]:
    return [
        {name for one in findings if one["status"] == "present" for name in (one["gene"], *_reading(one).classes)}
        if findings is not None
        else set()
        for findings in found
    ]


def _reading(finding: dict[str, Any]) -> Any:
    return read(Alteration.model_construct(**finding))


class Labels(FunctionTransformer):
    """One column per label that was seen in training; others are passed over."""

    def __init__(self, labels_of: Any) -> None:
        super().__init__(labels_of)
        self.labels_of = labels_of

    def fit(self, X: Any, y: Any = None) -> Labels:  # noqa: ARG002  # scikit-learn's signature
        labels = sorted({label for row in self.labels_of(X.iloc[:, 0]) for label in row})
        self.known_ = frozenset(labels)
        self.binarizer_ = MultiLabelBinarizer(classes=labels).fit([labels])
        return self

    def transform(self, X: Any) -> Any:
        return self.binarizer_.transform(
            [[one for one in row if one in self.known_] for row in self.labels_of(X.iloc[:, 0])]
        )


def column_transformer() -> ColumnTransformer:
    """The scikit-learn pipeline."""
    numbers = make_pipeline(
        FunctionTransformer(np.log1p), SimpleImputer(add_indicator=True, keep_empty_features=True), StandardScaler()
    )
    hinge = make_pipeline(
        FunctionTransformer(lambda x: np.maximum(x - 10.0, 0.0)), SimpleImputer(keep_empty_features=True)
    )
    return ColumnTransformer(
        [
            ("histology", Labels(_levels_of), ["histology"]),
            ("alterations", Labels(_classes_of), ["alterations"]),
            ("numbers", numbers, NUMBERS),
            ("hinge", hinge, NUMBERS[:1]),
        ]
    )


def dummies(frame: pd.DataFrame, columns: list[str] | None = None) -> pd.DataFrame:
    """The pandas pipeline: exploded lists, ``get_dummies`` and a maximum by case."""
    levels = pd.get_dummies(frame["histology"].map(lineage).explode()).groupby(level=0).max()
    classes = pd.Series(_classes_of(frame["alterations"]), frame.index).map(sorted).explode()
    genes = pd.get_dummies(classes).groupby(level=0).max()
    numbers = np.log1p(frame[NUMBERS].astype(float))
    known = numbers.isna().add_suffix("__missing")
    hinge = (frame[NUMBERS[0]].astype(float) - 10.0).clip(lower=0.0).rename("hinge")
    made = pd.concat([levels, genes, numbers.fillna(0.0), known, hinge.fillna(0.0)], axis=1)
    return made if columns is None else made.reindex(columns=columns, fill_value=0.0)


def figures(folder: Path, sizes: tuple[int, ...] = SIZES, rounds: int = 3) -> list[Figure]:
    """Ratios of cases per CPU second: above 1 ours is the quicker one."""
    model = load_artifact(write_bench(folder))
    table = synthetic_table(max(sizes), 9)
    batch = read_flat(table).parts[0].batch
    frame = table.to_pandas()
    fitted = column_transformer().fit(frame)
    columns = list(dummies(frame).columns)
    found = []
    for n in sizes:
        some, few, of_few = (
            table.slice(0, n),
            frame.iloc[:n],
            batch if n == batch.n else read_flat(table.slice(0, n)).parts[0].batch,
        )
        again = max(1, 200 // n)
        s = in_turns(
            {
                "matrix": (lambda b=of_few, k=again: [model.table.matrix(b) for _ in range(k)], n * again),
                "cases": (
                    lambda t=some, k=again: [model.table.matrix(read_flat(t).parts[0].batch) for _ in range(k)],
                    n * again,
                ),
                "sklearn": (lambda f=few, k=again: [fitted.transform(f) for _ in range(k)], n * again),
                "pandas": (lambda f=few, k=again: [dummies(f, columns) for _ in range(k)], n * again),
            },
            rounds,
        )
        words = f"{n:,} case{'s' if n > 1 else ''} at a time"
        found += [
            Figure("b features", f"{words}: our columns against ColumnTransformer", s["sklearn"] / s["matrix"], 20.0),
            Figure(
                "b features",
                f"{words}: from the flat table, checked, against ColumnTransformer",
                s["sklearn"] / s["cases"],
            ),
            Figure("b features", f"{words}: our columns against pandas get_dummies", s["pandas"] / s["matrix"]),
        ]
    return found
