"""Reporting checklists, cards and the review row: what is answered from a run's files, and what people answer."""
