"""Invented cases, a small feature table and a small evidence term, for tests of models/ alone."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from features.batch import Batch, Coded, Findings, Priors
from features.contract import Column, Shown
from features.flat import NUMBER_PATHS
from features.from_cases import _ALL_TEXTS as ALL_TEXTS
from features.histology import lineage
from models.inputs import logistic

HISTOLOGIES = ("LUAD", "SKCM", "CCRCC", "COAD", "BLCA", "HNSC", "STAD", "LUSC", "UCEC", "PAAD", "LMS", "MCC", "THYM")
NUMBERS = {
    "tmb.mut_per_mb": "tmb",
    "patient.albumin_g_per_dl": "patient",
    "patient.nlr": "patient",
    "patient.age_years": "patient",
}
SIGNS = {"tmb.mut_per_mb": 1, "patient.albumin_g_per_dl": 1, "patient.nlr": -1}


@dataclass(frozen=True)
class Feature:
    name: str
    group: Any
    columns: tuple[int, ...]


@dataclass(frozen=True)
class InventedTable:
    """Lineage levels of the histology, four numbers (one with a hinge) and their missing indicators."""

    levels: tuple[str, ...]

    @classmethod
    def of(cls, batch: Batch) -> InventedTable:
        return cls(tuple(sorted({level for code in batch.texts["histology"].levels for level in lineage(code)})))

    @cached_property
    def columns(self) -> tuple[Column, ...]:
        lineages = [Column(f"histology_{level}", "histology", "histology") for level in self.levels]
        values = [
            Column(p, p.rpartition(".")[2], g, "1", SIGNS.get(p, 0), "invented" if p in SIGNS else "", "indicator")
            for p, g in NUMBERS.items()
        ]
        hinge = Column("tmb_hinge_10", "mut_per_mb", "tmb", "1", 1, "invented", "indicator")
        missing = [Column(f"{p.rpartition('.')[2]}__missing", p.rpartition(".")[2], g) for p, g in NUMBERS.items()]
        return (*lineages, *values, hinge, *missing)

    @cached_property
    def features(self) -> tuple[Feature, ...]:
        names = dict.fromkeys((c.feature, c.group) for c in self.columns)
        return tuple(
            Feature(name, group, tuple(i for i, c in enumerate(self.columns) if c.feature == name))
            for name, group in names
        )

    digest = "invented"
    family = "checkpoint"

    def matrix(self, batch: Batch) -> Any:
        rows = batch.texts["histology"].gather_rows(
            lambda code: [float(level in lineage(code)) for level in self.levels], len(self.levels)
        )
        values = np.column_stack([np.log1p(batch.numbers[p]) if "tmb" in p else batch.numbers[p] for p in NUMBERS])
        hinge = np.maximum(batch.numbers["tmb.mut_per_mb"] - 10, 0)[:, None] / 10
        return np.concatenate([rows, values, hinge, np.isnan(values)], axis=1, dtype=np.float64)

    def show(self, batch: Batch, row: int) -> dict[str, Shown]:
        shown = [Shown("histology", "histology", batch.texts["histology"].texts()[row], "", "histology")]
        for path, group in NUMBERS.items():
            value, name = float(batch.numbers[path][row]), path.rpartition(".")[2]
            shown.append(Shown(name, group, None if np.isnan(value) else value, "1", f"{name} {value:g}"))
        return {one.feature: one for one in shown}

    def warnings(self, batch: Batch, row: int) -> list[str]:
        return [f"invented: case {row} of {batch.n}"]

    def to_dict(self) -> dict[str, Any]:
        return {"levels": list(self.levels)}

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> InventedTable:
        return cls(tuple(stored["levels"]))


@dataclass(frozen=True)
class InventedValues:
    log_odds: Any
    variance: Any
    between_trial_variance: float
    covered: Any
    names: tuple[str, ...]
    parts: Any


@dataclass(frozen=True)
class InventedEvidence:
    """Evidence by histology and therapy, as two parts and a constant of -1."""

    def evaluate(self, batch: Batch) -> InventedValues:
        histology = batch.texts["histology"].gather(lambda code: 0.4 * np.sin(len(code) + ord(code[0])), unknown=0.0)
        therapy = batch.texts["therapy"].gather(lambda key: 0.5 if "ctla4" in key else 0.0, unknown=0.0)
        n = batch.n
        return InventedValues(
            histology + therapy - 1.0,
            np.full(n, 0.02),
            0.05,
            np.ones(n, dtype=np.bool_),
            ("histology", "therapy class"),
            np.column_stack([histology, therapy]),
        )

    def nearest_arms(self, batch: Batch, row: int, k: int = 5) -> list[dict[str, Any]]:
        return [{"arm": f"invented {row} of {batch.n}", "n": 100, "orr_percent": 27.0}][:k]

    def to_json(self) -> dict[str, Any]:
        return {"invented": True}


@dataclass(frozen=True)
class Drawn:
    batch: Batch
    y: Any
    truth: Any
    groups: list[str]


def batch_with(numbers: dict[str, Any], texts: dict[str, Any], n: int) -> Batch:
    """A batch without findings and priors; what is not named is unknown."""
    unknown, none = np.full(n, np.nan), Coded.of([None] * n)
    return Batch(
        n=n,
        numbers={**dict.fromkeys(NUMBER_PATHS, unknown), **numbers},
        texts={**dict.fromkeys(ALL_TEXTS, none), **texts},
        findings=Findings(),
        findings_recorded=np.zeros(n, dtype=np.bool_),
        other_findings=Findings(),
        priors=Priors(recorded=np.zeros(n, dtype=np.bool_)),
    )


def draw(n: int, seed: int, missing: float = 0.2, unmeasured: float = 0.25) -> Drawn:
    """Draw cases whose truth has a threshold, a U-shape, an interaction and something unmeasured."""
    rng = np.random.default_rng(seed)
    share = 1.0 / (1 + np.arange(len(HISTOLOGIES))) ** 1.6
    code = rng.choice(len(HISTOLOGIES), n, p=share / share.sum())
    tmb, albumin = np.exp(rng.normal(1.6, 0.9, n)), rng.normal(3.8, 0.5, n).clip(1.5, 5.5)
    nlr, age = np.exp(rng.normal(1.4, 0.6, n)), rng.normal(63, 11, n).clip(20, 95)
    both = rng.random(n) < 0.3
    effect = np.random.default_rng(5).normal(0, 0.5, len(HISTOLOGIES))[code]
    truth = (
        -1.3
        + effect
        + 0.9 * (tmb > 10)
        + 0.45 * (albumin - 3.8) / 0.5
        - 0.35 * np.log(nlr / 4)
        + 0.25 * ((age - 63) / 11) ** 2
        - 0.25
        + 0.4 * both
        + 0.5 * (both & (tmb > 10) & (code == 1))
        + rng.normal(0, unmeasured, n)
    )
    y = (rng.random(n) < logistic(truth)).astype(np.float64)
    numbers = {}
    for path, values in zip(NUMBERS, (tmb, albumin, nlr, age), strict=True):
        numbers[path] = np.where(rng.random(n) < missing, np.nan, values)
    texts = {
        "histology": Coded(code.astype(np.int64), HISTOLOGIES),
        "therapy": Coded(both.astype(np.int64), ("class:pd1_pdl1", "class:pd1_pdl1+ctla4")),
    }
    return Drawn(batch_with(numbers, texts, n), y, logistic(truth), [f"p{i}" for i in range(n)])
