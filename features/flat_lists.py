"""The lists of flat rows as columns: findings, earlier regimens and tested genes, distinct values looked at once.

What is not certainly good is marked, not refused: :mod:`features.flat_batch` reads those rows one by one.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import ValidationError

from features import finding_levels, genes, remembered
from features.batch import UNKNOWN, Coded, Findings, Priors, regimen_key
from features.case import Alteration, Regimen
from features.cohort_batch import coded
from features.errors import CaseRefusal
from features.flat_rules import ALTERATION_RULES, PRIOR_RULES
from features.from_cases import LEVEL_FIELDS, finding_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from features.batch import FloatArray, IntArray
    from features.flat_rules import Rule

    BoolArray = NDArray[np.bool_]
    Level = tuple[Alteration, tuple[Any, ...]]

BETWEEN = "\x1f"
"""Joins the entries of a list of texts for comparison: the unit separator, which no name holds."""

MEASURED = ("vaf", "cancer_cell_fraction", "copies")
MOST_FINDINGS, MOST_PRIORS = 20_000, 60
"""Entries of a list that the record takes (:class:`features.case.Case`)."""

_LARGEST_KEY = 1 << 62


@dataclass(frozen=True)
class Entries:
    """The entries of a list column, one after another.

    Attributes
    ----------
    row
        Shape (m,): the row each entry belongs to, ascending.
    values
        The entries.
    recorded
        Shape (n,): False where the list is null.
    good
        Shape (n,): False where the list needs to be read entry by entry; further checks take more away.
    """

    row: IntArray
    values: pa.Array
    recorded: BoolArray
    good: BoolArray

    def doubt(self, entries: BoolArray) -> None:
        """Take away the rows of the marked entries."""
        self.good[self.row[entries]] = False


def entries_of(column: pa.Array | None, n: int, most: int) -> Entries:
    """Take a list column apart; None is a column that is not there."""
    if column is None or pa.types.is_null(column.type):
        none = np.zeros(n, dtype=np.bool_)
        return Entries(np.zeros(0, dtype=np.int64), pa.nulls(0), none, ~none)
    recorded = np.asarray(pc.is_valid(column).to_numpy(zero_copy_only=False), dtype=np.bool_)
    if not (pa.types.is_list(column.type) or pa.types.is_large_list(column.type)):
        return Entries(np.zeros(0, dtype=np.int64), pa.nulls(0), recorded, ~recorded)
    lengths = pc.fill_null(pc.list_value_length(column), 0).to_numpy(zero_copy_only=False)
    row = np.repeat(np.arange(n), lengths)
    values = pc.list_flatten(column)
    found = Entries(row, values, recorded, np.asarray(lengths <= most, dtype=np.bool_))
    found.doubt(np.asarray(pc.is_null(values).to_numpy(zero_copy_only=False), dtype=np.bool_))
    return found


def truths(column: pa.Array) -> BoolArray:
    """Return a truth column as numpy, null as False."""
    return np.asarray(pc.fill_null(column, False).to_numpy(zero_copy_only=False), dtype=np.bool_)


def known(column: pa.Array) -> BoolArray:
    """Return where a column is not null."""
    return np.asarray(pc.is_valid(column).to_numpy(zero_copy_only=False), dtype=np.bool_)


def numbers_of(column: pa.Array, rule: Rule) -> tuple[FloatArray, BoolArray]:
    """Return numbers, NaN for null, and which rows are certainly good."""
    kind = column.type
    if column.null_count == len(column):
        return np.full(len(column), np.nan), np.ones(len(column), dtype=np.bool_)
    if rule.kind == "truth":
        if pa.types.is_boolean(kind) or pa.types.is_null(kind):
            values = pc.fill_null(column.cast(pa.float64()), np.nan).to_numpy(zero_copy_only=False)
            return np.asarray(values, dtype=np.float64), np.ones(len(column), dtype=np.bool_)
    elif pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_null(kind):
        values = pc.fill_null(column.cast(pa.float64(), safe=False), np.nan).to_numpy(zero_copy_only=False)
        return np.asarray(values, dtype=np.float64), rule.number(values)
    return np.full(len(column), np.nan), ~known(column)


def texts_of(column: pa.Array, canonical: Callable[[str], str | None]) -> tuple[Coded, BoolArray]:
    """Return texts in their canonical spelling, and which rows are certainly good; each distinct one is asked once."""
    if column.null_count == len(column):
        return Coded(np.full(len(column), UNKNOWN), ()), np.ones(len(column), dtype=np.bool_)
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if not (pa.types.is_string(kind) or pa.types.is_large_string(kind)):
        return Coded(np.full(len(column), UNKNOWN), ()), ~known(column)
    raw = coded_anew(column) if pa.types.is_dictionary(column.type) else coded(column)
    return recoded(raw, [canonical(text) for text in raw.levels])


def coded_anew(column: pa.DictionaryArray) -> Coded:
    """Return a column that Parquet keeps as codes; levels in the order of their first appearance, as of plain texts.

    Parquet's own order, and values that no row has, depend on where its row groups end: they would reach the bits.

    Examples
    --------
    >>> coded_anew(pa.DictionaryArray.from_arrays([2, None, 0], ["a", "b", "c"])).levels
    ('c', 'a')
    """
    if column.dictionary.null_count:
        return coded(column.cast(column.type.value_type))
    raw = coded(column.indices)
    return Coded(raw.codes, tuple(column.dictionary.take(pa.array(raw.levels, pa.int64())).to_pylist()))


def free_texts(column: pa.Array, rule: Rule) -> tuple[Coded, BoolArray]:
    """Return texts that are kept as they stand (names of cases and patients), and which rows are certainly good."""
    if not pa.types.is_string(column.type):
        return texts_of(column, rule.text)
    longest = pc.max(pc.utf8_length(column)).as_py() or 0
    if rule.longest is not None and longest > rule.longest:
        return texts_of(column, rule.text)
    return coded(column), np.ones(len(column), dtype=np.bool_)


def recoded(raw: Coded, spellings: list[str | None]) -> tuple[Coded, BoolArray]:
    """Return codes of canonical spellings; a level without one makes its rows doubtful and is coded unknown."""
    places: dict[str, int] = {}
    new = [UNKNOWN if text is None else places.setdefault(text, len(places)) for text in spellings]
    codes = np.array([*new, UNKNOWN], dtype=np.int64)[raw.codes]
    return Coded(codes, tuple(places)), (codes != UNKNOWN) | (raw.codes == UNKNOWN)


# --- findings -----------------------------------------------------------------------------------------------------


def findings_of_lists(column: pa.Array | None, n: int) -> tuple[Findings, Entries]:
    """Return the findings of ``alterations``, and its entries with what is good."""
    entries = entries_of(column, n, MOST_FINDINGS)
    if not len(entries.row) or not _is_struct(entries, (*LEVEL_FIELDS, *MEASURED)):
        return Findings(), entries
    measured = [_number(entries, name, ALTERATION_RULES[name]) for name in MEASURED]
    codes, fields = _levels(entries)
    levels = [_alteration(one) for one in fields]
    entries.doubt(np.array([level is None for level in levels], dtype=np.bool_)[codes])
    return _findings(entries, codes, levels, measured), entries


def _findings(entries: Entries, codes: IntArray, levels: list[Level | None], measured: list[FloatArray]) -> Findings:
    places: dict[Any, int] = {}
    kept: list[Alteration] = []
    new = []
    for level in levels:
        if level is None:
            new.append(UNKNOWN)
            continue
        place = places.setdefault(level[1], len(places))
        if place == len(kept):
            kept.append(level[0])
        new.append(place)
    found = np.array(new, dtype=np.int64)[codes]
    return Findings(entries.row, found, tuple(kept), *measured)


def _is_struct(entries: Entries, fields: tuple[str, ...]) -> bool:
    """Say whether entries are structs of known fields; else all their rows are doubtful."""
    kind = entries.values.type
    strange = not pa.types.is_struct(kind) or any(field.name not in fields for field in kind)
    if strange:
        entries.doubt(np.ones(len(entries.row), dtype=np.bool_))
    return not strange


def _field(entries: Entries, name: str) -> pa.Array:
    place = entries.values.type.get_field_index(name)
    return pa.nulls(len(entries.values)) if place < 0 else pc.struct_field(entries.values, [place])


def _number(entries: Entries, name: str, rule: Rule) -> FloatArray:
    values, good = numbers_of(_field(entries, name), rule)
    entries.doubt(~good)
    return values


def _levels(entries: Entries) -> tuple[IntArray, list[tuple[Any, ...]]]:
    """Return each entry's distinct finding, and the fields of each, in the order of their first appearance."""
    key, radix = np.zeros(len(entries.row), dtype=np.int64), 1
    columns = [_codes(entries, name) for name in LEVEL_FIELDS]
    for codes, values in columns:
        if len(values) == 1:
            continue
        if radix * len(values) > _LARGEST_KEY:
            _, key = np.unique(key, return_inverse=True)
            radix = len(key) + 1
        key, radix = key * len(values) + codes, radix * len(values)
    encoded = pa.array(key).dictionary_encode()  # by hash, in the order of appearance: no sorting
    where = np.asarray(encoded.indices.to_numpy(), dtype=np.int64)
    first = np.empty(len(encoded.dictionary), dtype=np.int64)
    first[where[::-1]] = np.arange(len(where))[::-1]
    fields = [[values[code] for code in codes[first].tolist()] for codes, values in columns]
    return where, list(zip(*fields, strict=True))


