"""What operators see and do. Every route here is for a signed-in person with the role admin."""

from tollkeeper.http.admin import activity, invitations, keys, models, overview, plans, system, users

__all__ = ["activity", "invitations", "keys", "models", "overview", "plans", "system", "users"]
