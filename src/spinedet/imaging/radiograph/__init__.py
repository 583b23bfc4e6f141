"""Radiographs: read from DICOM, PNG, TIFF or JPEG to grey values in [0, 1], bone white, and checked."""
