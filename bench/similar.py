"""How long does it take to find similar past tickets, how much memory do they need, and which pairs are duplicates?

    python bench/similar.py --data DIR [--home .triage] [--sizes 1000,10000,100000] [--pairs]

Past tickets are made from the real ones: their texts, and their vectors a little moved. Per number of past tickets:
seconds in which a new process takes them over from SQLite, megabytes that it grows by, milliseconds of a search (one at
a time, then four threads at once), and of an assessment (all of a preview but HTTP) with and without them, in turn.
Then how many of the real tickets the rule of ``triage.understand.copies`` links to an older one of their caller;
``--pairs`` prints them to be read.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import psutil
from _timing import quantiles, timed
from sqlalchemy import insert
from sqlalchemy.orm import Session, sessionmaker

from kb import Encoder, FloatArray, KnowledgeBase, load_encoder
from triage.db.engine import open_engine
from triage.db.tables import DecisionRow, RunRow, TicketRow, TicketVectorRow
from triage.db.upgrade import upgrade_database
from triage.desk import Desk
from triage.history import History
from triage.pipeline import assess
from triage.telemetry import set_up_logging
from triage.tickets.ids import new_id
from triage.tickets.model import IncomingTicket
from triage.understand.cleaning import clean
from triage.understand.copies import is_near_copy
from triage.understand.similar import similar

NOISE = 0.02  # in each of 384 dimensions: a cosine of .93 to the ticket that it was made from
STRETCH = 5_000


def main() -> None:
    """Measure and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--home", type=Path, default=Path(".triage"))
    parser.add_argument("--sizes", default="1000,10000,100000")
    parser.add_argument("--pairs", action="store_true")
    given = parser.parse_args()
    set_up_logging("warning")
    rows = [json.loads(line) for line in (given.data / "tickets" / "assignment_train.jsonl").open(encoding="utf-8")]
    encoder = load_encoder(given.home / "encoder")
    texts = [clean(row["subject"], row["body"]) for row in rows]
    vectors = encoder.encode(texts)
    links = list(links_of([row["caller"].strip().casefold() for row in rows], texts, vectors))
    if given.pairs:
        for older, newer in links:
            print(f"{vectors[older] @ vectors[newer]:.3f}\n  {texts[older]!r:.200}\n  {texts[newer]!r:.200}")
    sizes = [measure(given.home, encoder, int(size), texts, vectors) for size in given.sizes.split(",")]
    print(json.dumps({"past_tickets": sizes, "linked": len(links), "of": len(rows)}, indent=2))


def measure(home: Path, encoder: Encoder, size: int, texts: Sequence[str], vectors: FloatArray) -> dict[str, object]:
    """One number of past tickets."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/triage.db"
        upgrade_database(url)
        engine = open_engine(url)
        sessions = sessionmaker(engine)
        fill(sessions, encoder.fingerprint, size, texts, vectors)
        before, began = psutil.Process().memory_info().rss, time.perf_counter()
        history = History(sessions, encoder)
        history.catch_up()
        taken, grown = time.perf_counter() - began, psutil.Process().memory_info().rss - before
        turn = iter(range(10**9))

        def search() -> object:
            return similar((history.tickets,), vectors[next(turn) % len(vectors)])

        alone = timed(search, 300)
        with ThreadPoolExecutor(4) as pool:
            together = np.concatenate(list(pool.map(lambda _: timed(search, 100), range(4))))
        with_past, without = assessments(home, encoder, history, texts)
        history.close()
        engine.dispose()
    return {
        "past": size,
        "catch_up_s": round(taken, 2),
        "grown_mb": round(grown / 1e6, 1),
        "search": quantiles(alone),
        "search_4_at_once": quantiles(together),
        "assessment": quantiles(with_past),
        "assessment_without": quantiles(without),
        "added_p50_ms": round(float(np.median(with_past) - np.median(without)), 2),
    }


def assessments(home: Path, encoder: Encoder, history: History, texts: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Milliseconds with past tickets and without, of the same tickets in turn."""
    knowledge = KnowledgeBase.open(home / "kb", encoder)
    desk = Desk(encoder, knowledge, models=home / "models", policy_file=home / "policy.toml", history=history)
    loaded = desk.current()
    bare = replace(loaded, past=())
    pairs = []
    for number, text in enumerate(texts[:420]):
        ticket = IncomingTicket("", text)
        # Either is first every other time, as the second finds everything of the ticket in the processor's cache.
        order = (loaded, bare) if number % 2 else (bare, loaded)
        taken = {id(used): timed(lambda: assess(ticket, used), 1)[0] for used in order}  # noqa: B023
        pairs.append([taken[id(loaded)], taken[id(bare)]])
    found = np.array(pairs[20:])
    return found[:, 0], found[:, 1]


