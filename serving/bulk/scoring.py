"""One block, scored: the function that every worker runs, here, in a process beside, or on another machine."""

from __future__ import annotations

import gc
import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
from threadpoolctl import threadpool_limits

from serving.bulk.columns import STATUSES, scored_table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from features.errors import InvalidCase
    from models.response import ResponseModel
    from serving.bulk.columns import Contributions
    from serving.bulk.sources import Block

PACKING = pa.ipc.IpcWriteOptions(compression="lz4")


@dataclass(frozen=True)
class ScoredBlock:
    """What a worker hands back.

    Attributes
    ----------
    counts
        Cases by status.
    table
        The scored rows as an Arrow stream, a batch per granule.
    refused
        The refused rows as JSON Lines: place in the input, codes, fields and why.
    """

    counts: dict[str, int]
    table: bytes
    refused: bytes

    @property
    def cases(self) -> int:
        """Number of cases, the refused among them."""
        return sum(self.counts.values())


def score_block(block: Block, model: ResponseModel, contributions: Contributions) -> ScoredBlock:
    """Read and score one block; a row that is no case is set aside with its reasons and stops nothing.

    Parameters
    ----------
    block
        The cases.
    model
        From :func:`models.bulk_model.for_bulk`.
    contributions
        ``all``, ``grouped`` or ``none``.
    """
    counts, refused, tables, first = dict.fromkeys(STATUSES, 0), [], [], block.first
    with threadpool_limits(1), _collector_rests():  # sums over several threads would be in another order
        for flat in block.granules():
            table = scored_table(flat, model, contributions)
            for entry in pc.value_counts(table.column("status")).to_pylist():
                counts[entry["values"]] += entry["counts"]
            refused += [_line(first + row, refusal) for row, refusal in sorted(flat.refused.items())]
            tables.append(table)
            first += flat.n
    return ScoredBlock(counts, _packed(tables), b"".join(refused))


@contextmanager
def _collector_rests() -> Iterator[None]:
    """Keep Python's collector from walking a million objects every few thousand cases; it works between blocks."""
    working = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        pa.default_memory_pool().release_unused()  # the next block asks anew; kept pages would add up over hours
        if working:
            gc.enable()


def _packed(tables: list[pa.Table]) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, tables[0].schema, options=PACKING) as writer:
        for table in tables:
            writer.write_table(table)
    return bytes(sink.getvalue())


def _line(row: int, refusal: InvalidCase) -> bytes:
    """Return a refused row as a line: it is the user's own file and says what was seen, as every refusal does."""
    found: dict[str, Any] = {"row": row, "problems": [problem.to_dict() for problem in refusal.problems]}
    return (json.dumps(found, ensure_ascii=False, sort_keys=True) + "\n").encode()
