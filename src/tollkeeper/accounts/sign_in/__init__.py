"""Showing who one is: by mail, GitHub or passkey, the first time and again, and as whom operators act."""
