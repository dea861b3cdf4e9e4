"""(e) and (f): how time grows from 1,000 to 1,000,000 cases, and what memory is needed at most."""

from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pyarrow.parquet as pq

from features.sources.published_arms import arms
from features.sources.synthetic import draw
from features.table import FeatureTable
from models.evidence import EvidenceTerm
from models.response_fit import fit_response
from tests.bench.fitting import SETTINGS
from tests.bench.timing import Figure, cpu, exponent, peak_of
from tests.bench_artefact import write_bench
from tests.flat_tables import synthetic_table

FILE = 50_000
"""Cases per file of the large folder."""

TRAINED = (1_000, 3_000, 10_000)
"""Cases of the fits; a fit makes dozens of smaller ones, and the bench has a quarter of an hour. Beyond: large.py."""

SCORE = """
import sys
from pathlib import Path
from models.artifact import load_artifact
from serving.bulk import Options, score

if __name__ == "__main__":
    cases, artifact, out, contributions, workers = sys.argv[1:]
    score(cases, load_artifact(Path(artifact)), out, Options(contributions, int(workers)))
"""

BUILD = """
import sys
from pathlib import Path
import pyarrow.parquet as pq
from features.flat_batch import read_flat
from models.artifact import load_artifact
from serving.bulk.sources import source_of

table = load_artifact(Path(sys.argv[2])).table
for block in source_of(sys.argv[1]).blocks(1 << 16):
    for flat in block.granules():
        for part in flat.parts:
            table.matrix(part.batch)
"""


def _write(place: str, start: int, n: int) -> None:
    with pq.ParquetWriter(f"{place}.writing", synthetic_table(2, 6).schema) as writer:
        for first in range(0, n, 25_000):
            writer.write_table(synthetic_table(min(25_000, n - first), 6, start=start + first))
    os.replace(f"{place}.writing", place)  # noqa: PTH105


def cases_of(folder: Path, n: int) -> Path:
    """A folder of so many cases, drawn once: the large ones are files of 50,000."""
    place = folder / f"cases-{n}"
    place.mkdir(parents=True, exist_ok=True)
    parts = [(place / f"{start:09d}.parquet", start, min(FILE, n - start)) for start in range(0, n, FILE)]
    missing = [(str(path), start, size) for path, start, size in parts if not path.exists()]
    if missing:
        with ProcessPoolExecutor(2, get_context("spawn")) as pool:
            list(pool.map(_write, *zip(*missing, strict=True)))
    return place


def figures(folder: Path, largest: int = 1_000_000) -> list[Figure]:
    """Exponents of CPU time (1 is linear) and peak memory of processes of their own."""
    artifact = write_bench(folder)
    sizes = [n for n in (1_000, 10_000, 100_000, 1_000_000) if n <= largest]
    script = folder / "score.py"
    script.write_text(SCORE, encoding="utf-8")
    run = f"import runpy, sys; sys.argv[0] = {str(script)!r}; runpy.run_path({str(script)!r}, run_name='__main__')"
    score_s, score_mb, build_s, build_mb = {}, {}, {}, {}
    for n in sizes:
        cases = cases_of(folder, n)
        score_mb[n], score_s[n] = peak_of(run, str(cases), str(artifact), str(folder / "large.parquet"), "all", "2")
        build_mb[n], build_s[n] = peak_of(BUILD, str(cases), str(artifact))
    train_s = {n: _train(n) for n in TRAINED if n <= largest}
    top, start = sizes[-1], min(10_000, sizes[-2])
    upper = [n for n in sizes if n >= start]
    part_e, part_f = "e growth", "f memory"
    return [
        Figure(
            part_e,
            f"score with all contributions, {start:,} to {top:,} cases: exponent",
            exponent({n: score_s[n] for n in upper}),
            1.05,
            True,
            "",
        ),
        Figure(
            part_e,
            f"build features, {start:,} to {top:,} cases: exponent",
            exponent({n: build_s[n] for n in upper}),
            1.05,
            True,
            "",
        ),
        Figure(
            part_e, f"train, {min(train_s):,} to {max(train_s):,} cases: exponent", exponent(train_s), None, True, ""
        ),
        Figure(
            part_f,
            f"score {top:,} cases with all contributions, two processes: peak MB",
            score_mb[top],
            1_500.0,
            True,
            "MB",
        ),
        Figure(
            part_f,
            f"score: peak at {top:,} against peak at {top // 10:,} cases",
            score_mb[top] / score_mb[top // 10],
            None,
            True,
        ),
        Figure(part_f, f"build features of {top:,} cases: peak MB", build_mb[top], None, True, "MB"),
    ]


def _train(n: int) -> float:
    """CPU seconds of one fit on so many cases."""
    cohort = draw("checkpoint", n, 33)
    batch = cohort.batch()
    table = FeatureTable.for_family("checkpoint").fit(batch)
    evidence = EvidenceTerm.fit([arm for arm in arms() if arm.family == "checkpoint"])
    card = {"name": "bench", "endpoint": "orr", "trained_on": "synthetic", "synthetic": True}
    start = cpu()
    fit_response(
        batch, cohort.response, cohort.patient_ids, table=table, evidence=evidence, settings=SETTINGS, card=card
    )
    return cpu() - start
