"""Plans: what there is, what one has, and taking another."""
