"""What operators see and do. Every route here is for a signed-in person with the role admin."""

from tollkeeper.http.admin import activity, models, overview, plans, system, users

__all__ = ["activity", "models", "overview", "plans", "system", "users"]
