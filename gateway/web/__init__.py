"""Pages under /ui/ and what operators ask for: health, readiness, metrics. No logic of its own."""
