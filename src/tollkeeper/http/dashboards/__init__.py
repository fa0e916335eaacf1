"""Dashboards as they stand and as they move, and usage over time."""
