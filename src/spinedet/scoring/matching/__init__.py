"""Matching of findings to lesions."""
