"""Why a cohort folder is refused: one class per cause, each naming the record, what was seen and the way out."""

from __future__ import annotations

from typing import ClassVar

from features.errors import CohortRefusal


class DamagedCohort(CohortRefusal):
    """A folder that is not what its ``cohort.json`` says; exit status 3, as for a damaged artefact."""

    exit_code: ClassVar[int] = 3


class CohortNotFound(CohortRefusal):
    """A folder that is no cohort: ``cohort.json`` or one of its tables is absent."""

    code = "cohort_not_found"
    http_status = 404


class UnknownCohortFormat(DamagedCohort):
    """A ``cohort.json`` of a format version that this release does not read."""

    code = "unknown_cohort_format"


class ContentHashMismatch(DamagedCohort):
    """The tables are not those that ``cohort.json`` was written for; somebody changed them."""

    code = "content_hash_mismatch"


class RowCountMismatch(DamagedCohort):
    """A table has another number of rows than ``cohort.json`` says."""

    code = "row_count_mismatch"


class DuplicateCaseId(CohortRefusal):
    """Two cases of one cohort carry the same id."""

    code = "duplicate_case_id"


class MissingCaseId(CohortRefusal):
    """A case of a cohort carries no id, so that no outcome can be joined to it."""

    code = "missing_case_id"


class UnknownCaseId(CohortRefusal):
    """A row of alterations, outcomes or prior therapies belongs to no case of the cohort."""

    code = "unknown_case_id"


class OutcomeWithoutEndpoint(CohortRefusal):
    """Outcomes are given and the provenance names no endpoint; kinds of endpoint are never pooled by guess."""

    code = "outcome_without_endpoint"


class WrongOutcome(CohortRefusal):
    """An objective response that is neither 0 nor 1 nor unknown, or disagrees with the best response."""

    code = "wrong_outcome"


class PostIndexColumn(CohortRefusal):
    """A column of what happened after the index date (survival, progression, cycles); it is never a feature."""

    code = "post_index_column"


class UnknownCohortColumn(CohortRefusal):
    """A column that is no field of a case."""

    code = "unknown_cohort_column"


class WrongColumnType(CohortRefusal):
    """A column whose values are of another type than the field has."""

    code = "wrong_column_type"


class InvalidProvenance(CohortRefusal):
    """A provenance that misses a field, has an unknown one, or a value that is not allowed."""

    code = "invalid_provenance"
