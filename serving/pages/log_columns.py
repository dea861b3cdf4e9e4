"""LogColumns: what the pages filter, sort and draw, as numpy columns of the log in memory; about 150 bytes a record.

A row per prediction or shadow answer, in the order of the log. Outcomes, decisions, reviews and erasures change the row
of the prediction that they are about. Columns that come from ciphertext (outcome, alterations, whether a contribution
disagrees with biology) are in memory and in the sealed snapshot alone, and are blanked when a patient is erased.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from features.contract import GROUPS
from features.errors import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

MOST_FLAGS = 63
"""Different codes that one column of flags (warnings, reasons, features) can tell apart: bits of an unsigned 64."""

KINDS = ("prediction", "shadow", "listed")
"""What a row is; ``listed`` are the answers of one ranking, of which nobody asked for each."""
STATUSES = ("predicted", "abstained")
DECISIONS = ("none", "taken", "overridden")

UNKNOWN = -1
"""Of a code or an outcome that is not known; unknown is not "no response"."""

DTYPES: dict[str, tuple[Any, ...]] = {
    "seq": (np.int64,),
    "time": (np.int64,),
    "probability": (np.float64,),
    "low": (np.float64,),
    "high": (np.float64,),
    "groups": (np.float32, len(GROUPS)),
    "kind": (np.int8,),
    "status": (np.int8,),
    "version": (np.int16,),
    "family": (np.int16,),
    "therapy_class": (np.int16,),
    "lineage": (np.int16,),
    "caller": (np.int16,),
    "warnings": (np.uint64,),
    "reasons": (np.uint64,),
    "judged": (np.uint64,),
    "disagrees": (np.uint64,),
    "outcome": (np.int8,),
    "decision": (np.int8,),
    "override": (np.int16,),
    "review": (np.int16,),
    "erased": (np.bool_,),
    "request": (np.int64,),
    "case": (np.int64,),
    "patient": (np.int64,),
}
"""Columns and their types; times are microseconds since 1970 in UTC, groups are log-odds in the order of GROUPS."""

CODED = ("version", "family", "therapy_class", "lineage", "caller", "override", "review", "alteration")
FLAGGED = ("warnings", "reasons", "features")


class TooManyCodes(Refusal):
    """A log has more different codes than the pages' columns can tell apart."""

    code = "too_many_codes"
    http_status = 500


@dataclass
class Codes:
    """Texts to small numbers, in the order in which they first came."""

    texts: list[str] = field(default_factory=list)
    _numbers: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._numbers = {text: number for number, text in enumerate(self.texts)}

    def of(self, text: str | None) -> int:
        """Return the number of a text, a new one for a new text; UNKNOWN for None."""
        if text is None:
            return UNKNOWN
        number = self._numbers.get(text)
        if number is None:
            number = self._numbers[text] = len(self.texts)
            self.texts.append(text)
        return number

    def known(self, text: str) -> int:
        """Return the number of a text, UNKNOWN when it never came."""
        return self._numbers.get(text, UNKNOWN)

    def flags(self, texts: Iterable[str]) -> int:
        """Return the texts as bits.

        Raises
        ------
        TooManyCodes
            With more than 63 different ones.

        Examples
        --------
        >>> codes = Codes()
        >>> codes.flags(["a", "b"]), codes.flags(["b"])
        (3, 2)
        """
        found = 0
        for text in texts:
            number = self.of(text)
            if number >= MOST_FLAGS:
                raise TooManyCodes(f"more than {MOST_FLAGS} different codes, the last {text[:40]!r}")
            found |= 1 << number
        return found

    def texts_of(self, flags: int) -> list[str]:
        """Return the texts of some bits."""
        return [text for number, text in enumerate(self.texts[:MOST_FLAGS]) if flags >> number & 1]


