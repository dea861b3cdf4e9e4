"""Manifests: how each known source becomes a cohort."""