def fill(
    sessions: sessionmaker[Session], fingerprint: str, size: int, texts: Sequence[str], vectors: FloatArray
) -> None:
    """Put so many triaged tickets into the database."""
    noise, now = np.random.default_rng(0), datetime.now(UTC)
    for start in range(0, size, STRETCH):
        chosen = [number % len(texts) for number in range(start, min(start + STRETCH, size))]
        moved = vectors[chosen] + noise.standard_normal((len(chosen), vectors.shape[1])) * NOISE
        moved /= np.linalg.norm(moved, axis=1, keepdims=True)
        ids = [(new_id(), new_id()) for _ in chosen]
        with sessions.begin() as session:
            session.execute(insert(TicketRow), [_ticket(ticket_id, now) for ticket_id, _ in ids])
            session.execute(
                insert(RunRow),
                [
                    _run(run_id, ticket_id, texts[row], fingerprint, now)
                    for (ticket_id, run_id), row in zip(ids, chosen, strict=True)
                ],
            )
            session.execute(insert(DecisionRow), [_decision(run_id, row) for _, run_id in ids for row in range(3)])
            session.execute(
                insert(TicketVectorRow),
                [
                    {
                        "ticket_id": ticket_id,
                        "run_id": run_id,
                        "encoder_fingerprint": fingerprint,
                        "vector": vector.astype("<f2").tobytes(),
                    }
                    for (ticket_id, run_id), vector in zip(ids, moved, strict=True)
                ],
            )


def links_of(callers: Sequence[str], texts: Sequence[str], vectors: FloatArray) -> Iterator[tuple[int, int]]:
    """Each ticket that is a duplicate with the first of its caller's that it repeats, whatever time lies between."""
    of_caller: dict[str, list[int]] = defaultdict(list)
    for row, caller in enumerate(callers):
        for older in of_caller[caller] if caller else ():
            if is_near_copy(texts[row], texts[older], lambda: float(vectors[row] @ vectors[older])):  # noqa: B023
                yield older, row
                break
        of_caller[caller].append(row)


def _ticket(ticket_id: str, now: datetime) -> dict[str, object]:
    empty = dict.fromkeys(("digest", "channel", "requester", "requester_key", "subject", "body"), "")
    return {**empty, "id": ticket_id, "source": "bench", "features": {}, "state": "triaged", "attempts": 1} | {
        "received_at": now
    }


def _run(run_id: str, ticket_id: str, text: str, fingerprint: str, now: datetime) -> dict[str, object]:
    empty = dict.fromkeys(("knowledge_snapshot", "policy_digest", "code_version", "code_digest"), "")
    return {**empty, "id": run_id, "ticket_id": ticket_id, "number": 1, "encoder_fingerprint": fingerprint} | {
        "text": text,
        "seconds": 0.0,
        "finished_at": now,
        "similar": [],
    }


def _decision(run_id: str, field: int) -> dict[str, object]:
    return {"run_id": run_id, "field": f"field {field}", "ordinal": field, "outcome": "apply"} | {
        "value": f"value {int(run_id[-4:], 16) % 50}",
        "reason": "",
        "alternatives": [],
    }


if __name__ == "__main__":
    main()
