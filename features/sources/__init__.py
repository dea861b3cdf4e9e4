"""Readers: tables, studies, variant files and published arms, each into the one record."""
