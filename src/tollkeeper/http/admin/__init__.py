"""What operators see and do: routes for a signed-in person with the role admin, one of them for providers too."""

from tollkeeper.http.admin import (
    activity,
    alerts,
    exceptions,
    invitations,
    keys,
    models,
    overview,
    plan_door,
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
    "plan_door",
    "plan_of_user",
    "plans",
    "system",
    "users",
    "webhook_deliveries",
    "webhooks",
]
