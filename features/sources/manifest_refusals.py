"""Why a source or its manifest is refused: one class per cause."""

from __future__ import annotations

from features.errors import CohortRefusal


class ManifestNotFound(CohortRefusal):
    """There is no such manifest file."""

    code = "manifest_not_found"
    http_status = 404


class InvalidManifest(CohortRefusal):
    """A manifest with an unknown key, a missing one, or a value of the wrong type."""

    code = "invalid_manifest"


class SourceNotFound(CohortRefusal):
    """A file that the manifest names is not where ``--source`` points."""

    code = "source_not_found"
    http_status = 404


class UnreadableSource(CohortRefusal):
    """A source file whose encoding, separator or kind is not what the manifest says."""

    code = "unreadable_source"


class UnknownSheet(CohortRefusal):
    """A spreadsheet has no sheet of that name."""

    code = "unknown_sheet"


class UnknownArm(CohortRefusal):
    """A manifest has no arm of that name."""

    code = "unknown_arm"


class MissingColumn(CohortRefusal):
    """A column that the manifest needs is not in the source; optional ones are reported instead."""

    code = "missing_column"


class UnusableColumn(CohortRefusal):
    """Most values of a column do not fit their field: the wrong unit, code table or column."""

    code = "unusable_column"


class UnknownUnit(CohortRefusal):
    """No conversion is known from the declared unit to that of the field."""

    code = "unknown_unit"


class NoCaseLeft(CohortRefusal):
    """Every row was left out."""

    code = "no_case_left"
