"""Simulated radiographs: the project's spines, projected along the rays of a cone beam."""
