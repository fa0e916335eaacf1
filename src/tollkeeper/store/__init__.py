"""PostgreSQL and nothing else: the only layer that knows the driver."""
