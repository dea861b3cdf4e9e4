"""What is to be scored, and in which blocks: Parquet (file, folder, glob, object store), JSON Lines, a cohort."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import fsspec
import numpy as np
import pyarrow as pa

from features.case import Case, read_case_json
from features.errors import InvalidCase, Refusal, seen_text
from features.flat_batch import FlatBatch, Part, read_flat
from features.from_cases import batch_of
from serving.bulk.rows import GRANULE, ParquetRows, parquet_rows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from features.cohort import Cohort

LINES = (".jsonl", ".ndjson")
WAY_OUT = (
    "Give a folder with cohort.json, Parquet with dotted columns (a file, a folder, a glob), or JSON Lines of cases."
)


class UnreadableCases(Refusal):
    """The input is neither a cohort folder nor JSON Lines nor Parquet."""

    code: ClassVar[str] = "unreadable_cases"


class Block(Protocol):
    """Some consecutive cases that one worker scores; it travels, so it holds places or bytes, no open file."""

    @property
    def first(self) -> int:
        """Place of its first case in the whole input."""
        ...

    def granules(self) -> Iterator[FlatBatch]:
        """Read the cases, a granule at a time."""
        ...


class Source(Protocol):
    """Cases in blocks, in input order.

    Attributes
    ----------
    rows
        Cases of each file, in order.
    """

    rows: list[int]

    @property
    def n(self) -> int:
        """Number of cases."""
        ...

    def blocks(self, size: int) -> Iterator[Block]:
        """Yield blocks of ``size`` cases (a multiple of the granule); the last of each file is shorter."""
        ...

    def fingerprint(self) -> list[Any]:
        """Return what tells this input from another, JSON-ready: names, sizes, dates; nothing of a patient."""
        ...


class Counted:
    """A source that knows how many cases each of its files has."""

    rows: list[int]

    @property
    def n(self) -> int:
        """Number of cases."""
        return sum(self.rows)


# --- Parquet ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ParquetBlock:
    """Rows ``start`` to ``stop`` of a Parquet file."""

    first: int
    url: str
    start: int
    stop: int

    def granules(self) -> Iterator[FlatBatch]:
        """Read the rows, a granule at a time."""
        return map(read_flat, parquet_rows(self.url).granules(self.start, self.stop))


class ParquetSource(Counted):
    """Parquet files, in the order of their names."""

    def __init__(self, urls: Sequence[str]) -> None:
        self._urls = list(urls)
        self.rows = [_rows_in(url) for url in urls]

    def blocks(self, size: int) -> Iterator[Block]:
        """Yield blocks; no block spans two files."""
        first = 0
        for url, rows in zip(self._urls, self.rows, strict=True):
            for start in range(0, rows, size):
                yield ParquetBlock(first + start, url, start, min(start + size, rows))
            first += rows

    def fingerprint(self) -> list[Any]:
        """Return name, rows and the store's own mark (size and date, or an etag) of each file."""
        marks = []
        for url, rows in zip(self._urls, self.rows, strict=True):
            store, path = fsspec.core.url_to_fs(url)
            marks.append([Path(path).name, rows, str(store.checksum(path))])
        return marks


def _rows_in(url: str) -> int:
    try:
        return ParquetRows(url).n
    except (OSError, pa.ArrowInvalid) as error:
        raise UnreadableCases(f"{url} cannot be read as Parquet", way_out=WAY_OUT) from error


# --- JSON Lines ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class LinesBlock:
    """Some lines of JSON, one case each."""

    first: int
    lines: tuple[bytes, ...]

    def granules(self) -> Iterator[FlatBatch]:
        """Read the lines, a granule at a time."""
        for start in range(0, len(self.lines), GRANULE):
            yield read_lines(self.lines[start : start + GRANULE])


