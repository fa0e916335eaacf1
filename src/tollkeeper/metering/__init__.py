"""What users use and what they may. No HTTP, no settings, no clock of its own."""
