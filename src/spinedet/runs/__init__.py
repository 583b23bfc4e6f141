"""Run folders: their contents, their provenance, and the division of many studies among jobs."""
