"""What people build themselves instead: our own code, configured as well as we can."""
