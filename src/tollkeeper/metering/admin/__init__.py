"""What operators see of all users, and of the service."""
