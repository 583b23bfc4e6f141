"""Public data sets and annotation files to manifests, and manifests back to what other tools read."""
