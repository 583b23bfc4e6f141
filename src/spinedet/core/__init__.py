"""Values that every floor shares: boxes, lesions, studies and their geometry in RAS millimetres."""
