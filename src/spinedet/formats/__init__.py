"""File formats of other tools, read into and written from manifests and findings."""
