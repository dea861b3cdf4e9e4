"""Reading a source file into columns of text: CSV, TSV (also gzipped), Excel or Parquet, exactly as it stands.

Nothing is guessed: no value is taken for missing, and no column for a number, until the manifest says so. pandas is
imported here only, when a file is read.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import re
import zipfile
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from features.errors import seen_text
from features.sources.manifest_refusals import MissingColumn, SourceNotFound, UnknownSheet, UnreadableSource
from features.sources.manifest_schema import code_text
from features.vocabulary import nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    import pandas as pd

    from features.sources.manifest_schema import Keep, TableFile

Texts = list[str | None]

_KINDS = {".csv": "csv", ".tsv": "tsv", ".txt": "tsv", ".xlsx": "excel", ".xls": "excel", ".parquet": "parquet"}


@dataclass(frozen=True)
class SourceTable:
    """A source as columns of text; None where the source says missing.

    Attributes
    ----------
    numbers
        Row numbers in the source, counted from 1 below the header.
    """

    name: str
    digest: str
    columns: Mapping[str, Texts]
    numbers: Sequence[int]
    decimal: str = "."

    def __len__(self) -> int:
        return len(self.numbers)

    def column(self, name: str) -> Texts:
        """Return a column.

        Raises
        ------
        MissingColumn
            With the nearest names.
        """
        if name not in self.columns:
            close = nearest(name, self.columns)
            raise MissingColumn(
                "is not a column of the source",
                field=name,
                record=self.name,
                allowed=close or tuple(self.columns),
                way_out="Correct the manifest, or mark the rule `optional: true` when a source may lack it.",
            )
        return self.columns[name]

    def take(self, rows: Sequence[int]) -> SourceTable:
        """Return some rows, by place."""
        return SourceTable(
            self.name,
            self.digest,
            {name: [values[row] for row in rows] for name, values in self.columns.items()},
            [self.numbers[row] for row in rows],
            self.decimal,
        )


def kind_of(path: Path) -> str:
    """Return the kind of a file by its name; ``.gz`` is looked through.

    Examples
    --------
    >>> from pathlib import Path
    >>> kind_of(Path("SNV.txt.gz")), kind_of(Path("AllData.xlsx"))
    ('tsv', 'excel')
    """
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() not in (".gz", ".bz2", ".xz")]
    kind = _KINDS.get(suffixes[-1] if suffixes else "")
    if kind is None:
        raise UnreadableSource(
            "is of no kind that is known by its name",
            record=path.name,
            way_out="Say `kind:` csv, tsv, excel or parquet.",
        )
    return kind


def read_source(path: Path, rule: TableFile) -> SourceTable:
    """Read a file by the rules of the manifest.

    Raises
    ------
    SourceNotFound, UnknownSheet, UnreadableSource
    """
    if not path.is_file():
        raise SourceNotFound(
            "there is no such file",
            record=path.name,
            way_out="Point --source at the file, or at the folder that holds it.",
        )
    frame = _frame(path, rule)
    missing = frozenset(rule.missing)
    columns = {name: _texts(frame.iloc[:, place], missing) for place, name in enumerate(_names(frame, rule))}
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return SourceTable(path.name, digest, columns, range(1, len(frame) + 1), rule.decimal)


def _names(frame: pd.DataFrame, rule: TableFile) -> list[str]:
    by_file = {given: true for true, given in rule.renamed.items()}
    names = [str(name).lstrip("\ufeff").strip() for name in frame.columns]
    return [by_file.get(name, name) for name in names]


def _texts(values: pd.Series[Any], missing: frozenset[str]) -> Texts:
    @cache
    def read(value: object) -> str | None:
        text = (
            "" if value is None or value != value else code_text(value) if not isinstance(value, str) else value.strip()
        )
        return None if text in missing else text

    return [read(value) for value in values.tolist()]


def _frame(path: Path, rule: TableFile) -> pd.DataFrame:
    kind = rule.kind or kind_of(path)
    readers: dict[str, Callable[[Path, TableFile], pd.DataFrame]] = {
        "csv": _separated,
        "tsv": _separated,
        "excel": _sheet,
        "parquet": _parquet,
    }
    return readers[kind](path, rule)


def _separated(path: Path, rule: TableFile) -> pd.DataFrame:
    import pandas as pd

    separator = "," if (rule.kind or kind_of(path)) == "csv" else "\t"
    try:
        return pd.read_csv(
            _without_comments(path, rule),
            sep=separator,
            dtype=str,
            keep_default_na=False,
            na_filter=False,
            encoding=rule.encoding,
            index_col=False,
        )
    except (UnicodeDecodeError, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise UnreadableSource(
            f"cannot be read as {rule.kind or kind_of(path)} in {rule.encoding}: {error}",
            record=path.name,
            way_out="Set `encoding:` or `kind:` in the manifest.",
        ) from error


def _without_comments(path: Path, rule: TableFile) -> Path | io.StringIO:
    """Return the file without the lines that start with the comment mark; a mark inside a line is text."""
    if rule.comment_lines is None:
        return path
    raw = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    lines = raw.decode(rule.encoding).splitlines(keepends=True)
    return io.StringIO("".join(line for line in lines if not line.startswith(rule.comment_lines)))


def _sheet(path: Path, rule: TableFile) -> pd.DataFrame:
    import pandas as pd

    try:
        with pd.ExcelFile(path) as book:
            names = [str(name) for name in book.sheet_names]
            sheet = rule.sheet or names[0]
            if sheet in names:
                return pd.read_excel(book, sheet_name=sheet, dtype=object, keep_default_na=False, na_filter=False)
    except (ValueError, OSError, KeyError, zipfile.BadZipFile) as error:
        raise UnreadableSource(f"is not a spreadsheet: {error}", record=path.name) from error
    close = nearest(sheet, names)
    raise UnknownSheet(
        f"{seen_text(sheet)} is not a sheet of it", field="sheet", record=path.name, allowed=close or names
    )


def _parquet(path: Path, _: TableFile) -> pd.DataFrame:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        frame: pd.DataFrame = pq.read_table(path).to_pandas().astype(object)
    except (pa.ArrowInvalid, OSError) as error:
        raise UnreadableSource(f"is not Parquet: {error}", record=path.name) from error
    return frame


def matching(table: SourceTable, where: Mapping[str, Sequence[str]]) -> list[bool]:
    """Say for each row whether all named columns have one of their values; an absent column matches nothing.

    Values are compared as codes (0 and 0.0 are one); ``""`` stands for missing.
    """
    found = [True] * len(table)
    for name, allowed in where.items():
        values = table.columns.get(name)
        known = {value: (code_text(value) if value is not None else "") in allowed for value in set(values or ())}
        found = [before and values is not None and known[values[row]] for row, before in enumerate(found)]
    return found


def row_filter(table: SourceTable, rule: Keep) -> list[bool]:
    """Say for each row whether a filter keeps it."""
    passed = matching(table, rule.where)
    if rule.unless:
        passed = [keep and not hit for keep, hit in zip(passed, matching(table, rule.unless), strict=True)]
    for name, pattern in rule.matches.items():
        values = table.column(name)
        passed = [
            keep and re.search(pattern, value or "") is not None for keep, value in zip(passed, values, strict=True)
        ]
    return passed
