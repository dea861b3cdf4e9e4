"""Code tables of the FHIR reader; every row names its source."""
