"""(b) Features against the pipelines that one would write with pandas and scikit-learn for the same inputs.

The rivals read the same flat cases and make columns of the same inputs: lineage levels, altered genes by class, TMB on
a log scale with a hinge, and missing indicators. They do less than ours: no wild type against unknown, no checks.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
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

SIZES = (1, 100, 1_000, 10_000, 100_000)
"""Cases at a time: one request, a list, a clinic's year, a partition, a file."""

DRAWN, MOST_LISTS = 10_000, 40
"""Different cases, and lists of cases at most; 100,000 at a time are ten times the same."""

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


def figures(folder: Path, sizes: tuple[int, ...] = SIZES, rounds: int = 2) -> list[Figure]:
    """Ratios of cases per CPU second: above 1 ours is the quicker one."""
    model = load_artifact(write_bench(folder))
    drawn = synthetic_table(min(max(sizes), DRAWN), 9)
    fitted = column_transformer().fit(drawn.to_pandas())
    found = []
    for n in sizes:
        cases = pa.concat_tables([drawn] * -(-n // drawn.num_rows)).combine_chunks()
        found += _at(n, cases, model, fitted, rounds if n <= drawn.num_rows else 1)
    return found


def _at(n: int, cases: pa.Table, model: Any, fitted: ColumnTransformer, rounds: int) -> list[Figure]:
    """The ratios at n cases at a time; every list of cases is another one, so that nothing is kept from the last."""
    lists = [cases.slice(start, n) for start in range(0, min(cases.num_rows, MOST_LISTS * n) - n + 1, n)]
    frames = [one.to_pandas() for one in lists]
    columns = list(dummies(frames[0]).columns)
    few = frames[: max(1, len(frames) // 20)]
    batches = iter([[_batch(one) for one in lists] for _ in range(rounds)])  # each round reads cases of its own
    every, some = n * len(lists), n * len(few)
    s = in_turns(
        {
            "matrix": (lambda: [model.table.matrix(batch) for batch in next(batches)], every),
            "cases": (lambda: [model.table.matrix(_batch(one)) for one in lists], every),
            "sklearn": (lambda: [fitted.transform(one) for one in few], some),
            "pandas": (lambda: [dummies(one, columns) for one in few], some),
        },
        rounds,
    )
    words, part = f"{n:,} case{'s' if n > 1 else ''} at a time", "b features"
    checked = f"{words}: from the flat table, checked, against ColumnTransformer"
    return [
        Figure(part, f"{words}: our columns against ColumnTransformer", s["sklearn"] / s["matrix"], 20.0),
        Figure(part, checked, s["sklearn"] / s["cases"]),
        Figure(part, f"{words}: our columns against pandas get_dummies", s["pandas"] / s["matrix"]),
    ]


def _batch(cases: pa.Table) -> Any:
    return read_flat(cases).parts[0].batch
