"""CDS Hooks 2.0: information cards where a clinician chooses a systemic therapy. Clinical research only."""
