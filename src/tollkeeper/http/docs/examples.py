"""The seed's own examples, as the description of the API shows them."""

from __future__ import annotations

from typing import Any, Final

START: Final[dict[str, Any]] = {
    "A code generation": {
        "prompt": "Create an NFT contract",
        "sessionId": "session-123",
        "model": "gpt-4",
        "requestType": "code_generation",
        "category": "nft",
        "complexity": "high",
    },
    "With an id of one's own": {"prompt": "Create an NFT contract", "requestId": "req-123", "maxTokens": 2000},
}
FINISH: Final[dict[str, Any]] = {
    "Completed": {
        "requestId": "req-123",
        "status": "completed",
        "response": "Generated contract code...",
        "tokensUsed": 1500,
        "cost": 3,
        "duration": 2500,
        "userRating": 5,
    },
    "Rated later": {"requestId": "req-123", "userRating": 4},
    "Failed": {"requestId": "req-123", "status": "failed", "errorMessage": "the provider timed out"},
}
BATCH: Final[dict[str, Any]] = {
    "One that has ended and one to start": [
        {
            "user": "alice@example.com",
            "requestId": "req-123",
            "prompt": "Create an NFT contract",
            "model": "gpt-4",
            "category": "nft",
            "status": "completed",
            "response": "Generated contract code...",
            "tokensInput": 500,
            "tokensOutput": 1000,
            "duration": 2500,
            "completedAt": "2025-01-31T12:00:00Z",
        },
        {"user": "bob@example.com", "requestId": "req-124", "prompt": "Explain the contract", "maxTokens": 2000},
    ],
}
PUT_VARIABLE: Final[dict[str, Any]] = {
    "A secret": {"key": "OPENAI_KEY", "value": "sk-example-1234", "type": "secret", "description": "for the demo"},
}
PUT_VARIABLES: Final[dict[str, Any]] = {
    "By name": {"variables": {"THEME": "dark", "LANGUAGE": "en"}},
    "In full": {"variables": [{"key": "RETRIES", "value": 3, "type": "number"}]},
}
