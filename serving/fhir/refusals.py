"""Why a clinical adapter does not start or does not answer, one class per cause."""

from __future__ import annotations

from typing import ClassVar

from features.errors import Refusal


class ClinicalSettingsRefused(Refusal):
    """The adapters are asked for, and a setting that they need is absent or not usable."""

    code: ClassVar[str] = "clinical_settings_refused"


class NotFhirContent(Refusal):
    """The body is announced as something other than FHIR JSON, or as another FHIR version."""

    code: ClassVar[str] = "not_fhir_content"
    http_status = 415


class NotAcceptable(Refusal):
    """The caller accepts neither FHIR JSON nor JSON, or wants another FHIR version."""

    code: ClassVar[str] = "not_acceptable"
    http_status = 406


class WrongResource(Refusal):
    """The body is not the resource that this operation reads."""

    code: ClassVar[str] = "wrong_resource"


class WrongParameter(Refusal):
    """A parameter of the operation is unknown, repeated, of another type or out of range."""

    code: ClassVar[str] = "wrong_parameter"


class NoSuchResource(Refusal):
    """There is no resource of this type and id here."""

    code: ClassVar[str] = "no_such_resource"
    http_status = 404


class WrongSearch(Refusal):
    """A search parameter is unknown or cannot be read."""

    code: ClassVar[str] = "wrong_search"
    http_status = 400
