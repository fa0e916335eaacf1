"""``tollkeeper webhook``: where other systems are told of events."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from cyclopts import App, Parameter

from tollkeeper.activity import OPERATOR
from tollkeeper.cli.answers import DEFAULTS, FIRST_PAGE, Answer, Common, Misused, Paged, shown, table, told_at
from tollkeeper.cli.house import House, in_utc, opened, page_of
from tollkeeper.location import webhooks_of
from tollkeeper.webhooks import deliveries, endpoints
from tollkeeper.webhooks.deliveries import Delivery, State
from tollkeeper.webhooks.endpoints import Endpoint, Webhooks

app = App(name="webhook", help="Webhooks: add, list, test, rotate, secret, remove, deliveries, replay.")

Id = Annotated[UUID, Parameter(help="The endpoint's id, as `webhook list` tells it.")]


@app.command
async def add(
    url: Annotated[str, Parameter(help="Where events are sent, such as https://example.com/hooks.")],
    /,
    *,
    kind: Annotated[list[str] | None, Parameter(help="Only of this kind; can be given again.", negative="")] = None,
    description: Annotated[str, Parameter(help="What it is for.")] = "",
    common: Common = DEFAULTS,
) -> Answer:
    """Tell an endpoint of events from now on, and show the secret that they are signed with."""
    async with opened(common) as house:
        webhooks = await _webhooks(house)
        made = await endpoints.add(
            house.database, webhooks, url, description=description, kinds=kind or (), actor=OPERATOR
        )
        secret = endpoints.secret_of(webhooks, made)
    return Answer(_endpoint(made) | {"secret": secret}, secret, f"The endpoint {made.id} has this secret.")


@app.command(name="list")
async def list_(*, common: Common = DEFAULTS) -> Answer:
    """List all endpoints, and how they do."""
    async with opened(common) as house:
        found = await endpoints.listed(house.database)
    header = ("ID", "URL", "KINDS", "STATUS", "WAITING", "FAILED", "DESCRIPTION")
    rows = ((x.id, x.url, " ".join(x.kinds) or "all", _status(x), x.waiting, x.failed, x.description) for x in found)
    return Answer({"items": [_endpoint(each) for each in found]}, table(header, rows))


@app.command(name="test")
async def send_test(endpoint: Id, /, *, common: Common = DEFAULTS) -> Answer:
    """Send a test message now, and say what comes back."""
    async with opened(common) as house:
        outcome = await endpoints.test(house.database, await _webhooks(house), endpoint, actor=OPERATOR)
    document = {
        "isDelivered": outcome.is_delivered,
        "status": outcome.status,
        "error": outcome.error,
        "durationMs": outcome.duration_ms,
    }
    said = outcome.error or f"status {outcome.status}"
    return Answer(document, f"{said}, after {outcome.duration_ms} ms", ok=outcome.is_delivered)


@app.command
async def rotate(endpoint: Id, /, *, common: Common = DEFAULTS) -> Answer:
    """Make another secret and show it; for a day the old one signs along."""
    async with opened(common) as house:
        rotated, secret = await endpoints.rotate(house.database, await _webhooks(house), endpoint, actor=OPERATOR)
    until = f"The old one signs along until {told_at(rotated.old_secret_until)}." if rotated.old_secret_until else ""
    return Answer(_endpoint(rotated) | {"secret": secret}, secret, until)


@app.command
async def secret(endpoint: Id, /, *, common: Common = DEFAULTS) -> Answer:
    """Show the secret that messages to an endpoint are signed with."""
    async with opened(common) as house:
        revealed = await endpoints.secret(house.database, await _webhooks(house), endpoint, actor=OPERATOR)
    return Answer({"id": endpoint, "secret": revealed}, revealed)


@app.command
async def remove(endpoint: Id, /, *, common: Common = DEFAULTS) -> Answer:
    """Remove an endpoint with its deliveries: what waits for it is not sent."""
    async with opened(common) as house:
        await endpoints.remove(house.database, endpoint, actor=OPERATOR)
    return Answer({"id": endpoint, "removed": True}, f"The endpoint {endpoint} is gone.")


@app.command(name="deliveries")
async def list_deliveries(
    endpoint: Id,
    /,
    *,
    state: Annotated[State | None, Parameter(help="Only those in this state.")] = None,
    paged: Paged = FIRST_PAGE,
    common: Common = DEFAULTS,
) -> Answer:
    """List deliveries to an endpoint, the newest first, with what became of them."""
    most, before = page_of(paged), _place(paged.after)
    async with opened(common) as house:
        found = await deliveries.listed(house.database, endpoint, limit=most + 1, state=state, before=before)
    last = found[most - 1] if len(found) > most else None
    next_after = f"{last.created_at.isoformat()}/{last.event_id}" if last else None
    header = ("ID", "KIND", "USER", "STATE", "TRIES", "LAST", "NEXT", "AT")
    rows = ((x.id, x.kind, x.email, x.state, x.tries, _last(x), x.due_at, x.created_at) for x in found[:most])
    return Answer(
        {"items": [_delivery(each) for each in found[:most]], "nextAfter": next_after},
        table(header, rows),
        f"more: --after {next_after}" if next_after else "",
    )


@app.command
async def replay(
    endpoint: Id,
    delivery: Annotated[str | None, Parameter(help="Its id, as `webhook deliveries` tells it.")] = None,
    /,
    *,
    since: Annotated[datetime | None, Parameter(help="All that failed of events since then (UTC).")] = None,
    common: Common = DEFAULTS,
) -> Answer:
    """Deliver once more, under the same id: one, or all that failed since a time."""
    async with opened(common) as house:
        if delivery is not None and since is None:
            await deliveries.replay(house.database, endpoint, delivery, actor=OPERATOR)
            replayed = 1
        elif since is not None and delivery is None:
            at = in_utc(since) or since
            replayed = await deliveries.replay_failed(house.database, endpoint, at, actor=OPERATOR)
        else:
            raise Misused("which deliveries: give the id of one, or --since TIME")
    return Answer({"replayed": replayed}, f"{replayed} to be delivered once more; a running service sends them.")


async def _webhooks(house: House) -> Webhooks:
    return webhooks_of(house.settings, await house.master_keys(), house.site)


def _place(after: str | None) -> tuple[datetime, UUID] | None:
    try:
        if after is None:
            return None
        at, _, event = after.partition("/")
        return datetime.fromisoformat(at), UUID(event)
    except ValueError:
        raise Misused("--after takes what the list before said") from None


def _endpoint(endpoint: Endpoint) -> dict[str, Any]:
    return {name: value for name, value in shown(endpoint).items() if name not in {"generation", "asOf"}}


def _delivery(delivery: Delivery) -> dict[str, Any]:
    return {"id": delivery.id, "messageId": delivery.message_id} | shown(delivery)


def _status(endpoint: Endpoint) -> str:
    if not endpoint.is_active:
        return f"off ({endpoint.disabled_for})"
    return f"failing since {told_at(endpoint.failing_since)}" if endpoint.failing_since else "on"


def _last(delivery: Delivery) -> object:
    last = delivery.attempts[-1] if delivery.attempts else {}
    return last.get("error") or last.get("status")
