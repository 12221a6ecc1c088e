"""From a message to events."""

from edgewise.errors import DataError
from edgewise.store.event import Event, event_of, records_of_json


def events_of_message(value: bytes | None, source: str, *, now: int, max_bytes: int) -> list[Event]:
    """Read the events of one message: one object, a list, or one a line.

    Args:
        value: the message. source: "topic/partition/offset": the id of an event that has none; of several, "…/1" on.
        now: the time of an event that has none, UTC milliseconds since 1970: the message's own, so that reading it again
            gives the same event.
        max_bytes: what is larger is refused.

    Raises:
        DataError: if one event of it is refused, or it cannot be read at all.
    """
    if not value:
        raise DataError("the message is empty; expected an event as JSON.")
    if len(value) > max_bytes:
        raise DataError(
            f"the message has {len(value)} bytes; expected at most {max_bytes} ([events] max_message_bytes)."
        )
    records = records_of_json(value)
    if len(records) == 1:
        return [event_of(records[0], now=now, default_id=source)]
    events = []
    for place, record in enumerate(records, start=1):
        try:
            events.append(event_of(record, now=now, default_id=f"{source}/{place}"))
        except DataError as error:
            raise DataError(f"event {place}: {error}") from None
    return events
