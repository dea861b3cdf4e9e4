"""What a model may know about a case: the record, cohorts, feature builders, sources and vocabularies."""
