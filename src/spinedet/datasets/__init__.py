"""Converters of public data sets to manifests."""
