"""``tollkeeper secrets``: the master key, under which users' secrets are sealed."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import Annotated, Final

from cyclopts import App, Parameter, validators

from tollkeeper.accounts.secrets import keyring, masterkey, rotation
from tollkeeper.accounts.secrets.rotation import Begun, Moved, SealedAnew, Version
from tollkeeper.accounts.secrets.sealing import Sealer
from tollkeeper.activity import OPERATOR
from tollkeeper.cli.answers import DEFAULTS, Answer, Common, Misused, counted, shown, table
from tollkeeper.cli.house import House, opened
from tollkeeper.cli.progress import progress
from tollkeeper.errors import Contradiction
from tollkeeper.location import master_key_file, master_keys

app = App(name="secrets", help="The master key: status, rotate.")

_SECONDS: Final = 300.0
_TICK_SECONDS: Final = 0.2


@app.command
async def status(*, common: Common = DEFAULTS) -> Answer:
    """Say which versions of the master key there are, which one seals, and how many secrets are sealed under each."""
    async with opened(common, statement_seconds=_SECONDS) as house:
        path = master_key_file(house.settings)
        keys = {} if path is not None and not path.exists() else master_keys(house.settings)
        if keys:
            keyring.refuse_others(keys, house.known_keys)
        found = await rotation.versions(house.database, keys)
    is_fine = all(each.is_here or not each.is_needed for each in found)
    header = ("VERSION", "HERE", "SEALS", "SECRETS", "NEEDED", "ADDED")
    document = {"keptIn": _place(house), "versions": [shown(each) for each in found], "ok": is_fine}
    note = "" if is_fine else "A version that is needed is not here: put it back, or the service will not start."
    return Answer(document, table(header, map(_row, found)), note, ok=is_fine)


@app.command
async def rotate(
    *,
    wait: Annotated[
        int,
        Parameter(help="How many seconds nodes may take to have the new version.", validator=validators.Number(gte=0)),
    ] = 60,
    common: Common = DEFAULTS,
) -> Answer:
    """Seal all secrets anew under a new version of the master key, beside running nodes.

    The version is added to master.key, or must stand in TOLLKEEPER_MASTER_KEY of this command and of all nodes. When
    every node has it, it seals, and then all that older ones have sealed is sealed anew. Interrupted, even by kill -9,
    the next call goes on with it.
    """
    async with opened(common, statement_seconds=_SECONDS) as house:
        await house.master_keys()
        begun, done = await _rotated(house, wait)
        if begun.is_left_over and done.broken and not done.secrets:
            # Of an interrupted rotation nothing but that is left, so another one is meant.
            begun, done = await _rotated(house, wait, damaged=len(done.broken))
        found = await rotation.versions(house.database, master_keys(house.settings))
    return _told(_place(house), begun.version, done, found)


async def _rotated(house: House, wait: int, *, damaged: int = 0) -> tuple[Begun, SealedAnew]:
    path, read = master_key_file(house.settings), partial(master_keys, house.settings)
    add = _nowhere_to_add if path is None else partial(masterkey.add_version, path)
    begun = await rotation.begin(house.database, read=read, add=add, damaged=damaged)
    await _sealing(house, begun.version, wait)
    with progress("Sealing anew", await rotation.left(house.database, begun.version)) as advance:
        done = await rotation.seal_anew(house.database, Sealer(read()), begun.version, actor=OPERATOR, advance=advance)
    return begun, done


async def _sealing(house: House, version: int, seconds: int) -> None:
    """Wait until every node has a version, then let it seal."""
    until = time.monotonic() + seconds
    while True:
        try:
            await rotation.switch(house.database, version, actor=OPERATOR)
        except Moved:
            if time.monotonic() > until:
                break
            await asyncio.sleep(_TICK_SECONDS)
        else:
            return
    lacking = await rotation.waiting_for(house.database, version)
    named = ", ".join(f"{each.host} (pid {each.pid})" for each in lacking)
    raise Contradiction(
        f"nothing was sealed anew: version {version} of the master key is not yet known to {named}; "
        "give it to them and run this again",
        version=version,
        nodes=[shown(each) for each in lacking],
    )


def _nowhere_to_add() -> None:
    raise Misused(
        "the newest version in TOLLKEEPER_MASTER_KEY seals already: add the next one (`openssl rand -base64 32`), "
        "for this command and every node, restart the nodes one after another, and run this again"
    )


def _told(where: str, version: int, done: SealedAnew, found: list[Version]) -> Answer:
    broken = [{"userId": user_id, "key": key} for user_id, key in done.broken]
    spare = [each.version for each in found if not each.is_needed and each.is_here and each.version < version]
    document = {
        "version": version,
        "secrets": done.secrets,
        "broken": broken,
        "versions": [shown(each) for each in found],
    }
    sealed = f"{counted(done.secrets, 'secret')} {'is' if done.secrets == 1 else 'are'} sealed anew"
    text = f"{sealed}, all under version {version} of the master key in {where}."
    if broken:
        named = ", ".join(f"{each['key']} of {each['userId']}" for each in broken)
        text = f"{sealed} under version {version}. These are damaged and stay: {named}."
    note = "Keep a copy of the new key apart from backups."
    if spare:
        note += f" No secret needs version {', '.join(map(str, spare))} any more; backups made before do."
    return Answer(document, text, note, ok=not broken)


def _row(each: Version) -> tuple[object, ...]:
    return (each.version, each.is_here, each.is_sealing, f"{each.secrets:,}", each.is_needed, each.added_at)


def _place(house: House) -> str:
    return str(master_key_file(house.settings) or "TOLLKEEPER_MASTER_KEY")
