"""What MLflow and Phoenix have in common: spans come over OTLP/HTTP, and PostgreSQL keeps them."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Final

from bench.course import Course
from bench.peers.contender import Contender, Running
from bench.peers.copies import Table, repeat
from bench.peers.kept import Way
from bench.peers.sender import Sending
from bench.peers.sent import send
from bench.peers.settling import settled
from bench.programs import ROOT, Failed
from bench.rivals import installing

HERE: Final = Path(__file__).parent
# Taken in over OTLP; the rest are copies of these.
ORIGINALS: Final = 2000
# Less than the 30 that are asked for, so that a copy, which is a little older, is still among them.
_DAYS: Final = 29
_FILL_SECONDS: Final = 300.0


def version_in(lock: str, package: str) -> str:
    """Read the version that a lock names."""
    lines = (HERE / lock).read_text(encoding="utf-8").splitlines()
    return next(line.partition("==")[2].split()[0] for line in lines if line.startswith(f"{package}=="))


def programs_of(lock: str) -> Path:
    """Have a peer installed; give where its programs are."""
    return installing.environment(HERE / lock, ROOT / ".bench" / "peers" / lock.removesuffix(".txt"))


class Tracing(Contender):
    """A peer that takes spans."""

    # 512 is what OpenTelemetry's batch exporter sends at most in a call.
    senders: ClassVar[dict[Way, tuple[int, int]]] = {"single": (64, 1), "batch": (4, 512)}
    headers: ClassVar[dict[str, str]] = {}
    counted: ClassVar[str] = "SELECT count(*) FROM spans"

    def __init__(self, here: Course, database: str) -> None:
        super().__init__(here, database)
        self._originals = 0

    @abstractmethod
    def tables(self) -> Sequence[Table]:
        """Say how its rows are repeated."""

    def sending(self, running: Running, way: Way, seconds: float) -> Sending:
        senders, batch = self.senders[way]
        return Sending(
            kind="otlp", port=running.port, path="/v1/traces", headers=self.headers, senders=senders, batch=batch,
            seconds=seconds, users=self.here.users,
            # Phoenix accepts tens of thousands within seconds and takes minutes to store them.
            most=None if way == "single" else senders * batch,
        )  # fmt: skip

    async def fill(self, running: Running, requests: int) -> None:
        if not self._originals:
            self._originals = min(ORIGINALS, requests)
            await self._take_in(running)
        await repeat(self.dsn, self.tables(), await self.stored() // self._originals, requests // self._originals - 1)
        if (found := await self.stored()) != requests:
            raise Failed(f"{self.name} has {found} requests where {requests} were to be stored")

    async def _take_in(self, running: Running) -> None:
        sending = self.sending(running, "batch", _FILL_SECONDS)
        sending.batch, sending.most, sending.days = 100, self._originals, _DAYS
        await send(sending)
        async with self.counting() as count:
            found, _ = await settled(count, self._originals, _FILL_SECONDS)
        if found != self._originals:
            raise Failed(f"{self.name} stored {found} of {self._originals} requests in {_FILL_SECONDS:.0f} s")
