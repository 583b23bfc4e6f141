"""Public data sets of radiographs, and tables of paths and labels, as manifests."""
