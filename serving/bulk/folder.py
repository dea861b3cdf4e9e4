"""Finished blocks on disk: what an interrupted run goes on from, and the one file they become.

Beside the output stands ``<output>.parts/``: ``run.json`` (what is scored with what) and a file per finished block,
each put in place whole. It is removed when the output is complete.
"""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq

from features.errors import Refusal
from serving.bulk.columns import STATUSES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from serving.bulk.scoring import ScoredBlock

ROW_GROUP = 65_536
"""Rows of a row group of the output."""

RUN = "run.json"
TEXTS = ["status", "reasons"]


class AnotherRun(Refusal):
    """Blocks of another run lie where this one would put its own: other cases, another model, other columns."""

    code = "another_run"


class RunFolder:
    """The folder of a run that is not finished.

    Parameters
    ----------
    out
        Where the output goes; local, or an address that fsspec knows (the folder is then in the working directory).
    about
        What makes two runs the same, JSON-ready.
    block
        Cases per block; a run that goes on keeps the size it was started with.
    """

    def __init__(self, out: str, about: dict[str, Any], block: int) -> None:
        self.out, self.block = out, block
        self.path = Path(f"{out}.parts") if is_local(out) else Path(f"{Path(out).name}.parts")
        self._about = about

    def open(self, restart: bool) -> set[int]:
        """Make the folder, or find it; return the numbers of the blocks that are done.

        Raises
        ------
        AnotherRun
            When it belongs to another run, and ``restart`` is False.
        """
        if restart:
            shutil.rmtree(self.path, ignore_errors=True)
        kept = self._kept()
        if kept is None:
            shutil.rmtree(self.path, ignore_errors=True)
            self.path.mkdir(parents=True)
            self._put(RUN, json.dumps({"about": self._about, "block": self.block}).encode())
            return set()
        if kept["about"] != json.loads(json.dumps(self._about)):
            raise AnotherRun(
                f"{self.path} holds blocks of a run with other cases, another model or other columns",
                way_out="Name another --out, or throw those blocks away with --restart.",
            )
        self.block = int(kept["block"])
        return {int(path.stem) for path in self.path.glob("*.arrow")}

    def _kept(self) -> dict[str, Any] | None:
        try:
            found = json.loads((self.path / RUN).read_bytes())
        except (OSError, ValueError):
            return None
        return found if isinstance(found, dict) and {"about", "block"} <= set(found) else None

    def keep(self, number: int, scored: ScoredBlock) -> None:
        """Put a finished block in place; its table last, because that is what says that it is finished."""
        self._put(f"{number:08d}.jsonl", scored.refused)
        self._put(f"{number:08d}.arrow", scored.table)

    def _put(self, name: str, content: bytes) -> None:
        aside = self.path / f"{name}.writing"
        aside.write_bytes(content)
        os.replace(aside, self.path / name)  # noqa: PTH105  # one call, and atomic

    def finish(self, blocks: int) -> Counter[str]:
        """Write the output and the refused rows from the blocks, in order; return the cases by status."""
        counts: Counter[str] = Counter(dict.fromkeys(STATUSES, 0))
        with _written(self.out) as sink:
            writer: pq.ParquetWriter | None = None
            for table in _regrouped(self._tables(blocks)):
                writer = writer or pq.ParquetWriter(sink, table.schema, compression="zstd", use_dictionary=TEXTS)
                writer.write_table(table, row_group_size=ROW_GROUP)
                counts.update(table.column("status").to_pylist())
            if writer is not None:
                writer.close()
        self._write_refused(blocks, counts["refused"])
        shutil.rmtree(self.path)
        return counts

    def _tables(self, blocks: int) -> Iterator[pa.RecordBatch]:
        for number in range(blocks):
            with pa.OSFile(str(self.path / f"{number:08d}.arrow")) as file, pa.ipc.open_stream(file) as stream:
                yield from stream

    def _write_refused(self, blocks: int, refused: int) -> None:
        place = refused_beside(self.out)
        if not refused:
            store, path = fsspec.core.url_to_fs(place)
            if store.exists(path):
                store.rm(path)
            return
        with _written(place) as sink:
            for number in range(blocks):
                sink.write((self.path / f"{number:08d}.jsonl").read_bytes())


def _regrouped(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.Table]:
    """Yield tables of exactly a row group's rows, counted from the first row; the last one is shorter."""
    held: list[pa.RecordBatch] = []
    rows = 0
    for batch in batches:
        held.append(batch)
        rows += batch.num_rows
        if rows >= ROW_GROUP:
            whole = pa.Table.from_batches(held)
            yield whole.slice(0, ROW_GROUP)
            held = whole.slice(ROW_GROUP).to_batches()
            rows -= ROW_GROUP
    if rows:
        yield pa.Table.from_batches(held)


def refused_beside(out: str) -> str:
    """Return where the refused rows go.

    Examples
    --------
    >>> refused_beside("oak.parquet")
    'oak.refused.jsonl'
    """
    return f"{out.removesuffix('.parquet')}.refused.jsonl"


def is_local(out: str) -> bool:
    """Say whether an address is a path of this machine."""
    return "://" not in out


@contextmanager
def _written(place: str) -> Iterator[IO[bytes]]:
    """Open a file for writing; a local one appears under its name only when it is whole."""
    if not is_local(place):
        with fsspec.open(place, "wb") as sink:
            yield sink
        return
    Path(place).parent.mkdir(parents=True, exist_ok=True)
    aside = Path(f"{place}.writing")
    with aside.open("wb") as sink:
        yield sink
    aside.replace(place)
