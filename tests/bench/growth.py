"""(e) and (f): how time grows from 1,000 to 1,000,000 cases, and what memory is needed at most."""

from __future__ import annotations

import shutil
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.sources.synthetic import draw
from tests.bench.timing import Figure, exponent, peak_of
from tests.bench_artefact import write_bench
from tests.flat_tables import of_cohort

FILE, GROUP, DRAWN = 50_000, 25_000, 200_000
"""Cases per file of the large folder, per row group, and cases that are drawn: more are the same in other pairings."""

SIZES = (1_000, 10_000, 100_000, 1_000_000)

OUTCOME = "objective_response"

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
from features.flat_batch import read_flat
from models.artifact import load_artifact
from serving.bulk.sources import source_of

table = load_artifact(Path(sys.argv[2])).table
for block in source_of(sys.argv[1]).blocks(1 << 16):
    for flat in block.granules():
        for part in flat.parts:
            table.matrix(part.batch)
"""

FIT = """
import sys
from tests.bench.fitting import fit_once

fit_once(int(sys.argv[1]))
"""

TRAIN = """
import sys
from tests.bench.fitting import train_once

if __name__ == "__main__":
    train_once(*sys.argv[1:])
"""


def paired_anew(table: pa.Table, turn: int) -> pa.Table:
    """The cases with findings and TMB of other cases than before, and under other names; turn 0 changes nothing."""
    if not turn:
        return table
    names, cut = table.column_names, table.num_rows * turn // (turn + 2)
    for name in ("alterations", "tmb.mut_per_mb"):
        column = table.column(name)
        rolled = pa.chunked_array([*column.slice(cut).chunks, *column.slice(0, cut).chunks])
        table = table.set_column(names.index(name), name, rolled)
    ids = pc.binary_join_element_wise(str(turn), table.column("case_id"), "-")
    return table.set_column(names.index("case_id"), "case_id", ids)


def _draw(cases: Path, outcomes: Path, name: int, n: int) -> None:
    tables, answers = [], []
    for first in range(name, name + n, GROUP):
        cohort = draw("checkpoint", min(GROUP, name + n - first), 6, start=first)
        tables.append(of_cohort(cohort))
        answers.append(pa.table({OUTCOME: cohort.outcomes.column(OUTCOME)}))
    pq.write_table(pa.concat_tables(answers), outcomes / _named(name), row_group_size=GROUP)
    pq.write_table(pa.concat_tables(tables), cases / _named(name), row_group_size=GROUP)


def _pair(cases: Path, outcomes: Path, name: int) -> None:
    drawn = _named(name % DRAWN)
    shutil.copy(outcomes / drawn, outcomes / _named(name))
    table = paired_anew(pq.read_table(cases / drawn), name // DRAWN)
    pq.write_table(table, cases / _named(name), row_group_size=GROUP)


def _named(start: int) -> str:
    return f"{start:09d}.parquet"


def cases_of(folder: Path, n: int) -> tuple[Path, Path]:
    """Folders of so many cases and their outcomes, written once, in files of 50,000."""
    place, outcomes, whole = folder / f"cases-{n}", folder / f"outcomes-{n}", folder / f"cases-{n}.written"
    if not whole.exists():
        for one in (place, outcomes):
            one.mkdir(parents=True, exist_ok=True)
        drawn = range(0, min(n, DRAWN), FILE)
        with ProcessPoolExecutor(2, get_context("spawn")) as pool:
            list(pool.map(partial(_draw, place, outcomes), drawn, [min(FILE, n - start) for start in drawn]))
            list(pool.map(partial(_pair, place, outcomes), range(DRAWN, n, FILE)))
        whole.touch()
    return place, outcomes


def _as_script(folder: Path, name: str, code: str) -> str:
    """Return code that runs a file: processes that are spawned look for the main module there."""
    script = folder / f"{name}.py"
    script.write_text(code, encoding="utf-8")
    return f"import runpy, sys; sys.argv[0] = {str(script)!r}; runpy.run_path({str(script)!r}, run_name='__main__')"


def figures(folder: Path, largest: int = SIZES[-1]) -> list[Figure]:
    """Exponents of CPU time (1 is linear) and peak memory of processes of their own."""
    artifact = str(write_bench(folder))
    scoring, training = _as_script(folder, "score", SCORE), _as_script(folder, "train", TRAIN)
    sizes = [n for n in SIZES if n <= largest]
    mb: dict[str, dict[int, float]] = {"score": {}, "build": {}, "fit": {}, "train": {}}
    seconds: dict[str, dict[int, float]] = {name: {} for name in mb}
    for n in sizes:
        cases, outcomes = map(str, cases_of(folder, n))
        work = {
            "score": (scoring, cases, artifact, str(folder / "large.parquet"), "all", "2"),
            "build": (BUILD, cases, artifact),
            "fit": (FIT, str(n)),
            "train": (training, cases, outcomes),
        }
        for name, words in work.items():
            if n in FITTED.get(name, sizes):
                mb[name][n], seconds[name][n] = peak_of(*words)
    return [*_growth(seconds), *_memory(mb)]


FITTED = {"fit": (1_000, 10_000), "train": (10_000, 100_000, 1_000_000)}
"""Cases of whole fits in one process, which make dozens of smaller ones each; beyond, it is training.distributed."""

WHAT = {
    "score": ("score with all contributions", 1.05),
    "build": ("build features", 1.05),
    "fit": ("train, folds and all, in one process", None),
    "train": ("train on two Dask workers", None),
}


def _growth(seconds: dict[str, dict[int, float]]) -> list[Figure]:
    """Exponents from 10,000 cases on where there are larger ones: below, starting the process is all."""
    found = []
    for name, by_size in seconds.items():
        what, bar = WHAT[name]
        upper = {n: s for n, s in by_size.items() if n >= 10_000 or max(by_size) <= 10_000}
        if len(upper) > 1:
            words = f"{what}, {min(upper):,} to {max(upper):,} cases: exponent"
            found.append(Figure("e growth", words, exponent(upper), bar, True, ""))
    return found


def _memory(mb: dict[str, dict[int, float]]) -> list[Figure]:
    found = []
    for name, by_size in mb.items():
        if not by_size:
            continue
        what, top = WHAT[name][0], max(by_size)
        bar = 1_500.0 if name == "score" else None
        found.append(Figure("f memory", f"{what}, {top:,} cases: peak MB", by_size[top], bar, True, "MB"))
        if top // 10 in by_size:
            words = f"{what}: peak at {top:,} against peak at {top // 10:,} cases"
            found.append(Figure("f memory", words, by_size[top] / by_size[top // 10], None, True))
    return found
