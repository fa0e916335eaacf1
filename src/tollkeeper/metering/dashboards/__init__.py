"""What a user has used, now and over time."""
