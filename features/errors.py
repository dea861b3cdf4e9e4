"""Refusals: one class per cause, one text form, and the codes that every door (Python, terminal, HTTP) shows.

::

    Refusal                      something was asked that cannot be answered
    |- CaseRefusal               one field of one case; several are gathered in InvalidCase
    |- InvalidCase               a case with one or more CaseRefusals
    |- CohortRefusal             a cohort, a manifest or a source file
    `- ...                       other rooms add theirs beside the code that raises them

The text says which record and field, what was seen, what is allowed (at most ten), the likely cause and the way
out. ``log_text`` says the same without any value that came from a patient, and is all that may reach a log.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST_SHOWN = 10
"""How many allowed values a message lists before it says "+N more"."""

LONGEST_SEEN = 80
"""Characters of a seen value that a message repeats; foreign text is cut there."""


def listed(values: Iterable[object], most: int = MOST_SHOWN) -> str:
    """List values for a message: at most ten, then how many more.

    Examples
    --------
    >>> listed(range(12))
    '0, 1, 2, 3, 4, 5, 6, 7, 8, 9, +2 more'
    """
    shown = [str(value) for value in values]
    tail = [f"+{len(shown) - most} more"] if len(shown) > most else []
    return ", ".join(shown[:most] + tail)


def seen_text(value: object) -> str:
    """Write a seen value for a message, quoted when it is text, cut at 80 characters."""
    written = repr(value)
    return written if len(written) <= LONGEST_SEEN else written[: LONGEST_SEEN - 3] + "..."


def _sentence(text: str) -> str:
    return text if text.endswith((".", "?", "!")) else text + "."


class Refusal(Exception):
    """Something was asked that cannot be answered; the text says why and what to do.

    Parameters
    ----------
    message
        What is wrong, with the value seen.
    field
        Dotted path of the field, as a user wrote it (``patient.albumin_g_per_dl``).
    record
        Which record (a case id, a row number, a file).
    allowed
        Valid values, or the nearest of them.
    way_out
        What the user can do.
    nearest
        Whether ``allowed`` are the nearest spellings, among many more that are allowed.
    """

    code: ClassVar[str] = "refused"
    exit_code: ClassVar[int] = 2
    """Exit status of the command line (documented in docs/command-line.md)."""
    http_status: ClassVar[int] = 422

    def __init__(
        self,
        message: str,
        *,
        field: str | None = None,
        record: str | None = None,
        allowed: Iterable[object] = (),
        way_out: str | None = None,
        nearest: bool = False,
    ) -> None:
        self.message = message
        self.nearest = nearest
        self.field = field
        self.record = record
        self.allowed = tuple(allowed)
        self.way_out = way_out
        super().__init__(message)

    def __str__(self) -> str:
        where = ": ".join(part for part in (self.record, self.field) if part)
        more = bool(self.allowed or self.way_out)
        parts = [(f"{where}: " if where else "") + (_sentence(self.message) if more else self.message)]
        if self.allowed:
            parts.append(f"{'Nearest' if self.nearest else 'Allowed'}: {listed(self.allowed)}.")
        if self.way_out:
            parts.append(self.way_out)
        return " ".join(parts)

    def log_text(self) -> str:
        """Return the code and the field, without any value of a patient."""
        return f"{self.code} at {self.field}" if self.field else self.code

    def to_dict(self) -> dict[str, object]:
        """Return the one JSON shape of an error detail: code, field, message."""
        found: dict[str, object] = {"code": self.code, "message": str(self)}
        if self.field is not None:
            found["field"] = self.field
        return found


class CaseRefusal(Refusal):
    """One field of one case is not acceptable."""

    code = "invalid_value"


class UnknownKey(CaseRefusal):
    """A key that the record does not have; usually a misspelling."""

    code = "unknown_key"

    def log_text(self) -> str:
        """Return the code alone: the field is the caller's own word here, and may be anything."""
        return self.code


class MissingField(CaseRefusal):
    """A field that every case needs is absent or null."""

    code = "missing_field"


class WrongType(CaseRefusal):
    """A value of another JSON type than the field has."""

    code = "wrong_type"


class NotAFiniteNumber(CaseRefusal):
    """NaN or an infinity where a number is asked for; leave the field out when the value is unknown."""

    code = "not_finite"


class OutOfRange(CaseRefusal):
    """A number outside the range of its field; often another unit."""

    code = "out_of_range"


class NotAllowed(CaseRefusal):
    """A text that is not one of the field's values."""

    code = "not_allowed"


class UnknownHistology(CaseRefusal):
    """A histology that resolves to no OncoTree code."""

    code = "unknown_histology"


class UnknownAgent(CaseRefusal):
    """A drug that the therapy vocabulary does not know."""

    code = "unknown_agent"


class UnknownTherapyClass(CaseRefusal):
    """A therapy class that the therapy vocabulary does not know."""

    code = "unknown_therapy_class"


class UnknownGene(CaseRefusal):
    """A gene symbol or alias that the gene vocabulary does not know."""

    code = "unknown_gene"


class UnreadableAlteration(CaseRefusal):
    """A protein or cDNA change whose notation cannot be read."""

    code = "unreadable_alteration"


class Contradiction(CaseRefusal):
    """Two fields of a case that cannot both be true."""

    code = "contradiction"


class InvalidCase(Refusal):
    """A case with one or more refused fields; ``problems`` holds them all, in field order."""

    code = "invalid_case"

    def __init__(self, problems: Iterable[CaseRefusal], record: str | None = None) -> None:
        self.problems = tuple(problems)
        texts = [str(problem) for problem in self.problems]
        super().__init__("; ".join([*(text.removesuffix(".") for text in texts[:-1]), *texts[-1:]]), record=record)

    def log_text(self) -> str:
        """Return codes and fields of all problems, without any value of a patient."""
        return f"{self.code}: " + ", ".join(problem.log_text() for problem in self.problems)

    def to_dict(self) -> dict[str, object]:
        """Return code, message and the list of problems."""
        return {**super().to_dict(), "problems": [problem.to_dict() for problem in self.problems]}


class CohortRefusal(Refusal):
    """A cohort, a manifest or a source file cannot be used as it is."""

    code = "invalid_cohort"
