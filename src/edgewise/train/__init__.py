"""Training: batches, negative samplers, losses and the loop. Knows no model."""
