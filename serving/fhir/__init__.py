"""FHIR R4: a bundle of a patient's record in, a bundle of estimates with their trace out. Clinical research only."""