def _codes(entries: Entries, name: str) -> tuple[IntArray, tuple[Any, ...]]:
    """Return a field as codes, and what each code stands for; the first is unknown."""
    column, rule = _field(entries, name), ALTERATION_RULES[name]
    if rule.kind == "text":
        texts, good = texts_of(column, str)
        entries.doubt(~good)
        return texts.codes + 1, (None, *texts.levels)
    numbers = _number(entries, name, rule)
    if column.null_count == len(column):
        return np.zeros(len(column), dtype=np.int64), (None,)
    found, where = np.unique(np.where(np.isnan(numbers), -np.inf, numbers), return_inverse=True)
    values = tuple(None if number == -np.inf else number for number in found.tolist())
    return (where, values) if values[0] is None else (where + 1, (None, *values))


@lru_cache(maxsize=remembered.MOST_FINDINGS)
def _alteration(fields: tuple[Any, ...]) -> Level | None:
    """Return a finding without its measured numbers and its key, or None when the record does not take it."""
    given = {name: value for name, value in zip(LEVEL_FIELDS, fields, strict=True) if value is not None}
    if isinstance(exon := given.get("exon"), float) and exon.is_integer():
        given["exon"] = int(exon)
    try:
        found = Alteration.model_validate(given)
    except ValidationError:
        return None
    finding_levels.remember(found)
    return found, finding_key(found)


