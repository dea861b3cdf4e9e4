"""Whether the wrapped keys are what was written, and every key that is gone is explained by a logged erasure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from serving.audit.disorder import Problem
from serving.audit.reading import BLOCK
from serving.audit.refusals import AuditDamaged, AuditKeysRefused
from serving.audit.sealing import binding, unwrap
from serving.audit.tables import DATA_KEYS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from serving.audit.database import Database
    from serving.audit.reading import Row


@dataclass
class KeyCheck:
    """Takes the records of a log in order, and looks at their keys in blocks."""

    database: Database
    data_keys: Mapping[str, bytes] | None
    _waiting: list[Mapping[str, Any]] = field(default_factory=list)
    _without: list[tuple[int, str | None, str | None]] = field(default_factory=list)
    _erasures: dict[str, int] = field(default_factory=dict)
    _problems: list[Problem] = field(default_factory=list)

    def take(self, row: Row) -> None:
        """Take the next record."""
        if row["kind"] == "erasure":
            self._erasures[row["patient_ref"] or row["case_ref"] or ""] = row["seq"]
            return
        self._waiting.append({name: row[name] for name in ("seq", "record_id", "case_ref", "patient_ref")})
        if len(self._waiting) == BLOCK:
            self._look()

    def unexplained(self) -> tuple[int, list[Problem]]:
        """Return how many records were erased, and what is wrong with the keys of the others."""
        self._look()
        erased = 0
        for seq, case_ref, patient_ref in self._without:
            if max(self._erasures.get(ref or "", 0) for ref in (case_ref, patient_ref)) > seq:
                erased += 1
            else:
                text = f"the key of record {seq} is gone, and no erasure was logged"
                self._problems.append(Problem("key", seq, text))
        return erased, self._problems

    def _look(self) -> None:
        rows, self._waiting = self._waiting, []
        query = sa.select(DATA_KEYS).where(DATA_KEYS.c.seq.in_([row["seq"] for row in rows]))
        with self.database.reading() as connection:
            found = {key["seq"]: dict(key) for key in connection.execute(query).mappings()}
        for row in rows:
            if row["seq"] not in found:
                self._without.append((row["seq"], row["case_ref"], row["patient_ref"]))
            elif wrong := self._wrong(row, found[row["seq"]]):
                self._problems.append(Problem("key", row["seq"], f"the wrapped key of record {row['seq']} {wrong}"))

    def _wrong(self, row: Mapping[str, Any], key: Mapping[str, Any]) -> str:
        if (row["case_ref"], row["patient_ref"]) != (key["case_ref"], key["patient_ref"]):
            return "is not what was written"
        if self.data_keys is None:
            return ""
        bound_to = binding(row["record_id"], row["case_ref"], row["patient_ref"])
        try:
            unwrap(key["wrapped"], key["key_id"], bound_to, self.data_keys)
        except AuditKeysRefused:
            return "names a data key that is not among the keys; is $ORP_KEYS the folder of this log's keys?"
        except AuditDamaged:
            return "is not what was written"
        return ""
