"""Published figures behind the synthetic cohorts; every row names its source."""