# --- regimens -----------------------------------------------------------------------------------------------------


def joined_texts(column: pa.Array) -> tuple[pa.Array, BoolArray]:
    """Return a list column of texts as one text each, and which rows are certainly good."""
    everything = np.ones(len(column), dtype=np.bool_)
    kind = column.type
    if pa.types.is_null(kind):
        return pa.nulls(len(column), pa.string()), everything
    lists = pa.types.is_list(kind) or pa.types.is_large_list(kind)
    if not lists or not (pa.types.is_string(kind.value_type) or pa.types.is_null(kind.value_type)):
        return pa.nulls(len(column), pa.string()), ~known(column)
    if pa.types.is_null(kind.value_type):
        column = column.cast(pa.list_(pa.string()))
    joined = pc.binary_join(column, BETWEEN)
    hollow = truths(pc.equal(joined, "")) & truths(pc.greater(pc.list_value_length(column), 0))
    return joined, (known(joined) | ~known(column)) & ~hollow


def regimens_of(agents: pa.Array, classes: pa.Array) -> tuple[Coded, BoolArray]:
    """Return regimen keys, and which rows are certainly good: exactly one of agents and class, and it resolves."""
    joined, good = joined_texts(agents)
    plain = pa.types.is_string(classes.type) or pa.types.is_null(classes.type)
    of_class = classes.cast(pa.string()) if plain else pa.nulls(len(classes), pa.string())
    marked = pc.coalesce(joined, pc.binary_join_element_wise(CLASS, of_class, ""))
    found, resolved = texts_of(marked, _key)
    return found, good & resolved & (known(agents) != known(classes))


CLASS = "\x1e"
"""Stands before the name of a class, so that no list of agents looks like one."""


@lru_cache(maxsize=16_384)
def _key(marked: str) -> str | None:
    """Return the key of a regimen, or None when the record does not take it."""
    agents = marked.split(BETWEEN) if marked else []
    raw = {"class": marked[len(CLASS) :]} if marked.startswith(CLASS) else {"agents": agents}
    try:
        regimen = Regimen.model_validate(raw)
    except ValidationError:
        return None
    return regimen_key(regimen.agents, regimen.regimen_class)


@lru_cache(maxsize=4_096)
def key_of_tested(joined: str) -> str | None:
    """Return tested genes in their canonical spelling, sorted and joined by ``|``; None when one is not known."""
    try:
        return "|".join(sorted({genes.resolve(symbol) for symbol in joined.split(BETWEEN)} if joined else ()))
    except CaseRefusal:
        return None


def priors_of_lists(column: pa.Array | None, n: int) -> tuple[Priors, Entries]:
    """Return the earlier regimens of ``prior_therapies``, and its entries with what is good."""
    entries = entries_of(column, n, MOST_PRIORS)
    if not len(entries.row) or not _is_struct(entries, ("agents", *PRIOR_RULES)):
        return Priors(recorded=entries.recorded), entries
    regimen, good = regimens_of(_field(entries, "agents"), _field(entries, "class"))
    entries.doubt(~good)
    days = ("started_days_before_index", "ended_days_before_index")
    line, started, ended = (_number(entries, name, PRIOR_RULES[name]) for name in ("line", *days))
    entries.doubt(ended > started)
    texts = {}
    for name in ("setting", "best_response"):
        texts[name], good = texts_of(_field(entries, name), PRIOR_RULES[name].text)
        entries.doubt(~good)
    return Priors(
        entries.row, regimen, line, texts["setting"], texts["best_response"], started, ended, entries.recorded
    ), entries
