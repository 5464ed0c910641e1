"""Every built exhibit keeps the contract; `neurorama check` says the same to its author."""

from __future__ import annotations

import pytest

from neurorama import catalogue, faults


@pytest.mark.parametrize("key", [row.key for row in catalogue.built()])
def test_an_exhibit_keeps_the_contract(key: str) -> None:
    assert faults(key) == []
