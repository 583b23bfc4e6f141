"""Metrics of matched findings."""
