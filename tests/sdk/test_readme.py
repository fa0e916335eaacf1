"""The example that the client's README gives runs as it stands."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

from tests.sdk.conftest import OneNode

_README = Path(__file__).parents[2] / "sdk/python/README.md"


@dataclass(frozen=True, slots=True)
class Said:
    """What a model says."""

    text: str = "yes"
    tokens_input: int = 3
    tokens_output: int = 4


def ask_the_model(_: str) -> Said:
    """Ask."""
    return Said()


def _module(path: Path) -> Any:
    spec = spec_from_file_location("example", path)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


async def test_the_example_runs(service: OneNode, tmp_path: Path) -> None:
    (example,) = re.findall(r"```python\n(.*?)```", _README.read_text(), re.DOTALL)
    example = example.replace("http://localhost:8080", service.url).replace("/var/lib/my-app", str(tmp_path))
    told = f"from tests.sdk.test_readme import ask_the_model\n\nKEY = {service.key!r}\n"
    (tmp_path / "example.py").write_text(told + example)
    world = _module(tmp_path / "example.py")
    await service.site.add_users("reader@example.com", plan="two")
    try:
        said = [await asyncio.to_thread(world.answer, "reader@example.com", "four") for _ in range(3)]
    finally:
        await asyncio.to_thread(world.tollkeeper.close)
    assert said[:2] == ["yes", "yes"]
    assert said[2].startswith("You have used up")
    assert [each["tokens_used"] for each in await service.stored("reader@example.com")] == [7, 7]
