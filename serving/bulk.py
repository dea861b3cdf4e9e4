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

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from models.response import Answers, ResponseModel

    from features.batch import Batch
    from features.case import Case

BLOCK = 10_000
"""Cases scored at a time."""

NUMBERS = ("probability", "interval_low", "interval_high", "log_odds", "base_log_odds")


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
        its refusal as reasons; numbers are null unless the status is ``predicted``.
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
    for start in range(0, cohort.n, BLOCK):
        part = cohort.take(np.arange(start, min(start + BLOCK, cohort.n)))
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
    n = len(block.ids)
    answers = model.answers(block.batch)
    status = np.full(n, "refused", dtype=object)
    status[block.rows] = ["predicted" if ok else "abstained" for ok in answers.predicted]
    columns: dict[str, Any] = {
        "case_id": pa.array(block.ids, pa.string()),
        "status": pa.array(status.tolist(), pa.string()),
        "reasons": pa.array(_reasons(block, answers, n), pa.list_(pa.string())),
    }
    for name, values in zip(NUMBERS, answers.numbers(), strict=True):
        columns[name] = _spread(values, answers.predicted, block.rows, n)
    for place, feature in enumerate(answers.features):
        columns[f"phi:{feature.name}"] = _spread(answers.phi[:, place], answers.predicted, block.rows, n)
    return pa.table(columns)


def _reasons(block: Block, answers: Answers, n: int) -> list[list[str]]:
    reasons: list[list[str]] = [[] for _ in range(n)]
    for row, place in enumerate(block.rows):
        reasons[place] = [reason.code for reason in answers.reasons[row]]
    for place, refusal in block.refused.items():
        problems = refusal.problems if isinstance(refusal, InvalidCase) else (refusal,)
        reasons[place] = [problem.code for problem in problems]
    return reasons


def _spread(values: Any, predicted: Any, rows: list[int], n: int) -> pa.Array:
    """Place the numbers of answered cases among all; everything else is null, not NaN."""
    full, known = np.zeros(n), np.zeros(n, dtype=bool)
    full[rows] = np.where(predicted, values, 0.0)
    known[rows] = predicted
    return pa.array(full, pa.float64(), mask=~known)
