"""A 3D detector of degenerative spine disease on T2-weighted MRI, with the multicentre evidence around it."""

__version__ = "0.1.0"
