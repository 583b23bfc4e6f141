"""Scoring of labels: of images, and of patients."""
