"""The detector: batches, set-prediction models, their losses, and the Lightning module that trains them."""
