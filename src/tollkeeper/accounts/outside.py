"""Asking servers of others over HTTP: no answer is larger than what a proper one may be."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Final

import httpx2

_MOST_BYTES: Final = 64 * 2**10


class Bounded(httpx2.AsyncHTTPTransport):
    """Reads no more than a bounded, plain body of each answer."""

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Ask, and have the answer counted as it is read."""
        answer = await super().handle_async_request(request)
        if answer.headers.get("content-encoding", "identity") != "identity":
            await answer.aclose()
            raise httpx2.DecodingError("a compressed answer, which was not asked for", request=request)
        answer.stream = _Counted(answer.stream)
        return answer


class _Counted(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.SyncByteStream | httpx2.AsyncByteStream) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        size = 0
        assert isinstance(self._stream, httpx2.AsyncByteStream)  # noqa: S101 - the transport is an asynchronous one
        async for chunk in self._stream:
            size += len(chunk)
            if size > _MOST_BYTES:
                raise httpx2.ReadError(f"an answer of more than {_MOST_BYTES} bytes")
            yield chunk

    async def aclose(self) -> None:
        """Let go of the connection."""
        if isinstance(self._stream, httpx2.AsyncByteStream):
            await self._stream.aclose()
