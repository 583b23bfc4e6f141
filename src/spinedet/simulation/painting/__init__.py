"""Drawing of tissues onto a slice plane."""
