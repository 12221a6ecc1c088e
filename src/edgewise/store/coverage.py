"""How far a model has learned the log of a store: what its model.json says, and whether that is about this log."""

from collections.abc import Mapping
from typing import Any

from edgewise.store.event import Erased, Event, subject_of
from edgewise.store.protocol import EventStore


def coverage(store_id: str, log: EventStore, seq: int) -> dict[str, Any]:
    """Return what model.json is to say of a model that has learned a log up to and with entry `seq`."""
    return {"log_seq": seq, "store_id": store_id, "log_mark": _mark(log, seq)}


def covered_of(about: Mapping[str, Any], store_id: str, log: EventStore) -> int:
    """Return up to which number a model has learned this log; 0 where nothing, or where model.json is about another log.

    Args:
        about: model.json. store_id: of this store. log: its log.
    """
    seq, mark = about.get("log_seq"), about.get("log_mark")
    if (
        isinstance(seq, bool)
        or not isinstance(seq, int)
        or seq <= 0
        or about.get("store_id") != store_id
        or not store_id
    ):
        return 0
    if log.last_seq < seq:
        return 0
    now = _mark(log, seq)
    return seq if now is None or mark is None or now == mark else 0  # None: erased since


def _mark(log: EventStore, seq: int) -> str | None:
    """Tell by a hash which entry has a number; None where there is none."""
    found = log.since(seq - 1, 1) if seq > 0 else []
    if not found or found[0][0] != seq:
        return None
    match found[0][1]:
        case Event(event_id=event_id):
            return subject_of(event_id)
        case Erased(kind=kind, subject=subject, at=at):
            return subject_of(f"{kind} {subject} {at}")
