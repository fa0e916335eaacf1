"""The user's settings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Final, Literal

from msgspec import UNSET, Meta, UnsetType

from tollkeeper.accounts import preferences
from tollkeeper.accounts.preferences import DaysShown, Settings, Theme
from tollkeeper.errors import NotFound
from tollkeeper.http.body import Fault
from tollkeeper.http.exchange import Answer, Exchange
from tollkeeper.http.operation import Operation
from tollkeeper.http.routing import get, put
from tollkeeper.http.shapes import Said
from tollkeeper.http.wire import Heard


class ChangeAlerts(Said, frozen=True, kw_only=True):
    """What is to be changed of the mails that one wants; what is left out stays."""

    limits: bool | UnsetType = UNSET
    plan: bool | UnsetType = UNSET
    security: bool | UnsetType = UNSET


class ChangeSettings(Said, frozen=True, kw_only=True):
    """What is to be changed; a name of null is taken away, `warnAt` of null goes back to what the plan says."""

    name: Annotated[str, Meta(max_length=200)] | UnsetType | None = UNSET
    time_zone: Annotated[str, Meta(min_length=1, max_length=100)] | UnsetType = UNSET
    theme: Theme | UnsetType = UNSET
    days_shown: DaysShown | UnsetType = UNSET
    email_alerts: ChangeAlerts | UnsetType = UNSET
    warn_at: Annotated[list[Annotated[int, Meta(ge=1, le=100)]], Meta(max_length=10)] | UnsetType | None = UNSET

    def contradictions(self) -> Iterator[Fault]:
        """Nothing at all is no change."""
        alerts = ChangeAlerts() if self.email_alerts is UNSET else self.email_alerts
        given = (self.name, self.time_zone, self.theme, self.days_shown, self.warn_at)
        if all(each is UNSET for each in (*given, alerts.limits, alerts.plan, alerts.security)):
            yield Fault("body", "changes nothing: give name, timeZone, theme, daysShown, emailAlerts or warnAt")


class AlertsShown(Heard, frozen=True, kw_only=True):
    """Which mails one wants: about limits and what one spends, about one's plan, and about the account's security."""

    limits: bool
    plan: bool
    security: bool


class SettingsShown(Heard, frozen=True, kw_only=True):
    """A user's settings. ``nextTimeZone``: the zone that the next day or month will have, null if the same.

    `warnAt`: at which percentages of their limits they are warned, null: at those of their plan, `planWarnAt`.
    """

    name: str | None
    email: str | None
    time_zone: str
    next_time_zone: str | None
    theme: Theme
    days_shown: DaysShown
    email_alerts: AlertsShown
    warn_at: list[int] | None
    plan_warn_at: list[int]

    @classmethod
    def of(cls, settings: Settings) -> SettingsShown:
        """Show them."""
        return cls(
            name=settings.name,
            email=settings.email,
            time_zone=settings.time_zone,
            next_time_zone=settings.next_time_zone,
            theme=settings.theme,
            days_shown=settings.days_shown,
            email_alerts=AlertsShown(
                limits=settings.mails_limits, plan=settings.mails_plan, security=settings.mails_security
            ),
            warn_at=None if settings.warn_at is None else list(settings.warn_at),
            plan_warn_at=list(settings.plan_warn_at),
        )


class SettingsAnswer(Heard, frozen=True, kw_only=True):
    """The settings as they are now."""

    success: Literal[True] = True
    settings: SettingsShown


SHOW: Final = Operation(
    "dashboard:read", summary="Show the user's settings", query=Said, gives={200: SettingsAnswer}, problems=(NotFound,)
)
CHANGE: Final = Operation(
    "person",
    summary="Change the user's settings",
    takes=ChangeSettings,
    query=Said,
    gives={200: SettingsAnswer},
    problems=(NotFound,),
    examples={"Darker, elsewhere": {"theme": "dark", "timeZone": "Europe/Berlin"}},
)


@get("/api/user/settings", SHOW)
async def show_settings(request: Exchange) -> Answer:
    """What the user is called, where their days begin and end, and how they want to be shown things."""
    request.asked(Said)
    found = await preferences.show(request.backend.database, request.caller.user_id)
    return Answer.of(SettingsAnswer(settings=SettingsShown.of(found)))


@put("/api/user/settings", CHANGE)
async def change_settings(request: Exchange) -> Answer:
    """What is left out stays as it is. A time zone takes effect with the next window: the running ones end in time."""
    request.asked(Said)
    said = await request.said(ChangeSettings)
    caller = request.caller
    alerts = ChangeAlerts() if said.email_alerts is UNSET else said.email_alerts
    changed = await preferences.change(
        request.backend.database,
        caller.user_id,
        actor=request.actor,
        name=None if said.name is UNSET else said.name or "",
        time_zone=None if said.time_zone is UNSET else said.time_zone,
        theme=None if said.theme is UNSET else said.theme,
        days_shown=None if said.days_shown is UNSET else said.days_shown,
        mails_limits=None if alerts.limits is UNSET else alerts.limits,
        mails_plan=None if alerts.plan is UNSET else alerts.plan,
        mails_security=None if alerts.security is UNSET else alerts.security,
        warn_at=None if said.warn_at is UNSET else "plan" if said.warn_at is None else said.warn_at,
    )
    return Answer.of(SettingsAnswer(settings=SettingsShown.of(changed)))
