"""Who the users are, how they show it, and what they keep with us. No HTTP, no settings, no clock of its own."""
