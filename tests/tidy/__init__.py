"""The house rules as functions: each reads a checkout and tells what breaks it and the way out.

`test_tidy.py` holds the checkout to them, and shows on made-up samples that each one bites. A new rule is a function
here and a sample there.
"""
