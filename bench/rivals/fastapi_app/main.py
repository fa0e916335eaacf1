"""Chat tracking as people build it in Python: FastAPI, `limits` on Redis, asyncpg.

The start counts the request against the user's limits in Redis and inserts a pending row. The finish updates the row
and adds it to the user's totals. Settings come from the environment; see ../README.md.
"""

import hashlib
import os
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Annotated, Any, Final, Literal, NamedTuple
from uuid import UUID

import asyncpg
import orjson
from fastapi import Depends, FastAPI, HTTPException, Request, Response
from limits import RateLimitItem, RateLimitItemPerDay, RateLimitItemPerMonth
from limits.aio.storage import RedisStorage
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

POOL_SIZE: Final = int(os.environ.get("POOL_SIZE", "16"))
DAILY: Final = RateLimitItemPerDay(int(os.environ.get("DAILY_LIMIT", "1000000")))
MONTHLY: Final = RateLimitItemPerMonth(int(os.environ.get("MONTHLY_LIMIT", "10000000")))
KEY_CACHE_SECONDS: Final = 60.0

INSERT: Final = """
INSERT INTO chat_requests
       (user_id, session_id, prompt, model, request_type, category, complexity, ip_address, user_agent)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
RETURNING id
"""

# One statement, so that the row and the totals change together, in one round trip.
FINISH: Final = """
WITH finished AS (
    UPDATE chat_requests AS c
       SET status = $3, response = $4, tokens_input = $5, tokens_output = $6,
           tokens_used = $5::integer + $6::integer, duration = $7,
           cost_nanos = (SELECT $5 * p.input_nanos + $6 * p.output_nanos FROM prices AS p WHERE p.model = c.model),
           error_message = $8, completed_at = now()
     WHERE id = $1 AND user_id = $2 AND status = 'pending'
    RETURNING user_id, status, tokens_input, tokens_output, cost_nanos, duration
), added AS (
    INSERT INTO user_totals AS t
    SELECT user_id, 1, (status = 'completed')::int, (status = 'failed')::int, tokens_input, tokens_output,
           coalesce(cost_nanos, 0), duration
      FROM finished
    ON CONFLICT (user_id) DO UPDATE
       SET requests = t.requests + 1, completed = t.completed + excluded.completed, failed = t.failed + excluded.failed,
           tokens_input = t.tokens_input + excluded.tokens_input,
           tokens_output = t.tokens_output + excluded.tokens_output,
           cost_nanos = t.cost_nanos + excluded.cost_nanos, duration = t.duration + excluded.duration
)
SELECT cost_nanos FROM finished
"""


class Wire(BaseModel):
    """camelCase outside, snake_case inside."""

    model_config = ConfigDict(alias_generator=to_camel)


class Start(Wire):
    """POST /api/chat/track."""

    prompt: str
    session_id: str | None = None
    model: str | None = None
    request_type: str = "chat"
    category: str | None = None
    complexity: Literal["low", "medium", "high"] | None = None


class Finish(Wire):
    """PUT /api/chat/track."""

    request_id: UUID
    status: Literal["completed", "failed"]
    response: str | None = None
    tokens_input: int = Field(default=0, ge=0)
    tokens_output: int = Field(default=0, ge=0)
    duration: int = Field(default=0, ge=0)
    error_message: str | None = None


class Connected(NamedTuple):
    """What lives as long as the process; ``keys`` says until when a key that was looked up is known."""

    pool: asyncpg.Pool
    counters: RedisStorage
    keys: dict[str, float]


@asynccontextmanager
async def connections(app: FastAPI) -> AsyncGenerator[None]:
    """Open the pools."""
    # Nothing is left behind in a session that would have to be reset: that saves a round trip for each statement.
    pool = asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=POOL_SIZE, max_size=POOL_SIZE, reset=_nothing)
    async with pool:
        counters = RedisStorage(
            "async+" + os.environ["REDIS_URL"], implementation=os.environ.get("REDIS_CLIENT", "redispy")
        )
        app.state.connected = Connected(pool, counters, {})
        yield


async def _nothing(_: asyncpg.Connection) -> None:
    pass


app = FastAPI(
    lifespan=connections,
    docs_url=None,
    redoc_url=None,
    openapi_url=None,
    telemetry={"tracing": False, "metrics": False, "logs": False, "operation_spans": False},
)


def connected(request: Request) -> Connected:
    """Lend the pools."""
    return request.app.state.connected


async def caller(request: Request) -> str:
    """Check the key, by its hash, and name the user that it speaks for."""
    known = connected(request).keys
    key = request.headers.get("authorization", "").removeprefix("Bearer ")
    if known.get(key, 0.0) < time.monotonic():
        digest = hashlib.sha256(key.encode()).digest()
        if not await connected(request).pool.fetchval("SELECT true FROM api_keys WHERE key_hash = $1", digest):
            raise HTTPException(401)
        known[key] = time.monotonic() + KEY_CACHE_SECONDS
    user = request.headers.get("tollkeeper-user")
    if not user:
        raise HTTPException(400, "Tollkeeper-User names nobody")
    return user


async def count(counters: RedisStorage, limit: RateLimitItem, user: str) -> int:
    """Count one request in the limit's fixed window, as FixedWindowRateLimiter.hit does, and keep what it counted.

    ``hit`` says only yes or no; the numbers of the answer would cost another round trip for each limit.
    """
    used = await counters.incr(limit.key_for(user), limit.get_expiry())
    if used > limit.amount:
        raise HTTPException(429, {"limit": limit.GRANULARITY.name, "used": used - 1, "allowed": limit.amount})
    return used


def answer(status: int, body: dict[str, Any]) -> Response:
    """Answer without FastAPI's own encoder, which is slower."""
    return Response(orjson.dumps(body), status, media_type="application/json")


@app.post("/api/chat/track")
async def start(body: Start, request: Request, user: Annotated[str, Depends(caller)]) -> Response:
    """Count the request against the limits and open its record."""
    pool, counters, _ = connected(request)
    daily = await count(counters, DAILY, user)
    monthly = await count(counters, MONTHLY, user)
    request_id = await pool.fetchval(
        INSERT, user, body.session_id, body.prompt, body.model, body.request_type, body.category, body.complexity,
        request.client.host if request.client else None, request.headers.get("user-agent"),
    )  # fmt: skip
    limits = {"dailyUsed": daily, "dailyLimit": DAILY.amount, "monthlyUsed": monthly, "monthlyLimit": MONTHLY.amount}
    return answer(201, {"success": True, "id": str(request_id), "status": "pending", "limits": limits})


@app.put("/api/chat/track")
async def finish(body: Finish, request: Request, user: Annotated[str, Depends(caller)]) -> Response:
    """Close the record and add it to the user's totals."""
    done = await connected(request).pool.fetchrow(
        FINISH, body.request_id, user, body.status, body.response, body.tokens_input, body.tokens_output,
        body.duration, body.error_message,
    )  # fmt: skip
    if done is None:
        raise HTTPException(404, "no such pending request")
    return answer(
        200,
        {"success": True, "id": str(body.request_id), "status": body.status, "costNanos": done["cost_nanos"],
         "tokensUsed": body.tokens_input + body.tokens_output},
    )  # fmt: skip
