"""mCODE and other FHIR R4 bundles to cases, tolerantly; and cases to mCODE bundles. See docs/fhir-mapping.md."""

from features.sources.mcode.findings import SAID, Finding, Missing, NotUnderstood, Taken
from features.sources.mcode.read_case import PriorLines, ReadCase
from features.sources.mcode.reader import read_bundle
from features.sources.mcode.refusals import BundleRefusal, BundleRefused, BundleTooDeep, BundleTooLarge, NotABundle
from features.sources.mcode.therapies import OrderedTherapies, TherapyAsked, therapies_of_orders
from features.sources.mcode.writer import write_bundle, write_parameters

__all__ = [
    "SAID",
    "BundleRefusal",
    "BundleRefused",
    "BundleTooDeep",
    "BundleTooLarge",
    "Finding",
    "Missing",
    "NotABundle",
    "NotUnderstood",
    "OrderedTherapies",
    "PriorLines",
    "ReadCase",
    "Taken",
    "TherapyAsked",
    "read_bundle",
    "therapies_of_orders",
    "write_bundle",
    "write_parameters",
]
