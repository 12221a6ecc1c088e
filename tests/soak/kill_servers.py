"""Kill `edgewise serve` with -9 at random moments under load, again and again; compare its answers with an independent replay.

python -m tests.soak.kill_servers --rounds 100 --seed 0

Threads send events one by one and in batches, each again where no answer came, and ask for lists. After the kill the server starts
on the same store: the log must hold every acknowledged event, once each and none that was not sent; and the list of every user must be what
the model gives a newcomer with the items that a plain replay of the log leaves this user, none of them shown again.
"""

import argparse
import http.client
import random
import sys
import tempfile
import threading
from collections import Counter
from pathlib import Path

from edgewise.models import build
from edgewise.recommender import Recommender
from edgewise.testing.planted import planted_tastes
from tests.serve.server import Server

USERS = [f"n{number}" for number in range(12)]
ITEMS = [str(1000 + number) for number in range(44)]
Sent = dict[str, dict[str, str]]


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def send(server: Server, seed: str, sent: Sent, acknowledged: set[str], wrong: list[int]) -> None:
    """Send events until the server is gone."""
    rng = random.Random(seed)
    number = 0
    try:
        while True:
            batch = []
            for _ in range(rng.choice((1, 1, 3, 50))):
                number += 1
                name = f"{seed}-{number}"
                kind = rng.choice(("view", "like", "like", "unlike"))
                batch.append(
                    {"event_id": name, "user_id": rng.choice(USERS), "item_id": rng.choice(ITEMS), "type": kind}
                )
                sent[name] = batch[-1]
            for _ in range(rng.choice((1, 2))):
                status, _, _ = server.ask("POST", "/v1/events", batch)
                if status == 200:
                    acknowledged |= {str(event["event_id"]) for event in batch}
                elif status != 503:
                    wrong.append(status)
            server.ask("GET", f"/v1/recommend/{rng.choice(USERS)}")
    except (OSError, http.client.HTTPException):
        return


def log_of(server: Server) -> list[dict[str, str]]:
    events: list[dict[str, str]] = []
    after, is_end = 0, False
    while not is_end:
        page = server.ask("GET", f"/v1/events?after={after}&limit=1000")[1]
        events += page["events"]
        after, is_end = page["next"], page["is_end"]
    return events


def check(server: Server, model: Recommender, sent: Sent, acknowledged: set[str]) -> int:
    """Compare log and lists with a replay; returns how many events there are."""
    events = log_of(server)
    names = [str(event["event_id"]) for event in events]
    assert len(names) == len(set(names)), "an event is there twice"
    assert acknowledged <= set(names), f"lost: {sorted(acknowledged - set(names))[:3]}"
    assert set(names) <= set(sent), "an event that nobody sent"
    counts: Counter[tuple[object, object, object]] = Counter()
    for event in events:
        assert all(event[key] == value for key, value in sent[str(event["event_id"])].items())
        kind = "like" if event["type"] == "unlike" else event["type"]
        counts[event["user_id"], event["item_id"], kind] += -1 if event["type"] == "unlike" else 1
    for user in USERS:
        history = sorted({int(str(item)) for (who, item, _), n in counts.items() if who == user and n > 0})
        answer = server.ask("GET", f"/v1/recommend/{user}?k=44")[1]
        shown = [int(item["item_id"]) for item in answer["items"]]
        assert not set(shown) & set(history), f"{user} is shown what was met"
        if history:
            expected = [item for item, _ in next(iter(model.recommend(history=[history], k=44)))]
            assert shown == expected, f"{user}: {shown[:5]} instead of {expected[:5]}"
    return len(events)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    arguments = parser.parse_args()
    say(f"seed {arguments.seed}")
    rng = random.Random(arguments.seed)
    sent: Sent = {}
    acknowledged: set[str] = set()
    wrong: list[int] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = build("item-knn").fit(planted_tastes().train)
        model.save(folder / "model")
        for place in range(arguments.rounds + 1):
            server = Server(folder / "model", folder / "store", folder / "log").wait()
            n = check(server, model, sent, acknowledged)
            if place == arguments.rounds:
                server.stop()
                break
            threads = [
                threading.Thread(target=send, args=(server, f"{place}-{number}", sent, acknowledged, wrong))
                for number in range(3)
            ]
            for thread in threads:
                thread.start()
            threading.Event().wait(rng.uniform(0.02, 1.0))
            server.kill()
            for thread in threads:
                thread.join()
            assert not wrong, f"answers with status {wrong}"
            say(f"round {place + 1}: {n:,} events stood, {len(acknowledged):,} acknowledged by now")
    say(f"{arguments.rounds} kills: every acknowledged event is there once, and lists are what a replay gives")


if __name__ == "__main__":
    main()
