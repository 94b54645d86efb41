"""Which small desks do the tests train on, quickly and without the real encoder?"""

from __future__ import annotations

from collections.abc import Sequence

from triage.learning.dataset import LabelledTickets, Origin, Source

TOPICS = {
    "network": "vpn tunnel wifi drops router cable signal office",
    "printing": "printer paper toner jam tray duplex scan page",
    "access": "password login locked account reset token badge door",
}


def small_desk(
    tickets: int = 90, *, wrong: Sequence[int] = (), start: int = 0, name: str = "desk.csv"
) -> LabelledTickets:
    """Tickets of three queues in turn, of six words of their topic; those in ``wrong`` have the next queue's label."""
    queues = list(TOPICS)
    texts, labels = [], []
    for number in range(start, start + tickets):
        words = TOPICS[queues[number % 3]].split()
        picked = [words[(number // 3 + step * (1 + number % 5)) % len(words)] for step in range(6)]
        # A word of its own keeps two tickets from being near-copies.
        texts.append(" ".join([*picked, f"case{_letters(number)}"]))
        labels.append(queues[(number + (number in wrong)) % 3])
    return LabelledTickets(
        name=name,
        texts=tuple(texts),
        labels={"queue": tuple(labels)},
        features=({},) * tickets,
        text_columns=("text",),
        feature_columns=(),
        origins=tuple(Origin(Source.FILE, str(number)) for number in range(start, start + tickets)),
    )


def _letters(number: int) -> str:
    return "".join(chr(ord("a") + int(digit)) for digit in str(number))
