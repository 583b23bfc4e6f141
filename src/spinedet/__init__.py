"""A 3D detector of degenerative spine disease on T2-weighted MRI, with the multicentre evidence around it."""

import os

__version__ = "0.1.0"

# OpenMP threads that spin while they wait make a training on shared cores up to ten times slower; sleeping ones do
# not. It has to be said before torch is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
