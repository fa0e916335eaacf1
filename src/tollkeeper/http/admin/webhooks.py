"""Webhook endpoints: where other systems are told of events."""

from __future__ import annotations

from typing import Annotated, Final, Literal, get_args

from msgspec import Meta, field

from tollkeeper.errors import Contradiction, NotFound
from tollkeeper.http.exchange import Answer, Exchange, path_id
from tollkeeper.http.operation import Operation
from tollkeeper.http.routing import delete, get, patch, post
from tollkeeper.http.shapes import Said
from tollkeeper.http.wire import Heard, Instant, instant
from tollkeeper.webhooks import endpoints
from tollkeeper.webhooks.endpoints import LONGEST_DESCRIPTION, Endpoint
from tollkeeper.webhooks.guard import LONGEST_URL
from tollkeeper.webhooks.messages import KINDS

Kind = Literal[
    "limit.threshold",
    "limit.reached",
    "plan.changed",
    "plan.expiring",
    "plan.expired",
    "request.unpriced",
    "spend.unusual",
]
Url = Annotated[str, Meta(min_length=1, max_length=LONGEST_URL)]
Description = Annotated[str, Meta(max_length=LONGEST_DESCRIPTION)]
Kinds = Annotated[list[Kind], Meta(max_length=len(KINDS))]

PATH: Final = "/api/admin/webhooks"
ONE: Final = PATH + "/{id}"


class AddWebhook(Said, frozen=True, kw_only=True):
    """An endpoint to be told of events: of these kinds, or of all."""

    url: Url
    description: Description = ""
    kinds: Kinds = field(default_factory=list[Kind])


class ChangeWebhook(Said, frozen=True, kw_only=True):
    """What is to be different. Switched on again, an endpoint begins anew with what waits for it."""

    url: Url | None = None
    description: Description | None = None
    kinds: Kinds | None = None
    is_active: bool | None = None


class WebhookShown(Heard, frozen=True, kw_only=True):
    """An endpoint and how it does. No kinds: all. Of `waiting` and `failed` at most 10,000 are counted.

    `disabledFor`: switched off by an operator, because it answered 410, or because all failed for five days.
    `restingUntil`: too many failed, or it asked for it: until then nothing is sent.
    `oldSecretUntil`: until then the secret before signs along.
    """

    id: str
    url: str
    description: str
    kinds: list[Kind]
    is_active: bool
    disabled_at: Instant | None
    disabled_for: Literal["operator", "gone", "failing"] | None
    rotated_at: Instant | None
    old_secret_until: Instant | None
    failures: int
    failing_since: Instant | None
    resting_until: Instant | None
    waiting: int
    failed: int
    created_at: Instant
    updated_at: Instant

    @classmethod
    def of(cls, endpoint: Endpoint) -> WebhookShown:
        """Show one."""
        return cls(
            id=str(endpoint.id),
            url=endpoint.url,
            description=endpoint.description,
            kinds=[each for each in get_args(Kind) if each in endpoint.kinds],
            is_active=endpoint.is_active,
            disabled_at=endpoint.disabled_at and instant(endpoint.disabled_at),
            disabled_for=endpoint.disabled_for,
            rotated_at=endpoint.rotated_at and instant(endpoint.rotated_at),
            old_secret_until=endpoint.old_secret_until and instant(endpoint.old_secret_until),
            failures=endpoint.failures,
            failing_since=endpoint.failing_since and instant(endpoint.failing_since),
            resting_until=endpoint.resting_until and instant(endpoint.resting_until),
            waiting=endpoint.waiting,
            failed=endpoint.failed,
            created_at=instant(endpoint.created_at),
            updated_at=instant(endpoint.updated_at),
        )


class WebhooksAnswer(Heard, frozen=True, kw_only=True):
    """All endpoints, the oldest first: at most ten."""

    success: Literal[True] = True
    items: list[WebhookShown]


class WebhookAnswer(Heard, frozen=True, kw_only=True):
    """One endpoint."""

    success: Literal[True] = True
    webhook: WebhookShown


class WebhookMade(Heard, frozen=True, kw_only=True):
    """An endpoint and the secret that its messages are signed with."""

    success: Literal[True] = True
    webhook: WebhookShown
    secret: str


class WebhookSecret(Heard, frozen=True, kw_only=True):
    """The secret that messages to the endpoint are signed with."""

    success: Literal[True] = True
    secret: str


class WebhookRemoved(Heard, frozen=True, kw_only=True):
    """The endpoint is gone, and so is what was to be delivered to it."""

    success: Literal[True] = True
    id: str


class WebhookTested(Heard, frozen=True, kw_only=True):
    """What came back: a status, or why there is none; and how long it took, in milliseconds."""

    success: Literal[True] = True
    is_delivered: bool
    status: int | None
    error: str | None
    duration_ms: int


