"""Webhooks: other systems are told of events, signed, and until they answer, as Standard Webhooks says."""
