"""Pixels: volumes read, oriented, resampled, normalised and augmented."""
