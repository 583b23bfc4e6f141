"""Simulated MRI: phantom patients, their T2-weighted series and an exact reference standard."""
