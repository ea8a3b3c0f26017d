"""Game days from the dashboard: one is chosen, held against the stack of this folder, and told of."""
