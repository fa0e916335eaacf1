"""What the outside may say and what it hears back. Only here is the web framework known."""
