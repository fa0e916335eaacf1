"""How much a process takes on, by what it may have."""

from __future__ import annotations

import resource

import pytest

from tollkeeper.capacity import TURNED_AWAY, descriptors, most_at_once, most_bytes_of_texts, most_connections

_MIB = 2**20


@pytest.mark.parametrize(("limit", "of_database", "most"), [(64, 16, 12), (1024, 16, 972), (2**20, 511, 2**20 - 547)])
def test_connections_leave_enough_for_all_else(limit: int, of_database: int, most: int) -> None:
    assert most_connections(limit, of_database=of_database) == most
    assert limit - most - of_database - TURNED_AWAY == 28


def test_however_few_there_are_some_connections_are_served() -> None:
    assert most_connections(20, of_database=16) == 4


@pytest.mark.parametrize(("memory", "most"), [(128, 64), (512, 64), (1024, 128), (2048, 256), (2**20, 256)])
def test_texts_take_an_eighth_of_the_memory(memory: int, most: int) -> None:
    assert most_bytes_of_texts(memory * _MIB) == most * _MIB


def test_the_limit_is_raised_to_what_it_may_be() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, 256), hard))
        raised = descriptors()
        assert raised == resource.getrlimit(resource.RLIMIT_NOFILE)[0] == min(hard, 2**20)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_a_core_is_left_to_those_who_track() -> None:
    assert [most_at_once(cores) for cores in (1, 2, 3, 64)] == [1, 1, 2, 2]
