"""How often is the first macro that is suggested one of the right queue, at which least cosine?

Run: python -m bench.macros. The tickets and macros of the sample desk; a ticket of the queue `servicedesk` with the
category `other` ("thanks, all is well") should be suggested nothing.
"""

from __future__ import annotations

import csv
from pathlib import Path

import yaml

from kb import load_encoder
from triage import macros
from triage.settings import read_settings
from triage.understand.cleaning import clean
from triage.understand.language import language_of

DESK = Path("examples/desk")


def main() -> None:
    """Print a row for each least cosine: how many tickets are suggested something, and how often that is right."""
    encoder = load_encoder(read_settings().encoder_folder)
    listed = macros.read_macros(DESK / "macros.yaml")
    entries = yaml.safe_load((DESK / "macros.yaml").read_text(encoding="utf-8"))["macros"]
    queue_of = {entry["id"]: entry["queue"] for entry in entries}
    shelf = macros.MacroShelf(listed, encoder)
    with (DESK / "tickets.csv").open(encoding="utf-8", newline="") as file:
        tickets = list(csv.DictReader(file))
    texts = [clean(ticket["subject"], ticket["body"]) for ticket in tickets]
    vectors = encoder.encode(texts)
    macros.LEAST_COSINE = -1.0
    ranked = [shelf.nearest(vector, language=language_of(text)) for text, vector in zip(texts, vectors, strict=True)]
    print("| least cosine | tickets with a suggestion | first right | one of up to three right | on thanks |")
    print("|---|---|---|---|---|")
    thanks = [(t["queue"], t["category"]) == ("servicedesk", "other") for t in tickets]
    for least in (0.0, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5):
        found = [[queue_of[macro.id] for score, macro in one if score >= least] for one in ranked]
        judged = zip(found, tickets, thanks, strict=True)
        shown = [(queues, t["queue"]) for queues, t, is_thanks in judged if queues and not is_thanks]
        first = sum(queues[0] == queue for queues, queue in shown) / max(len(shown), 1)
        among = sum(queue in queues for queues, queue in shown) / max(len(shown), 1)
        noise = sum(bool(queues) for queues, is_thanks in zip(found, thanks, strict=True) if is_thanks)
        asked = len(tickets) - sum(thanks)
        share = f"{len(shown)}/{asked} ({len(shown) / asked:.0%})"
        print(f"| {least:.2f} | {share} | {first:.0%} | {among:.0%} | {noise}/{sum(thanks)} |")


if __name__ == "__main__":
    main()
