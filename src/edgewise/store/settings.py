"""[store]: where events are kept; without it, in the store folder."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field, PositiveInt
from pydantic_core import PydanticCustomError

from edgewise.config import Settings
from edgewise.store.protocol import MAX_DEAD_LETTERS


def _without_password(url: str) -> str:
    """Refuse an address with a password: a configuration is shown, and written down beside what it made."""
    if re.search("://[^@/]*:[^@]*@", url) or "password=" in url:
        raise PydanticCustomError(
            "secret", "it has a password; put the address into EDGEWISE_STORE_URL, or name a password_file"
        )
    return url


class StoreConfig(Settings):
    """[store]: the server that keeps events, and what is told of users and items. Models stay in the store folder."""

    url: Annotated[str, AfterValidator(_without_password)] = (
        "sqlite"  # or postgresql://USER@HOST/DATABASE, redis://HOST/0
    )
    name: Annotated[str, Field(pattern="^[a-z][a-z0-9_]{0,39}$")] = "edgewise"  # the schema, or what keys begin with
    password_file: str | None = None  # a file with the password and nothing else
    accept_loss: bool = False  # use a server that can lose what it has confirmed
    max_dead_letters: PositiveInt = MAX_DEAD_LETTERS  # messages that could not be read; the newest are kept
