"""Intervals, hypothesis tests and calibration."""
