"""Chat requests and conversations, as the outside sees them."""

from __future__ import annotations

from typing import Any, Literal

from tollkeeper.http.wire import Cents, Heard, Instant, cents, instant
from tollkeeper.metering.money import cents_of
from tollkeeper.metering.tracking.records import ChatRequest, ChatSession
from tollkeeper.names import camel


class RequestShown(Heard, frozen=True, kw_only=True):
    """One chat request, in lists."""

    id: str
    request_id: str
    session_id: str | None
    prompt: str | None
    response: str | None
    model: str | None
    request_type: str
    category: str | None
    complexity: str | None
    status: str
    error_message: str | None
    error_code: str | None
    late: bool
    tokens_used: int | None
    tokens_input: int | None
    tokens_output: int | None
    cost: Cents | None
    cost_nanos: int | None
    cost_source: str | None
    reported_cost: Cents | None
    duration: int | None
    user_rating: int | None
    started_at: Instant
    completed_at: Instant | None
    created_at: Instant

    @classmethod
    def of(cls, request: ChatRequest) -> RequestShown:
        """Show a request."""
        return cls(**_shown(request))


class RequestWhole(RequestShown, frozen=True, kw_only=True):
    """One chat request with all that is kept of it."""

    plan_name: str
    max_tokens: int | None
    tokens_cached: int | None
    tokens_cache_write: int | None
    tokens_reasoning: int | None
    computed_cost: Cents | None
    unit_prices: dict[str, Any] | None
    refunded: bool
    outside_plan: bool
    over_reserved: bool
    metadata: dict[str, Any] | None
    ip_address: str | None
    user_agent: str | None
    expires_at: Instant

    @classmethod
    def of(cls, request: ChatRequest) -> RequestWhole:
        """Show a request whole."""
        return cls(
            **_shown(request),
            plan_name=request.plan_name,
            max_tokens=request.max_tokens,
            tokens_cached=request.tokens_cached,
            tokens_cache_write=request.tokens_cache_write,
            tokens_reasoning=request.tokens_reasoning,
            computed_cost=cents(request.computed_nanos),
            unit_prices=request.unit_prices and {camel(kind): price for kind, price in request.unit_prices.items()},
            refunded=request.refunded,
            outside_plan=request.outside_plan,
            over_reserved=request.over_reserved,
            metadata=request.metadata,
            ip_address=request.ip_address,
            user_agent=request.user_agent,
            expires_at=instant(request.expires_at),
        )


class RequestFound(Heard, frozen=True, kw_only=True):
    """The answer to asking for one request."""

    success: Literal[True] = True
    request: RequestWhole


class RequestsPage(Heard, frozen=True, kw_only=True):
    """Some requests; ``nextCursor`` leads on, null where nothing follows."""

    success: Literal[True] = True
    items: list[RequestShown]
    next_cursor: str | None


class SessionShown(Heard, frozen=True, kw_only=True):
    """One conversation, summed. `unpricedRequests` are in its cost with nothing, for nobody knows theirs."""

    session_id: str
    started_at: Instant
    last_at: Instant
    requests: int
    completed: int
    failed: int
    tokens_used: int
    cost: Cents
    cost_nanos: int
    unpriced_requests: int

    @classmethod
    def of(cls, session: ChatSession) -> SessionShown:
        """Show a conversation."""
        return cls(
            session_id=session.session_id,
            started_at=instant(session.started_at),
            last_at=instant(session.last_at),
            requests=session.requests,
            completed=session.completed,
            failed=session.failed,
            tokens_used=session.tokens_used,
            cost=cents_of(session.cost_nanos),
            cost_nanos=session.cost_nanos,
            unpriced_requests=session.unpriced,
        )


class SessionsPage(Heard, frozen=True, kw_only=True):
    """Some conversations, by when they began."""

    success: Literal[True] = True
    items: list[SessionShown]
    next_cursor: str | None


def _shown(request: ChatRequest) -> dict[str, Any]:
    ours = str(request.id)
    return {
        "id": ours,
        "request_id": request.client_id or ours,
        "session_id": request.session_id,
        "prompt": request.prompt,
        "response": request.response,
        "model": request.model,
        "request_type": request.request_type,
        "category": request.category,
        "complexity": request.complexity,
        "status": request.status,
        "error_message": request.error_message,
        "error_code": request.error_code,
        "late": request.late,
        "tokens_used": request.tokens_used,
        "tokens_input": request.tokens_input,
        "tokens_output": request.tokens_output,
        "cost": cents(request.cost_nanos),
        "cost_nanos": request.cost_nanos,
        "cost_source": request.cost_source,
        "reported_cost": cents(request.reported_nanos),
        "duration": request.duration_ms,
        "user_rating": request.rating,
        "started_at": instant(request.started_at),
        "completed_at": request.completed_at and instant(request.completed_at),
        "created_at": instant(request.created_at),
    }
