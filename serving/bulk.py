"""Scoring many cases into one Parquet table: one row per case, in input order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from features.case import read_case, read_case_json
from features.errors import InvalidCase, Refusal
from features.flat_rows import case_of_row
from features.from_cases import batch_of
from models.answer import scored_columns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from features.batch import Batch, FloatArray
    from features.case import Case
    from models.response import ResponseModel

BLOCK = 10_000
"""Cases scored at a time."""


class UnreadableCases(Refusal):
    """The input is neither a cohort folder nor JSON Lines nor Parquet."""

    code: ClassVar[str] = "unreadable_cases"


@dataclass(frozen=True)
class Scored:
    """What a run of :func:`score` did."""

    cases: int
    predicted: int
    abstained: int
    refused: int


def score(source: Path, model: ResponseModel, out: Path, progress: Callable[[int], None] | None = None) -> Scored:
    """Score every case of ``source`` and write ``out``.

    Parameters
    ----------
    source
        A cohort folder, a JSON Lines file of cases, or a Parquet file with one column per dotted path.
    model
        The model that scores them all; cases of therapies it does not know are abstained, with the reason.
    out
        Parquet: ``case_id, status, reasons, probability, interval_low, interval_high, log_odds, base_log_odds`` and
        one ``phi:<feature>`` column per feature. A case that cannot be read has status ``refused`` and the codes of
        its refusal as reasons, joined by ``;``; numbers are null unless the status is ``predicted``.
    progress
        Called with the number of cases done after every block.
    """
    counts = {"predicted": 0, "abstained": 0, "refused": 0}
    writer: pq.ParquetWriter | None = None
    done = 0
    try:
        for block in _blocks(source):
            table = _table(block, model)
            writer = writer or pq.ParquetWriter(out, table.schema, compression="zstd")
            writer.write_table(table)
            for status in table.column("status").to_pylist():
                counts[status] += 1
            done += table.num_rows
            if progress:
                progress(done)
    finally:
        if writer is not None:
            writer.close()
    if writer is None:
        raise UnreadableCases(f"{source} holds no case")
    return Scored(done, **counts)


@dataclass(frozen=True)
class Block:
    """Some cases in input order: those that could be read as a batch, the others as refusals."""

    ids: list[str | None]
    batch: Batch
    rows: list[int]
    refused: dict[int, Refusal]


def _blocks(source: Path) -> Iterator[Block]:
    if (source / "cohort.json").is_file():
        yield from _cohort_blocks(source)
    elif source.suffix in {".jsonl", ".ndjson"} and source.is_file():
        with source.open("rb") as lines:
            yield from _read_blocks(line for line in lines if line.strip())
    elif source.suffix == ".parquet" and source.is_file():
        yield from _read_blocks(_parquet_rows(source))
    else:
        raise UnreadableCases(
            f"{source} is no cohort folder, no .jsonl and no .parquet file",
            way_out="Give a folder with cohort.json, JSON Lines of cases, or Parquet with dotted columns.",
        )


def _cohort_blocks(folder: Path) -> Iterator[Block]:
    from features.cohort import Cohort

    cohort = Cohort.load(folder)
    for start in range(0, len(cohort), BLOCK):
        part = cohort.take(np.arange(start, min(start + BLOCK, len(cohort))))
        batch = part.batch()
        yield Block(batch.texts["case_id"].texts(), batch, list(range(batch.n)), {})


def _parquet_rows(path: Path) -> Iterator[dict[str, Any]]:
    for block in pq.ParquetFile(path).iter_batches(BLOCK):
        yield from block.to_pylist()


def _read_blocks(entries: Iterator[bytes | dict[str, Any]]) -> Iterator[Block]:
    block: list[Case | Refusal] = []
    for place, entry in enumerate(entries):
        block.append(_read(entry, place))
        if len(block) == BLOCK:
            yield _block(block)
            block = []
    if block:
        yield _block(block)


def _read(entry: bytes | dict[str, Any], place: int) -> Case | Refusal:
    try:
        return read_case_json(entry) if isinstance(entry, bytes) else read_case(case_of_row(entry))
    except InvalidCase as invalid:
        invalid.record = invalid.record or f"case number {place + 1}"
        return invalid


def _block(entries: list[Case | Refusal]) -> Block:
    refused = {place: entry for place, entry in enumerate(entries) if isinstance(entry, Refusal)}
    read = [entry for entry in entries if not isinstance(entry, Refusal)]
    ids = [None if isinstance(entry, Refusal) else entry.case_id for entry in entries]
    return Block(ids, batch_of(read), [place for place in range(len(entries)) if place not in refused], refused)


def _table(block: Block, model: ResponseModel) -> pa.Table:
    """Place the columns of the cases that could be read among all; a refused case has nulls and its codes."""
    n = len(block.ids)
    scored = scored_columns(model.answers(block.batch))
    status, reasons = ["refused"] * n, [""] * n
    for row, place in enumerate(block.rows):
        status[place], reasons[place] = scored["status"][row], scored["reasons"][row]
    for place, refusal in block.refused.items():
        problems = refusal.problems if isinstance(refusal, InvalidCase) else (refusal,)
        reasons[place] = ";".join(problem.code for problem in problems)
    texts = {"case_id": block.ids, "status": status, "reasons": reasons}
    numbers = {name: values for name, values in scored.items() if name not in texts}
    return pa.table(
        {
            **{name: pa.array(values, pa.string()) for name, values in texts.items()},
            **{name: _spread(values, block.rows, n) for name, values in numbers.items()},
        }
    )


def _spread(values: FloatArray, rows: list[int], n: int) -> pa.Array:
    """Return the numbers at their places; what is not known is null, not NaN."""
    full = np.full(n, np.nan)
    full[rows] = values
    return pa.array(full, pa.float64(), mask=np.isnan(full))
