"""Classification of spine radiographs: its own commands, networks, training and readings."""