class LogColumns:
    """Columns that grow, codes of their texts, and findings by row.

    Attributes
    ----------
    n
        Rows: predictions and shadow answers.
    covered
        Number of the last record that was read, of any kind.
    last_hash
        Its hash: says of which log these columns are.
    codes
        By column of CODED and FLAGGED; ``features`` are the bits of ``judged`` and ``disagrees``.
    """

    def __init__(self) -> None:
        self.n = 0
        self.covered = 0
        self.last_hash = ""
        self.codes = {name: Codes() for name in (*CODED, *FLAGGED)}
        self._held = {name: _empty(name, 1024) for name in DTYPES}
        self._findings = np.empty((2, 1024), dtype=np.int32)
        self._count = 0

    def __getitem__(self, name: str) -> NDArray[Any]:
        """Return a column, shape (n,); ``groups`` has shape (n, 8). A view: outcomes that arrive are seen in it."""
        return self._held[name][: self.n]

    @property
    def findings(self) -> NDArray[np.int32]:
        """Shape (2, k): row and alteration code of each finding; code -1 after an erasure."""
        return self._findings[:, : self._count]

    def append(self, rows: Sequence[dict[str, Any]], findings: Sequence[Sequence[int]]) -> int:
        """Add rows, each with every column, and the alteration codes of each; return the place of the first."""
        first = self.n
        self._grow(first + len(rows))
        for name, held in self._held.items():
            held[first : first + len(rows)] = [row[name] for row in rows] if rows else held[:0]
        pairs = [(first + place, code) for place, codes in enumerate(findings) for code in codes]
        self._add_findings(np.array(pairs, dtype=np.int32).reshape(-1, 2).T)
        self.n = first + len(rows)
        return first

    def rows_of(self, seqs: Sequence[int]) -> NDArray[np.intp]:
        """Return the rows of record numbers; those that are not predictions are left out."""
        wanted = np.asarray(seqs, dtype=np.int64)
        places = np.searchsorted(self["seq"], wanted)
        inside = places < self.n
        places, wanted = places[inside], wanted[inside]
        return np.asarray(places[self["seq"][places] == wanted], dtype=np.intp)

    def blank(self, rows: NDArray[Any]) -> None:
        """Forget what came from the ciphertext of these rows."""
        for name, value in (("outcome", UNKNOWN), ("judged", 0), ("disagrees", 0), ("erased", True)):
            self[name][rows] = value
        where, code = self.findings
        code[np.isin(where, rows)] = UNKNOWN

    def _grow(self, needed: int) -> None:
        capacity = len(self._held["seq"])
        if needed <= capacity:
            return
        for name, held in self._held.items():
            larger = _empty(name, max(needed, 2 * capacity))
            larger[: self.n] = held[: self.n]
            self._held[name] = larger

    def _add_findings(self, pairs: NDArray[np.int32]) -> None:
        end = self._count + pairs.shape[1]
        if end > self._findings.shape[1]:
            larger = np.empty((2, max(end, 2 * self._findings.shape[1])), dtype=np.int32)
            larger[:, : self._count] = self.findings
            self._findings = larger
        self._findings[:, self._count : end] = pairs
        self._count = end

    def stored(self) -> dict[str, NDArray[Any]]:
        """Return arrays that :meth:`restored` makes these columns of; none is of objects."""
        import json

        texts = {name: codes.texts for name, codes in self.codes.items()}
        facts = {"covered": self.covered, "last_hash": self.last_hash, "codes": texts}
        arrays = {name: self[name] for name in DTYPES}
        return {**arrays, "findings": self.findings, "facts": np.frombuffer(json.dumps(facts).encode(), np.uint8)}

    @classmethod
    def restored(cls, arrays: Any) -> LogColumns:
        """Return the columns that :meth:`stored` wrote."""
        import json

        found = cls()
        facts = json.loads(bytes(arrays["facts"]))
        found.codes = {name: Codes(texts) for name, texts in facts["codes"].items()}
        found.covered, found.last_hash = facts["covered"], facts["last_hash"]
        found._held = {name: np.array(arrays[name]) for name in DTYPES}
        found._findings = np.array(arrays["findings"])
        found.n, found._count = len(found._held["seq"]), found._findings.shape[1]
        return found


def _empty(name: str, capacity: int) -> NDArray[Any]:
    dtype, *width = DTYPES[name]
    return np.zeros((capacity, *width), dtype=dtype)
