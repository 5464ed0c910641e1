"""The files for a class say what the program understands; no container is started here."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from neurorama.jobs.settings import Settings

DEPLOY = Path(__file__).parents[1] / "deploy"
OTHERS = {"NEURORAMA_STORE", "NEURORAMA_DATA", "NEURORAMA_USERS"}


def test_every_service_starts_a_program_of_the_image_with_settings_that_exist() -> None:
    services = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]
    assert set(services) == {"dashboard", "scheduler", "worker", "database"}
    known = OTHERS | {f"NEURORAMA_{name.upper()}" for name in Settings.model_fields}
    for name, service in services.items():
        if name != "database":
            assert service["command"][0] in {"neurorama", "dask"}
            assert set(service.get("environment", {})) <= known
            assert all(str(port).startswith("127.0.0.1:") for port in service.get("ports", ()))


def test_the_page_names_settings_that_exist() -> None:
    named = set(re.findall(r"NEURORAMA_[A-Z_]+", (DEPLOY / "README.md").read_text()))
    assert named <= OTHERS | {f"NEURORAMA_{name.upper()}" for name in Settings.model_fields}
