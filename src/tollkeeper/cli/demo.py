"""``tollkeeper demo``: the service with requests that others made, so that there is something to see."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Final
from uuid import UUID

import msgspec

from tollkeeper.accounts import users
from tollkeeper.accounts.secrets import keyring
from tollkeeper.accounts.sign_in import logins
from tollkeeper.activity import OPERATOR
from tollkeeper.cli.answers import DEFAULTS, Answer, Common, speak, told_at
from tollkeeper.cli.house import House, connected, settings_of
from tollkeeper.cli.importing import books_of
from tollkeeper.cli.progress import progress
from tollkeeper.cli.serving import Host, Port, Workers, where
from tollkeeper.errors import Misconfigured, NotFound
from tollkeeper.location import located
from tollkeeper.metering.prices import own_prices
from tollkeeper.metering.prices.price_file import own_rates
from tollkeeper.store.placement import write_private
from tollkeeper.traces.sample import SAMPLE_NOTE, SAMPLE_PRICES, SampleRequest, sample, sample_users

__all__ = ["demo"]

_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Shown:
    """What a demo shows: noted before it is loaded, so that a demo that was killed goes on with the same times."""

    ending_at: datetime
    liveliest: str
    is_loaded: bool


async def demo(
    *,
    host: Host = None,
    port: Port = None,
    workers: Workers = None,
    common: Common = DEFAULTS,
) -> None:
    """Serve with real requests of others as sample data, given to made-up users on different plans.

    They are loaded at the first start, their times moved so that they end then; later starts keep what is there. Use a
    data directory of its own.
    """
    from tollkeeper import serving  # noqa: PLC0415 - a web server takes a second to load

    settings = settings_of(common, host=host, port=port, workers=workers)
    async with located(settings) as addresses:
        async with connected(settings, addresses, statement_seconds=_SECONDS, may_begin=True) as database:
            house = House(settings, addresses, database, await keyring.known(database))
            email, user_id = await _somebody(house, await _loaded(house))
            link = await logins.make_link(database, user_id, pepper=await house.pepper(), actor=OPERATOR)

        def ready(url: str) -> None:
            sign_in_url = f"{url}/sign-in/{link.token}"
            document = {"url": url, "signInUrl": sign_in_url, "expiresAt": link.expires_at, "email": email}
            sign_in = f"Sign in as {email}, once, until {told_at(link.expires_at)}:\n  {sign_in_url}"
            told = f"{SAMPLE_NOTE}\n{where(settings, url)}\n\n{sign_in}"
            speak(Answer(document | {"note": SAMPLE_NOTE}, told), as_json=common.json)

        await serving.serve(settings, ready=ready)


async def _loaded(house: House) -> Shown:
    """Load the sample unless that was done before; what was loaded in part is completed."""
    noted = Path(house.settings.data) / "demo.json"
    known = _known(noted)
    if known is not None and known.is_loaded:
        return known
    ending_at = known.ending_at if known else await house.database.value("database_instant")
    given = sample(ending_at)
    # On a plan with limits there are meters to look at.
    talks = Counter(each.email for each in given if each.request.prompt and each.plan == "pro")
    shown = Shown(ending_at, talks.most_common(1)[0][0], is_loaded=False)
    _note(noted, shown)
    await _load(house, given)
    _note(noted, replace(shown, is_loaded=True))
    return shown


async def _somebody(house: House, shown: Shown) -> tuple[str, UUID]:
    """Find who has most to show, or else whoever was not deleted since."""
    for email in (shown.liveliest, *(each.email for each in sample_users())):
        if user_id := await users.of_email(house.database, email):
            return email, user_id
    raise NotFound(f"nobody of the sample data is left in {house.settings.data}: use another data directory")


def _known(noted: Path) -> Shown | None:
    return msgspec.json.decode(noted.read_bytes(), type=Shown) if noted.exists() else None


def _note(noted: Path, shown: Shown) -> None:
    noted.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_private(noted, msgspec.json.encode(shown).decode())


async def _load(house: House, given: list[SampleRequest]) -> None:
    await own_prices.put(house.database, own_rates(SAMPLE_PRICES), actor=OPERATOR)
    for user in sample_users():
        if await users.of_email(house.database, user.email) is None:
            await users.add(house.database, user.email, plan=user.plan, actor=OPERATOR)
    email_of = {each.request.fingerprint: each.email for each in given}
    async with books_of(house, lambda row: email_of[row.fingerprint], counts_pruned=True) as books:
        with progress("Loading the sample data", len(given)) as advance:
            await books.add((each.request for each in given), advance)
    if books.failed:
        raise Misconfigured(f"the sample data could not be loaded: {books.first_refused[0].error.detail}")
