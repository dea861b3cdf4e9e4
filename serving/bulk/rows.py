"""Rows of a Parquet file in granules; a file is read forward, and a reader that is further on is used again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import fsspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from features.flat import TEXT_PATHS

if TYPE_CHECKING:
    from collections.abc import Iterator

GRANULE = 8_192
"""Cases that are worked on together. Part of what the output's last bits depend on (sums of many numbers are not
associative), so it is a constant and no option."""

BUFFER = 1 << 20
"""Bytes read ahead per column: a row group of a million rows must not be held whole."""

FEW_VALUES = ("gene", "kind", "status", "variant_classification", "level", "origin")
CODED = frozenset(TEXT_PATHS) - {"case_id", "patient_id"}
"""Texts that repeat from case to case, and those of findings that have few values: read as Parquet keeps them."""


def dictionaries(schema: pq.ParquetSchema) -> list[str]:
    """Return the columns that are read as codes instead of texts."""
    columns = (schema.column(place) for place in range(len(schema)))
    texts = (column.path for column in columns if column.physical_type == "BYTE_ARRAY")
    return [path for path in texts if path in CODED or _of_findings(path)]


def _of_findings(path: str) -> bool:
    return path.startswith("alterations.") and path.rpartition(".")[2] in FEW_VALUES


def _batches(file: pq.ParquetFile, group: int) -> Iterator[pa.RecordBatch]:
    """Yield rows from a row group on; each group by itself, because each has dictionaries of its own."""
    for one in range(group, file.metadata.num_row_groups):
        yield from file.iter_batches(GRANULE, row_groups=[one], use_threads=False)


class ParquetRows:
    """A Parquet file, local or in an object store, read forward in granules.

    Parameters
    ----------
    url
        Path, or an address that fsspec knows.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self._open(as_codes=True)
        sizes = [self._file.metadata.row_group(i).num_rows for i in range(self._file.metadata.num_row_groups)]
        self._starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)

    def _open(self, as_codes: bool) -> None:
        file = fsspec.open(self.url, "rb").open()
        coded = dictionaries(pq.read_metadata(file).schema) if as_codes else []
        self._file = pq.ParquetFile(file, buffer_size=BUFFER, pre_buffer=False, read_dictionary=coded)
        self._as_codes, self._position = as_codes, 0
        self._batches: Iterator[pa.RecordBatch] | None = None
        self._rest: pa.RecordBatch | None = None

    @property
    def n(self) -> int:
        """Number of rows."""
        return int(self._starts[-1])

    def granules(self, start: int, stop: int) -> Iterator[pa.Table]:
        """Yield the rows from ``start``, a multiple of the granule, to ``stop``, a granule at a time."""
        self._move_to(start)
        for place in range(start, stop, GRANULE):
            yield self._next(min(GRANULE, stop - place))

    def _move_to(self, start: int) -> None:
        group = int(np.searchsorted(self._starts, start, side="right")) - 1
        if self._batches is None or start < self._position or self._starts[group] > self._position:
            self._batches, self._rest = _batches(self._file, group), None
            self._position = int(self._starts[group])
        if start > self._position:
            self._next(start - self._position)

    def _next(self, wanted: int) -> pa.Table:
        """Return the next rows, however the file's pages lie."""
        start = self._position
        try:
            return self._taken(wanted)
        except pa.ArrowNotImplementedError:  # codes within lists, from pages that are partly codes and partly texts
            if not self._as_codes:
                raise
            self._open(as_codes=False)
            self._move_to(start)
            return self._taken(wanted)

    def _taken(self, wanted: int) -> pa.Table:
        found: list[pa.RecordBatch] = []
        missing = wanted
        while missing:
            batch = self._rest if self._rest is not None else next(self._batches)  # type: ignore[arg-type]
            taken = batch.slice(0, missing)
            self._rest = batch.slice(missing) if batch.num_rows > missing else None
            missing -= taken.num_rows
            found.append(taken)
        self._position += wanted
        return pa.Table.from_batches(found).combine_chunks()


_open: dict[str, ParquetRows] = {}


def parquet_rows(url: str) -> ParquetRows:
    """Return this process's reader of a file; the one before is let go."""
    if url not in _open:
        _open.clear()
        _open[url] = ParquetRows(url)
    return _open[url]
