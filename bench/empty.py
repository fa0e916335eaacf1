"""A handler that does nothing, in the framework and on the web server that tollkeeper uses, set alike."""

from __future__ import annotations

import sys

import uvicorn
from litestar import Litestar, get


@get("/api/user/dashboard")
async def nothing() -> None:
    """Answer at once."""


def main(port: int) -> None:
    uvicorn.run(
        Litestar([nothing], openapi_config=None, logging_config=None),
        port=port,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        loop="uvloop",
        http="httptools",
        ws="none",
    )


if __name__ == "__main__":
    main(int(sys.argv[1]))
