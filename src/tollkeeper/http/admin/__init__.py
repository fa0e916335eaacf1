"""What operators see and do. Every route here is for a signed-in person with the role admin."""

from tollkeeper.http.admin import (
    activity,
    alerts,
    exceptions,
    invitations,
    keys,
    models,
    overview,
    plan_of_user,
    plans,
    system,
    users,
    webhook_deliveries,
    webhooks,
)

__all__ = [
    "activity",
    "alerts",
    "exceptions",
    "invitations",
    "keys",
    "models",
    "overview",
    "plan_of_user",
    "plans",
    "system",
    "users",
    "webhook_deliveries",
    "webhooks",
]
