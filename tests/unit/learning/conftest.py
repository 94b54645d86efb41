"""A home folder with two models of the small desk, made anew for each test in well under a second."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.desks import small_desk
from tests.unit.kb.doubles import WordEncoder
from triage.learning.candidate import make_candidate
from triage.learning.dataset import LabelledTickets
from triage.learning.gate import MARGIN, Verdict
from triage.learning.release import run_gate
from triage.policy import FieldPolicy, Policy


@dataclass(frozen=True)
class SmallHome:
    """Folders of models and datasets, with an encoder that costs nothing."""

    folder: Path
    encoder: WordEncoder

    @property
    def models(self) -> Path:
        return self.folder / "models"

    @property
    def datasets(self) -> Path:
        return self.folder / "datasets"

    def train(self, tickets: LabelledTickets | None = None, *, seed: int = 0) -> str:
        tickets = tickets or small_desk()
        card = make_candidate(tickets, self.encoder, models=self.models, datasets=self.datasets, seed=seed)
        return card.model_id

    def judge(self, model_id: str, *, target: float = 0.5, margin: float = MARGIN) -> Verdict:
        policy = Policy(otherwise=FieldPolicy(target=target))
        return run_gate(self.models, self.datasets, model_id, policy, margin=margin)


@pytest.fixture
def small_home(tmp_path: Path) -> SmallHome:
    return SmallHome(tmp_path, WordEncoder())
