"""Chat requests: tracked one by one and in batches, listed and read again."""
