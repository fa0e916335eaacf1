"""Benchmarks against named comparators, in one run on one machine: ``make bench``."""
