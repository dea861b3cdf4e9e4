"""Verification of a log under test, with all keys and its own head file."""

from __future__ import annotations

from pathlib import Path

from serving.audit.auditor import Auditor
from serving.audit.heads import read_heads
from serving.audit.verifying import Verdict, verify


def verdict_of(auditor: Auditor, heads: Path | None = None, archive: Path | None = None) -> Verdict:
    """Verify; ``heads`` is a head file, for the cases that need one kept elsewhere."""
    outside = list(read_heads(heads)) if heads else []
    return verify(auditor.database, auditor.keys.verifying, outside, auditor.keys.data, archive)


def kinds_of(verdict: Verdict) -> set[tuple[str, int | None]]:
    """Return (kind, number) of every problem."""
    return {(problem.kind, problem.seq) for problem in verdict.problems}
