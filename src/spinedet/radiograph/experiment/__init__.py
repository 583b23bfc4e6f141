"""The study of the radiograph tasks: sizes, steps, baselines, results."""
