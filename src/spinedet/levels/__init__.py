"""Naming spinal levels: a chain of discs through a series' candidates, one anchor for all of them, or no name."""
