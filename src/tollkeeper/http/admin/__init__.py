"""What operators see and do. Every route here is for a signed-in person with the role admin."""
