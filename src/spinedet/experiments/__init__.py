"""Experiments made of several commands."""
