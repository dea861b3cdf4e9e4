"""A big log through the true schema, quickly: real answers again and again, each sealed, keyed and chained anew.

``python -m tests.big_log FOLDER ROWS`` fills ``FOLDER/audit.db``; the pages' measurements use it. Payloads have their
true size; what is saved is computing a million answers, and one fsync for each.
"""

from __future__ import annotations

import sys
import zlib
from datetime import UTC, datetime, timedelta
from pathlib import Path
from secrets import token_bytes
from typing import Any

import numpy as np
import sqlalchemy as sa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from features.from_cases import batch_of
from features.sources.synthetic import draw
from models.answer import answer_of
from models.response import ResponseModel
from serving.audit.chain import GENESIS, content_hash, link_hash, sign_head
from serving.audit.database import Database
from serving.audit.drafts import Draft, event_draft, now, prediction_draft
from serving.audit.entries import Outcome, PredictionEntry
from serving.audit.keys import AuditKeys, generate_keys, load_keys
from serving.audit.recorded import known_features
from serving.audit.sealing import binding
from serving.audit.tables import DATA_KEYS, HEADS, RECORDS
from serving.identifiers import new_id

NONCE = 12
BLOCK = 5_000
DAYS = 720
EVENTS = 0.3
"""Share of records that are outcomes of an earlier prediction."""


class Stencil:
    """One real draft, its compressed payload at hand, from which records are made."""

    def __init__(self, draft: Draft, keys: AuditKeys) -> None:
        from serving.audit.sealing import unseal, unwrap

        row = draft.row
        bound = binding(row["record_id"], row["case_ref"], row["patient_ref"])
        key = unwrap(draft.sealed.wrapped, draft.sealed.key_id, bound, keys.data)
        self.row = row
        self.content = zlib.compress(unseal(row["payload"], key, bound), 1)
        self.data_key_id, self.wrapping = next(iter(keys.data.items()))

    def record(self, time: str, number: int, **changes: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return a record like this one, of another case and time, sealed under a key of its own; and its key row."""
        of_case = {f"{name}_ref": f"{self.row[f'{name}_ref'] or 'p'}{number:x}"[-41:] for name in ("case", "patient")}
        row = {**self.row, "record_id": new_id(), "time": time, **of_case, **changes}
        key, bound = token_bytes(32), binding(row["record_id"], row["case_ref"], row["patient_ref"])
        nonce, wrapping_nonce = token_bytes(NONCE), token_bytes(NONCE)
        row["payload"] = nonce + AESGCM(key).encrypt(nonce, self.content, bound)
        wrapped = wrapping_nonce + AESGCM(self.wrapping).encrypt(wrapping_nonce, key, bound)
        return row, {**of_case, "key_id": self.data_key_id, "wrapped": wrapped}


def fill_big(folder: Path, rows: int, models: list[ResponseModel], seed: int = 1) -> None:
    """Fill a fresh log with so many records: seven of ten predictions, the others outcomes of earlier ones."""
    generate_keys(folder / "keys")
    keys = load_keys(folder / "keys")
    database = Database.open(f"sqlite:///{folder / 'audit.db'}")
    random = np.random.default_rng(seed)
    predictions = stencils(models, keys)
    outcomes = {best: outcome_stencil(predictions[0], best, keys) for best in ("PR", "PD")}
    start, previous, asked = datetime.now(UTC) - timedelta(days=DAYS), GENESIS, [""]
    for first in range(1, rows + 1, BLOCK):
        records, wrapped = [], []
        for seq in range(first, min(first + BLOCK, rows + 1)):
            time = (start + timedelta(days=DAYS * seq / rows)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
            if random.random() < EVENTS and len(asked) > 1:
                about = asked[int(random.integers(1, len(asked)))]
                best = "PR" if random.random() < 0.3 else "PD"
                row, key = outcomes[best].record(time, seq, about=about)
            else:
                stencil = predictions[int(random.integers(len(predictions)))]
                row, key = stencil.record(time, seq, request_digest=f"r.{seq:032x}")
                asked.append(row["record_id"])
            link = link_hash(seq, previous, content_hash(row))
            records.append({**row, "seq": seq, "previous": previous, "hash": link})
            wrapped.append({"seq": seq, **key})
            previous = link
        head = sign_head(records[-1]["seq"], previous, now(), keys)
        with database.writing() as connection:
            connection.execute(sa.insert(RECORDS), records)
            connection.execute(sa.insert(DATA_KEYS), wrapped)
            connection.execute(sa.insert(HEADS), [dict(vars(head))])
    database.close()


def stencils(models: list[ResponseModel], keys: AuditKeys, cases: int = 60) -> list[Stencil]:
    """Return stencils of real answers of each model."""
    found = []
    for model in models:
        cohort = draw(model.family, cases, 5)
        read = [cohort.case(place) for place in range(cases)]
        answers = model.answers(batch_of(read))
        for row, case in enumerate(read):
            answer = answer_of(answers, row, new_id())
            entry = PredictionEntry(case, answer, model.family, "big:log", 9.0, known_features(answers, row))
            found.append(Stencil(prediction_draft(entry, None, keys), keys))
    return found


def outcome_stencil(about: Stencil, best: str, keys: AuditKeys) -> Stencil:
    """Return a stencil of an outcome."""
    outcome = Outcome.model_validate({"best_response": best})
    return Stencil(event_draft(outcome, about.row, "big:log", None, keys), keys)


def main() -> None:
    """Fill a log from the command line, with models fitted for it."""
    from tests.served import fit_small

    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    fill_big(folder, int(sys.argv[2]), [fit_small(family) for family in ("checkpoint", "targeted")])


if __name__ == "__main__":
    main()
