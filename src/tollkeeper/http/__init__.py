"""What the outside may say and what it hears back. Only here is HTTP spoken."""
