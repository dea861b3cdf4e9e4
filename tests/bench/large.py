"""Once, by hand, on a quiet machine: ten million cases streamed, and five million trained on beyond a memory limit.

    python -m tests.bench.large FOLDER [--cases 5000000] [--memory 1.5GB] [--trees 60] [--stream 2]

FOLDER keeps the synthetic cases (about 0.6 GB for 5 million) and their outcomes, drawn once. ``--stream`` scores them
so many times over, in other pairings, probability alone, and prints the memory of all processes every few seconds; 0
leaves that out, and ``--trees 0`` the training.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
from scipy.sparse import vstack

from features.sources.synthetic import draw
from models.boosted_fit import parameters
from models.metrics import auroc
from models.settings import BoostedSettings, LinearSettings, ResponseSettings
from tests.bench.fitting import CARD, LEFT_OUT, evidence
from tests.bench.growth import SCORE, paired_anew
from tests.bench_artefact import write_bench
from tests.conftest import ROOT
from tests.flat_tables import of_cohort
from training import distributed_parts as parts
from training.distributed import Recipe, solved, train

FILE, GROUP = 100_000, 25_000
"""Cases per file, and per row group: a row group is a partition."""


def written(folder: Path, n: int) -> tuple[Path, Path]:
    """Draw the cases and their outcomes, file by file; files that are there stay."""
    cases, outcomes = folder / "cases", folder / "outcomes"
    cases.mkdir(parents=True, exist_ok=True)
    outcomes.mkdir(exist_ok=True)
    for number, start in enumerate(range(0, n, FILE)):
        name = f"{number:03d}.parquet"
        if not (cases / name).exists():
            _write(cases / name, outcomes / name, start, min(FILE, n - start))
    return cases, outcomes


def _write(cases: Path, outcomes: Path, start: int, n: int) -> None:
    tables, answers = [], []
    for first in range(start, start + n, GROUP):
        cohort = draw("checkpoint", min(GROUP, start + n - first), 77, start=first)
        tables.append(of_cohort(cohort))
        answers.append(pa.table({"objective_response": cohort.outcomes.column("objective_response")}))
    pq.write_table(pa.concat_tables(answers), outcomes, row_group_size=GROUP)
    pq.write_table(pa.concat_tables(tables), cases.with_suffix(".writing"), row_group_size=GROUP, compression="zstd")
    cases.with_suffix(".writing").replace(cases)


def many(folder: Path, cases: Path, times: int) -> Path:
    """The cases several times over, in other pairings: each turn has findings and TMB of other cases than the last."""
    place = folder / "many"
    place.mkdir(exist_ok=True)
    for path in sorted(cases.glob("*.parquet")):
        for turn in range(times):
            found = place / f"{turn}-{path.name}"
            if found.exists():
                continue
            if not turn:
                os.link(path, found)
                continue
            pq.write_table(paired_anew(pq.read_table(path), turn), found, row_group_size=GROUP, compression="zstd")
    return place


def stream(folder: Path, cases: Path, times: int, every: float = 5.0) -> None:
    """Score the cases several times over as one run, and write how memory goes: seconds, MB, MB of shared pages split.

    The second number adds resident memory (pages that processes share count more than once), the third proportional.
    """
    artifact, script, place = write_bench(folder / "bench"), folder / "score.py", many(folder, cases, times)
    script.write_text(SCORE, encoding="utf-8")
    out = folder / "streamed.parquet"
    words = [sys.executable, str(script), str(place), str(artifact), str(out), "none", "2"]
    with subprocess.Popen(words, env={**os.environ, "PYTHONPATH": str(ROOT)}) as run:
        tree, start = psutil.Process(run.pid), time.monotonic()
        while run.poll() is None:
            done = len(list(Path(f"{out}.parts").glob("*.arrow")))
            print(f"{time.monotonic() - start:6.0f} s {done:6d} blocks {_memory(tree)}", flush=True)
            time.sleep(every)
    print(f"{pq.ParquetFile(out).metadata.num_rows:,} cases scored")


def _memory(tree: psutil.Process) -> str:
    found = []
    for process in (tree, *tree.children(recursive=True)):
        with suppress(psutil.Error):
            memory = process.memory_full_info()
            found.append((memory.rss / 1e6, getattr(memory, "pss", memory.rss) / 1e6))
    each = " ".join(f"{resident:.0f}" for resident, _ in found)
    return f"{sum(one for one, _ in found):6.0f} MB {sum(one for _, one in found):6.0f} MB  each {each}"


class Here:
    """Stands for Dask's client where everything is done at once, in this process."""

    def submit(self, function: Any, *arguments: Any, **_: Any) -> Any:
        """Do it now."""
        return function(*arguments)

    def gather(self, found: Any) -> Any:
        """Nothing is anywhere else."""
        return found


def compare(cases: Path, outcomes: Path, memory: str, trees: int) -> None:
    """Train on Dask under a memory limit, then in memory without one, and print both AUROC."""
    files = [[str(path) for path in sorted(place.glob("*.parquet"))] for place in (cases, outcomes)]
    partitions = parts.partitions_of(*files)
    boosted = BoostedSettings(seeds=1, trees=trees)
    settings = ResponseSettings(linear=LinearSettings(penalties=(30.0,), tuned_groups=()), boosted=boosted, folds=3)
    told, start = evidence(), time.monotonic()
    found = train(partitions, Recipe("checkpoint", settings, told, CARD, LEFT_OUT), "local", 2, memory)
    print(f"Dask: {found.cases:,} cases, AUROC {found.auroc:.5f}, {time.monotonic() - start:.0f} s", flush=True)
    table = found.model.table
    kept = [parts.features_of(one, table, told) for one in partitions]
    linear = solved(Here(), kept, found.model, settings)
    y = np.concatenate([one.y[~one.held] for one in kept])
    begin = np.concatenate([parts.starts(one, linear.centre, linear.scale, linear.beta) for one in kept])
    wanted = parameters(settings.boosted, table.columns, len(y), settings.seed)
    matrix = vstack([one.matrix[~one.held] for one in kept], format="csr")
    booster = lightgbm.train(wanted, lightgbm.Dataset(matrix, label=y, init_score=begin, params=wanted), trees)
    z, held = [], []
    for one in kept:
        for rows, of_arms, outcome in one.chunks(held=True):
            design = parts.design_of(rows, of_arms, linear.centre, linear.scale)
            z.append(design @ linear.beta + booster.predict(rows, raw_score=True, num_threads=1))
            held.append(outcome)
    theirs = auroc(np.concatenate(held), np.concatenate(z), np.ones(sum(map(len, z))))
    print(f"in memory: AUROC {theirs:.5f}, difference {abs(theirs - found.auroc):.5f}", flush=True)


def main() -> None:
    """Run both."""
    asked = argparse.ArgumentParser()
    asked.add_argument("folder", type=Path)
    asked.add_argument("--cases", type=int, default=5_000_000)
    asked.add_argument("--memory", default="1.5GB")
    asked.add_argument("--trees", type=int, default=60)
    asked.add_argument("--stream", type=int, default=2)
    given = asked.parse_args()
    cases, outcomes = written(given.folder, given.cases)
    if given.stream:
        stream(given.folder, cases, given.stream)
    if given.trees:
        compare(cases, outcomes, given.memory, given.trees)


if __name__ == "__main__":
    main()
