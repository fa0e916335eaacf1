"""The dashboard: read as it stands, or computed anew."""

from __future__ import annotations

from typing import Final

from tollkeeper.errors import NotFound, RebuiltJustNow
from tollkeeper.http.dashboards.kept import Dashboards
from tollkeeper.http.dashboards.shown import (
    DashboardAnswer,
    DashboardShown,
    DifferenceShown,
    RebuiltDashboard,
    enveloped,
)
from tollkeeper.http.exchange import JSON, Answer, Exchange
from tollkeeper.http.operation import Operation
from tollkeeper.http.routing import get, post
from tollkeeper.http.shapes import Said
from tollkeeper.metering.dashboards import dashboard
from tollkeeper.metering.upkeep import verify

READ: Final = Operation(
    "dashboard:read",
    summary="Read the user's dashboard",
    query=Said,
    gives={200: DashboardAnswer},
    problems=(NotFound,),
)
REBUILD: Final = Operation(
    "dashboard:read",
    summary="Compute the user's numbers anew",
    query=Said,
    gives={200: RebuiltDashboard},
    problems=(NotFound, RebuiltJustNow),
    takes_room=True,
)


@get("/api/user/dashboard", READ)
async def show_dashboard(request: Exchange) -> Answer:
    """All numbers of one instant. The same object stands at the top and under `dashboard`."""
    request.asked(Said)
    return Answer(await request.the(Dashboards).of(request.caller.user_id))


@post("/api/user/dashboard", REBUILD)
async def rebuild_dashboard(request: Exchange) -> Answer:
    """Compare the numbers with the rows, mend what differs and name it in `changed`: at most once in 10 seconds."""
    request.asked(Said)
    backend, user_id = request.backend, request.caller.user_id
    mended = await verify.rebuild(backend.patient, user_id)
    found = await dashboard.read(backend.database, backend.ledger, user_id)
    changed = [DifferenceShown.of(each) for each in mended]
    return Answer(enveloped(DashboardShown.of(found), changed=changed), headers=(JSON,))
