"""Who one is: signing in, one's settings, keys and variables, what was done, and leaving."""
