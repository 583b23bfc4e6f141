"""Reader studies: several readers, several conditions, one reference standard."""
