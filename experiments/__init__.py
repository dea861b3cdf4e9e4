"""What we fit: experiment files, cohort manifests, the runner, the gate, the demo."""
