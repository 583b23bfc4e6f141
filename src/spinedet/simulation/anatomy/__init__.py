"""Simulated anatomy of a patient, in RAS mm."""
