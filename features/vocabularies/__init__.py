"""Curated tables (CSV) and their rule sheet, CURATION.md. Every row names its source and its version."""
