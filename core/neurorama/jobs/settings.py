"""Where runs go and how much each may take: `NEURORAMA_...` in the environment, or the defaults."""

from __future__ import annotations

import os
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..errors import InputError, one_line


class Settings(BaseModel):
    """`NEURORAMA_TIME_LIMIT=60` in the environment is `time_limit=60` here, and so on."""

    model_config = ConfigDict(frozen=True)

    scheduler: str = Field("", pattern=r"^(|(tcp|tls|ws|wss)://[^\s/]+)$", description="a Dask scheduler; else our own")
    workers: int = Field(default_factory=lambda: min(8, os.cpu_count() or 1), ge=1, le=256, description="of our own")
    device: Literal["cpu", "cuda", "mps"] = Field("cpu", description="where torch computes")
    time_limit: float = Field(600, gt=0, description="seconds that a run may take")
    memory_limit: int = Field(2048, ge=64, description="MB that a run may take on top of what its process has")
    queue_limit: int = Field(200, ge=1, description="runs that may wait in all")
    user_limit: int = Field(10, ge=1, description="runs of one user, who has logged in, that may wait or go on")

    @classmethod
    def of_environment(cls) -> Settings:
        """What the environment says.

        Raises:
            InputError: a setting that is not what it should be.
        """
        named = {name: os.environ.get(f"NEURORAMA_{name.upper()}", "") for name in cls.model_fields}
        try:
            return cls.model_validate({name: text for name, text in named.items() if text})
        except ValidationError as error:
            name = str(error.errors()[0]["loc"][0])
            told = one_line(error).removeprefix(f"{name}=")
            raise InputError(f"NEURORAMA_{name.upper()}={told}") from None
