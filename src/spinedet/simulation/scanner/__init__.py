"""Simulated MRI acquisition."""
