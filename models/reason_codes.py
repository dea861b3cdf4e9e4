"""Every code an answer's ``reasons`` and ``warnings`` can hold from the models' side: one table.

Builders add warnings of their own about a case (``old_specimen: ...``); see :mod:`features.contract`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class ReasonCode:
    """A code, whether the answer abstains or warns, and the words with their blanks."""

    code: str
    kind: Literal["abstain", "warn"]
    text: str


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason or warning of one answer."""

    code: str
    text: str

    def to_dict(self) -> dict[str, str]:
        """Return the JSON form."""
        return {"code": self.code, "text": self.text}

    @classmethod
    def read(cls, written: str) -> Reason:
        """Read ``code: text`` as builders write it.

        Examples
        --------
        >>> Reason.read("old_specimen: the specimen is 412 days old").code
        'old_specimen'
        """
        code, _, text = written.partition(": ")
        return cls(code, text)


ABSTAIN: tuple[ReasonCode, ...] = (
    ReasonCode(
        "histology_too_few_cases",
        "abstain",
        "{tissue} has {cases} training cases, fewer than {fewest}, and no published arm covers this therapy",
    ),
    ReasonCode(
        "therapy_class_unknown",
        "abstain",
        "{therapy_class} has {cases} training cases, fewer than {fewest}, and no published arm covers it",
    ),
    ReasonCode("key_inputs_missing", "abstain", "{known} of the key inputs are known, {fewest} are needed: {missing}"),
    ReasonCode("outside_training_range", "abstain", "far outside what training cases had: {features}"),
    ReasonCode("interval_too_wide", "abstain", "the 95% interval is {width} wide, more than {widest}"),
    ReasonCode(
        "blood_negative_for_driver",
        "abstain",
        "no {genes} alteration in a blood sample: it may not have been shed; tissue would tell",
    ),
)
"""Codes that abstain, in the order they are shown."""

WARN: tuple[ReasonCode, ...] = (
    ReasonCode("histology_rare", "warn", "{histology} has {cases} training cases; the estimate leans on {lineage}"),
    ReasonCode("therapy_class_rare", "warn", "{therapy_class} has {cases} training cases; published arms carry it"),
    ReasonCode(
        "younger_than_asked", "warn", "the model is about patients of {youngest} years and more, this one is {age}"
    ),
    ReasonCode("outside_observed_range", "warn", "outside what training cases had: {features}"),
    ReasonCode("interval_wide", "warn", "the 95% interval is {width} wide"),
    ReasonCode(
        "blood_negative",
        "warn",
        "no {genes} alteration in a blood sample: it may not have been shed; tissue would tell",
    ),
    ReasonCode(
        "target_untested",
        "warn",
        "not known whether the tumour has what this therapy is chosen by, an alteration of {genes}: that decides most",
    ),
    ReasonCode("key_inputs_unknown", "warn", "not known: {missing}"),
    ReasonCode("sign_disagrees", "warn", "the fit goes against biology in: {features}"),
    ReasonCode("inputs_not_used", "warn", "known of this case and not used by this model: {features}"),
    ReasonCode("synthetic_model", "warn", "SYNTHETIC: the model was trained on invented cases"),
    ReasonCode("underpowered", "warn", "the model was trained on fewer cases than its sample-size calculation asks"),
    ReasonCode(
        "vocabulary_changed", "warn", "the vocabularies have changed since training: {trained} then, {running} now"
    ),
)
"""Codes that warn, in the order they are shown."""

CODES: dict[str, ReasonCode] = {one.code: one for one in (*ABSTAIN, *WARN)}


def reason(code: str, **blanks: object) -> Reason:
    """Return a reason with its blanks filled.

    Examples
    --------
    >>> reason("interval_wide", width="0.61").text
    'the 95% interval is 0.61 wide'
    """
    return Reason(code, CODES[code].text.format(**blanks))
