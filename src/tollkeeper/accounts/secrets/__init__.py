"""What users keep with us sealed, and the master keys that seal it."""
