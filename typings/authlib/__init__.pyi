"""As much of Authlib as is used here; it ships no types."""
