"""Who may do what: keys by role, kept as hashes and compared in constant time."""

import hashlib
import hmac
import os
import re
from collections.abc import Iterable, Mapping
from enum import IntEnum
from pathlib import Path

from edgewise.errors import ConfigError

ONE_KEY, SEVERAL_KEYS, KEYS_FILE = "EDGEWISE_API_KEY", "EDGEWISE_API_KEYS", "EDGEWISE_API_KEYS_FILE"
"""Names in the environment: one key for everything; `role:key` separated by commas; a file with a `role:key` a line."""


class Role(IntEnum):
    """What a key allows; each may do all that the ones before it may."""

    READ = 1
    WRITE = 2
    ADMIN = 3


class Keys:
    """The keys of a server.

    Args:
        keys: role and key of each; none: whoever can reach the server may do everything.
    """

    def __init__(self, keys: Iterable[tuple[Role, str]] = ()) -> None:
        self._roles = [(_hashed(key.encode()), role) for role, key in keys]

    @property
    def are_set(self) -> bool:
        """Whether there is any key."""
        return bool(self._roles)

    def role_of(self, key: bytes | None) -> Role | None:
        """Return what a key allows; None for a wrong one or none."""
        if not self._roles:
            return Role.ADMIN
        if key is None:
            return None
        given, found = _hashed(key), None
        for known, role in self._roles:  # all of them, so that time tells nothing of which it was
            if hmac.compare_digest(given, known):
                found = role
        return found


def keys_of(environment: Mapping[str, str] | None = None) -> Keys:
    """Read the keys from the environment and the file that it names.

    Raises:
        ConfigError: if an entry is not `role:key`, or the file cannot be read; the text has no key in it.
    """
    environment = os.environ if environment is None else environment
    found: list[tuple[Role, str]] = []
    if one := environment.get(ONE_KEY, "").strip():
        found.append((Role.ADMIN, one))
    found += _parsed(re.split(r"[,\s]+", environment.get(SEVERAL_KEYS, "")), SEVERAL_KEYS)
    if name := environment.get(KEYS_FILE):
        try:
            lines = Path(name).read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"the file of keys {name} (from {KEYS_FILE}) cannot be read: {error}.") from None
        found += _parsed([line for line in lines if not line.lstrip().startswith("#")], name)
    return Keys(found)


def _parsed(entries: Iterable[str], where: str) -> list[tuple[Role, str]]:
    found = []
    for place, entry in enumerate((entry.strip() for entry in entries), start=1):
        if not entry:
            continue
        role, colon, key = entry.partition(":")
        if not colon or role.strip().upper() not in Role.__members__ or not key.strip():
            raise ConfigError(
                f"{where}, entry {place}: expected role:key with one of the roles read, write and admin, such as read:s3cret."
            )
        found.append((Role[role.strip().upper()], key.strip()))
    return found


def _hashed(key: bytes) -> bytes:
    return hashlib.sha256(key).digest()
