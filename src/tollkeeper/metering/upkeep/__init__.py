"""What is done with the whole record: proving, pruning, bringing in and out, letting users go."""
