"""What a column of the feature table promises, and what every builder must do."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol, Self, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from features.batch import Batch, FloatArray

Group = Literal["evidence", "histology", "alterations", "tmb", "mmr", "prior_lines", "therapy", "patient"]
GROUPS: tuple[Group, ...] = ("evidence", "histology", "alterations", "tmb", "mmr", "prior_lines", "therapy", "patient")

MissingPolicy = Literal["indicator", "never"]
"""``indicator``: NaN in the column, and the table adds one 0/1 column per feature; ``never``: the column has no NaN."""


@dataclass(frozen=True)
class Column:
    """One column of the feature table.

    Attributes
    ----------
    name
        Unique; carries the unit where there is one (``tmb_mut_per_mb``).
    feature
        What contributions are summed to: value, hinge, level and missing-indicator columns of one feature share it.
    group
        One of the eight groups of an answer.
    unit
        UCUM-like, ``1`` for a count or ratio, ``flag`` for 0/1.
    expected_sign
        +1 when a higher value should raise the log-odds of response, -1 when it should lower it, 0 when biology does
        not say. Boosters are monotone in it and answers warn where the fit disagrees.
    sign_source
        Where the sign comes from (PMID, DOI, label); empty only when the sign is 0.
    missing
        See :data:`MissingPolicy`.
    families
        The model families that use the column.
    """

    name: str
    feature: str
    group: Group
    unit: str = "flag"
    expected_sign: Literal[-1, 0, 1] = 0
    sign_source: str = ""
    missing: MissingPolicy = "never"
    families: tuple[str, ...] = ("checkpoint", "targeted")

    def to_dict(self) -> dict[str, Any]:
        """Return the contract as JSON-ready values."""
        return {**asdict(self), "families": list(self.families)}


@dataclass(frozen=True)
class Shown:
    """How one feature of one case is shown to a person.

    ``value`` is what a clinician would read (a number, a text, None for unknown), ``text`` a few words, ``sources``
    the vocabulary rows or published sources behind it, ``unknown`` what was not known and why it matters.
    """

    feature: str
    group: Group
    value: float | str | bool | None
    unit: str
    text: str
    sources: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()


class Builder(Protocol):
    """Turns a batch into columns. Builders never see outcomes; the same batch rows give the same bits in any order.

    ``fit`` learns what must be learned from training cases (levels, reference percentiles) and returns a fitted
    builder; a builder that learns nothing returns itself. ``parameters`` / ``from_parameters`` are JSON-ready and
    round-trip exactly; they are stored in the artefact's ``features.json``.
    """

    name: ClassVar[str]
    group: ClassVar[Group]

    def columns(self) -> tuple[Column, ...]:
        """Return the contract of the columns, in order."""
        ...

    def build(self, batch: Batch) -> FloatArray:
        """Return the columns, shape (batch.n, len(columns)); NaN only where the contract says ``indicator``."""
        ...

    def show(self, batch: Batch, row: int) -> Sequence[Shown]:
        """Return one :class:`Shown` per feature of one case."""
        ...

    def warnings(self, batch: Batch, row: int) -> Sequence[str]:
        """Return coded warnings about one case: ``old_specimen: the specimen is 412 days old``."""
        ...

    def fit(self, batch: Batch) -> Self:
        """Return a builder fitted on training cases."""
        ...

    def parameters(self) -> dict[str, Any]:
        """Return everything learned or configured."""
        ...

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> Self:
        """Return the builder that :meth:`parameters` came from."""
        ...


@runtime_checkable
class BuildsForFamily(Protocol):
    """A builder that need not work out what only the other family uses."""

    def build_for(self, batch: Batch, family: str | None) -> FloatArray:
        """Return what ``build`` returns; columns that ``family`` does not use may be NaN instead."""
        ...
