"""What is mailed to whom, and how it gets away."""