LIST: Final = Operation("admin", summary="List webhook endpoints", query=Said, gives={200: WebhooksAnswer})
ADD: Final = Operation(
    "admin",
    summary="Add a webhook endpoint",
    takes=AddWebhook,
    query=Said,
    gives={201: WebhookMade},
    problems=(Contradiction,),
    examples={"what concerns plans": {"url": "https://example.com/hooks", "kinds": ["plan.changed", "plan.expired"]}},
    recent=True,
)
SHOW: Final = Operation(
    "admin", summary="Show a webhook endpoint", query=Said, gives={200: WebhookAnswer}, problems=(NotFound,)
)
CHANGE: Final = Operation(
    "admin",
    summary="Change a webhook endpoint, switch it off or on",
    takes=ChangeWebhook,
    query=Said,
    gives={200: WebhookAnswer},
    problems=(NotFound,),
    examples={"switched off": {"isActive": False}},
    recent=True,
)
REMOVE: Final = Operation(
    "admin", summary="Remove a webhook endpoint", query=Said, gives={200: WebhookRemoved}, problems=(NotFound,)
)
TEST: Final = Operation(
    "admin", summary="Send a test message now", query=Said, gives={200: WebhookTested}, problems=(NotFound,)
)
ROTATE: Final = Operation(
    "admin",
    summary="Give a webhook endpoint another secret",
    query=Said,
    gives={200: WebhookMade},
    problems=(NotFound,),
    recent=True,
)
SECRET: Final = Operation(
    "admin",
    summary="Reveal the secret of a webhook endpoint",
    query=Said,
    gives={200: WebhookSecret},
    problems=(NotFound,),
    recent=True,
)


@get(PATH, LIST)
async def list_webhooks(request: Exchange) -> Answer:
    """With how each does."""
    request.asked(Said)
    found = await endpoints.listed(request.backend.database)
    return Answer.of(WebhooksAnswer(items=[WebhookShown.of(each) for each in found]))


@post(PATH, ADD)
async def add_webhook(request: Exchange) -> Answer:
    """It is told of what happens from now on. At most ten; where they may be says the page on webhooks."""
    request.asked(Said)
    said = await request.said(AddWebhook)
    backend = request.backend
    made = await endpoints.add(
        backend.database,
        backend.webhooks,
        said.url,
        description=said.description,
        kinds=said.kinds,
        actor=request.actor,
    )
    secret = endpoints.secret_of(backend.webhooks, made)
    return Answer.of(WebhookMade(webhook=WebhookShown.of(made), secret=secret), status=201)


@get(ONE, SHOW)
async def show_webhook(request: Exchange) -> Answer:
    """With how it does."""
    request.asked(Said)
    found = await endpoints.one(request.backend.database, path_id(request, "id"))
    return Answer.of(WebhookAnswer(webhook=WebhookShown.of(found)))


@patch(ONE, CHANGE)
async def change_webhook(request: Exchange) -> Answer:
    """What is left out stays. Of kinds that are added it is told from now on."""
    request.asked(Said)
    said = await request.said(ChangeWebhook)
    backend = request.backend
    changed = await endpoints.change(
        backend.database,
        backend.webhooks,
        path_id(request, "id"),
        url=said.url,
        description=said.description,
        kinds=said.kinds,
        is_active=said.is_active,
        actor=request.actor,
    )
    return Answer.of(WebhookAnswer(webhook=WebhookShown.of(changed)))


@delete(ONE, REMOVE)
async def remove_webhook(request: Exchange) -> Answer:
    """With its deliveries: what waits for it is not sent."""
    request.asked(Said)
    endpoint_id = path_id(request, "id")
    await endpoints.remove(request.backend.database, endpoint_id, actor=request.actor)
    return Answer.of(WebhookRemoved(id=str(endpoint_id)))


@post(ONE + "/test", TEST)
async def test_webhook(request: Exchange) -> Answer:
    """A message of the kind `webhook.test`, signed as all are; also to an endpoint that is switched off."""
    request.asked(Said)
    backend = request.backend
    outcome = await endpoints.test(backend.database, backend.webhooks, path_id(request, "id"), actor=request.actor)
    return Answer.of(
        WebhookTested(
            is_delivered=outcome.is_delivered,
            status=outcome.status,
            error=outcome.error,
            duration_ms=outcome.duration_ms,
        )
    )


@post(ONE + "/rotate", ROTATE)
async def rotate_webhook(request: Exchange) -> Answer:
    """For 24 hours the old secret signs along, so that the receiver can change over in between.

    A secret that was replaced before the old one signs no more.
    """
    request.asked(Said)
    backend = request.backend
    rotated, secret = await endpoints.rotate(
        backend.database, backend.webhooks, path_id(request, "id"), actor=request.actor
    )
    return Answer.of(WebhookMade(webhook=WebhookShown.of(rotated), secret=secret))


@get(ONE + "/secret", SECRET)
async def reveal_webhook_secret(request: Exchange) -> Answer:
    """That it was revealed is noted."""
    request.asked(Said)
    backend = request.backend
    secret = await endpoints.secret(backend.database, backend.webhooks, path_id(request, "id"), actor=request.actor)
    return Answer.of(WebhookSecret(secret=secret))
