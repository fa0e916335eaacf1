"""The catalogue, which of it a user has and may have, and exceptions from it."""