def read_lines(lines: Sequence[bytes]) -> FlatBatch:
    """Read cases of one JSON object a line."""
    read: dict[int, Case] = {}
    refused: dict[int, InvalidCase] = {}
    for row, line in enumerate(lines):
        try:
            read[row] = read_case_json(line)
        except InvalidCase as refusal:
            refused[row] = refusal
    parts = (Part(np.array(list(read), dtype=np.int64), batch_of(list(read.values()))),) if read else ()
    ids = [read[row].case_id if row in read else None for row in range(len(lines))]
    return FlatBatch(len(lines), parts, refused, ids)


class LinesSource(Counted):
    """A JSON Lines file; empty lines are passed over."""

    def __init__(self, url: str) -> None:
        self._url = url
        self.rows = [sum(1 for _ in self._lines())]

    def _lines(self) -> Iterator[bytes]:
        with fsspec.open(self._url, "rb") as lines:
            yield from (line for line in lines if line.strip())

    def blocks(self, size: int) -> Iterator[Block]:
        """Yield blocks of lines."""
        held: list[bytes] = []
        first = 0
        for line in self._lines():
            held.append(line)
            if len(held) == size:
                yield LinesBlock(first, tuple(held))
                first, held = first + size, []
        if held:
            yield LinesBlock(first, tuple(held))

    def fingerprint(self) -> list[Any]:
        """Return name, cases and the store's own mark."""
        store, path = fsspec.core.url_to_fs(self._url)
        return [Path(path).name, self.n, str(store.checksum(path))]


# --- cohorts ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class CohortBlock:
    """Some cases of a cohort, already laid out: cohorts are of a size that was trained on."""

    first: int
    parts: tuple[Cohort, ...]

    def granules(self) -> Iterator[FlatBatch]:
        """Lay the cases out, a granule at a time."""
        for part in self.parts:
            batch = part.batch()
            whole = Part(np.arange(batch.n), batch)
            yield FlatBatch(batch.n, (whole,), {}, batch.texts["case_id"].texts())


class CohortSource(Counted):
    """A cohort's folder, loaded whole: its content is checked against its hash first."""

    def __init__(self, folder: Path) -> None:
        from features.cohort import Cohort

        self._cohort = Cohort.load(folder)
        self.rows = [len(self._cohort)]

    def blocks(self, size: int) -> Iterator[Block]:
        """Yield blocks of cases."""
        for first in range(0, self.n, size):
            starts = range(first, min(first + size, self.n), GRANULE)
            yield CohortBlock(first, tuple(self._part(start) for start in starts))

    def _part(self, start: int) -> Cohort:
        return self._cohort.take(np.arange(start, min(start + GRANULE, self.n)))

    def fingerprint(self) -> list[Any]:
        """Return the content hash."""
        return [self._cohort.content_hash]


def source_of(place: str | Path) -> Source:
    """Return the cases at a place.

    Parameters
    ----------
    place
        A cohort folder; a Parquet file, a folder of them, a glob; a JSON Lines file; local or any address that fsspec
        knows (``s3://bucket/cases/*.parquet``; the store's own package must be installed).

    Raises
    ------
    UnreadableCases
        When nothing there can be read as cases.
    """
    text = str(place)
    if (Path(text) / "cohort.json").is_file():
        return CohortSource(Path(text))
    try:
        store, path = fsspec.core.url_to_fs(text)
        found = _files(store, path)
    except (OSError, ValueError, ImportError) as error:
        raise UnreadableCases(f"{seen_text(text)} cannot be reached: {error}", way_out=WAY_OUT) from error
    if len(found) == 1 and found[0].endswith(LINES):
        return LinesSource(store.unstrip_protocol(found[0]))
    if found and all(name.endswith(".parquet") for name in found):
        return ParquetSource([store.unstrip_protocol(name) for name in found])
    raise UnreadableCases(f"{text} is no cohort folder, no .jsonl and no .parquet file", way_out=WAY_OUT)


def _files(store: Any, path: str) -> list[str]:
    if any(mark in path for mark in "*?["):
        return sorted(name for name in store.glob(path) if store.isfile(name))
    if store.isdir(path):
        return sorted(name for name in store.find(path) if name.endswith(".parquet"))
    return [path] if store.isfile(path) else []
