"""Which texts reach the database: what the policy of the house and that of the user's plan both let through.

The plan is known for certain only in the statement that decides. So each item goes there with the texts that are fit
for the plan its user is believed to be on, and says for which policy they are; the statement decides only if that is
the policy in force, and else answers which one is. What a plan does not keep is thus not even sent, but for what is
under way while an operator makes a plan stricter: and that is not stored.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar, cast
from uuid import UUID

from tollkeeper.metering.tracking import own_patterns
from tollkeeper.metering.tracking.requests import NewRequest, Outcome
from tollkeeper.metering.tracking.texts import Redactor, TextPolicy, stricter
from tollkeeper.store.database import Record, Statements
from tollkeeper.store.queries import column

Item = TypeVar("Item", NewRequest, Outcome)
Kept = TypeVar("Kept")

_FIT_FOR_ALL: Final = "any"
_OTHER_POLICY: Final = "keeps-"
_MOST_BELIEFS: Final = 50_000
# Less is redacted at once; more would keep everybody else waiting.
_AT_ONCE: Final = 32_768


def is_other_policy(verdict: Record) -> bool:
    """Whether nothing was decided, because another policy is in force than the one the texts were fit for."""
    return verdict["verdict"].startswith(_OTHER_POLICY)


@dataclass(slots=True)
class TextsOfStart:
    """What of a start's texts may be stored."""

    prompt: str | None
    metadata: dict[str, Any] | None
    ip_address: str | None
    user_agent: str | None


@dataclass(slots=True)
class TextsOfFinish:
    """What of an outcome's texts may be stored, and how the response is known again."""

    response: str | None
    error_message: str | None
    response_hash: bytes | None = None


@dataclass(slots=True)
class Keeping:
    """The policy of the house, its redactor, and what is known of users' plans: learnt from verdicts."""

    policy: TextPolicy = "all"
    redactor: Redactor = field(default_factory=Redactor)
    _unknown: TextPolicy | None = None
    _beliefs: dict[UUID, TextPolicy] = field(default_factory=dict[UUID, TextPolicy])

    @classmethod
    def of(cls, policy: TextPolicy, patterns: Sequence[str]) -> Keeping:
        """Make it as the settings say. ``ValueError`` names a pattern that is unfit."""
        return cls(policy, Redactor(own_patterns.read(patterns)))

    async def starts(self, database: Statements, requests: Sequence[NewRequest]) -> dict[str, Any]:
        """Give the columns of a set's texts, and for which policies of plans they are."""
        policies = await self._policies(database, requests)
        texts: Sequence[NewRequest | TextsOfStart] = requests
        if policies is not None or self.policy != "all":
            texts = await self._fit(requests, policies, self._start)
        return {
            "prompts": column([each.prompt for each in texts]),
            "metadata": column([each.metadata for each in texts]),
            "ip_addresses": column([each.ip_address for each in texts]),
            "user_agents": column([each.user_agent for each in texts]),
            "kept": policies,
        }

    async def finishes(self, database: Statements, outcomes: Sequence[Outcome]) -> dict[str, Any]:
        """The same of outcomes. One without a text is fit for every policy."""
        policies = await self._policies(database, outcomes)
        if policies is None and self.policy == "all":
            return {
                "responses": column([each.response for each in outcomes]),
                "errors": column([each.error_message for each in outcomes]),
                "response_hashes": None,
                "kept": None,
            }
        texts = await self._fit(outcomes, policies, self._finish)
        if policies is not None:
            policies = [
                policy if _has_text(each) else _FIT_FOR_ALL for each, policy in zip(outcomes, policies, strict=True)
            ]
        return {
            "responses": column([each.response for each in texts]),
            "errors": column([each.error_message for each in texts]),
            "response_hashes": column([each.response_hash for each in texts]),
            "kept": policies,
        }

    def learn(self, items: Sequence[NewRequest | Outcome], verdicts: Sequence[Record]) -> bool:
        """Take note of policies that verdicts tell; says whether any did."""
        has_learnt = False
        for item, verdict in zip(items, verdicts, strict=True):
            if is_other_policy(verdict):
                has_learnt = True
                self._believe(item.user_id, verdict["verdict"].removeprefix(_OTHER_POLICY))
        return has_learnt

    def is_now(self, before: UUID, user_id: UUID) -> None:
        """Believe of a user what was learnt of ``before``: the same one, who was made by what was rolled back since."""
        if before in self._beliefs:
            self._believe(user_id, self._beliefs.pop(before))

    def _believe(self, user_id: UUID, policy: TextPolicy) -> None:
        if len(self._beliefs) >= _MOST_BELIEFS:
            del self._beliefs[next(iter(self._beliefs))]
        self._beliefs[user_id] = policy
        if policy != "all":
            self._unknown = "none"

    async def _policies(self, database: Statements, items: Sequence[NewRequest | Outcome]) -> list[str] | None:
        """Say of each item which policy its user's plan is believed to have; ``None``: all of them keep all."""
        if self.policy == "none":
            return [_FIT_FOR_ALL] * len(items)
        if self._unknown is None:
            # Where some plan keeps less, nothing is sent of a user until their plan is known.
            self._unknown = "none" if await database.value("some_plan_keeps_less") else "all"
        if self._unknown == "all":
            return None
        return [self._beliefs.get(each.user_id, "none") for each in items]

    async def _fit(
        self, items: Sequence[Item], policies: Sequence[str] | None, fit: Callable[[Item, TextPolicy], Kept]
    ) -> list[Kept]:
        """Make texts fit for the policies of the house and of the plan; where that takes long, others are served."""
        both: list[TextPolicy] = [self._both(policy) for policy in policies or ["all"] * len(items)]

        def done() -> list[Kept]:
            return [fit(each, policy) for each, policy in zip(items, both, strict=True)]

        size = sum(_size(each) for each, policy in zip(items, both, strict=True) if policy == "redacted")
        return done() if size <= _AT_ONCE else await asyncio.to_thread(done)

    def _both(self, policy: str) -> TextPolicy:
        return self.policy if policy == _FIT_FOR_ALL else stricter(self.policy, cast("TextPolicy", policy))

    def _start(self, request: NewRequest, policy: TextPolicy) -> TextsOfStart:
        if policy == "none":
            return TextsOfStart(None, None, None, None)
        if policy == "all":
            return TextsOfStart(request.prompt, request.metadata, request.ip_address, request.user_agent)
        return TextsOfStart(
            self.redactor.text(request.prompt),
            None if request.metadata is None else self.redactor.document(request.metadata),
            request.ip_address,
            self._text(request.user_agent),
        )

    def _finish(self, outcome: Outcome, policy: TextPolicy) -> TextsOfFinish:
        if policy == "all":
            return TextsOfFinish(outcome.response, outcome.error_message)
        hashed = _hash_of(outcome.response)
        if policy == "none":
            return TextsOfFinish(None, None, hashed)
        return TextsOfFinish(self._text(outcome.response), self._text(outcome.error_message), hashed)

    def _text(self, text: str | None) -> str | None:
        return None if text is None else self.redactor.text(text)


def _hash_of(response: str | None) -> bytes | None:
    """As ``tk_response_hash`` does it, so that the same response is the same whichever was kept."""
    return None if response is None else hashlib.sha256(response.encode()).digest()


def _has_text(outcome: Outcome) -> bool:
    return outcome.response is not None or outcome.error_message is not None


def _size(item: NewRequest | Outcome) -> int:
    text = item.prompt if isinstance(item, NewRequest) else item.response
    return len(text or "")
