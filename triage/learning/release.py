"""How does a trained candidate become the champion, and what is written down about it?"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt

from kb import FloatArray
from triage.errors import Conflict, DatasetDamaged, ModelDamaged, ModelError, NotFound
from triage.learning.clearing import certified_coverage
from triage.learning.dataset import LabelledTickets
from triage.learning.folders import write_whole
from triage.learning.gate import MARGIN, Compared, Paired, Verdict, compare, judge_candidate, judge_new_fields
from triage.learning.judged import Judged, keys_of, read_judged
from triage.learning.registry import How, champion, champion_id, model_folder, promote, whoever
from triage.learning.snapshot import read_dataset
from triage.policy import Policy
from triage.understand.classifier import Classifier

RELEASE = "release.json"
LEARNED_BY_HEART = ""  # no label is empty


@dataclass(frozen=True, slots=True)
class Release:
    """What the gate said of a model, and what was done about it; ``by`` is whoever ran the command."""

    verdict: Verdict
    promoted: bool
    forced: bool
    by: str
    at: str

    @property
    def sentence(self) -> str:
        """How the model came to be used, or why it is not."""
        if self.forced:
            return f"Promoted by force by {self.by} on {self.at}."
        if self.promoted:
            return f"Promoted by the gate on {self.at} ({self.by})."
        return f"Judged on {self.at}, not promoted."

    def as_json(self) -> dict[str, object]:
        """Ready for JSON."""
        return {
            "promoted": self.promoted,
            "forced": self.forced,
            "by": self.by,
            "at": self.at,
            "sentence": self.sentence,
            "verdict": self.verdict.as_json(),
        }


def run_gate(models: Path, datasets: Path, candidate_id: str, policy: Policy, *, margin: float = MARGIN) -> Verdict:
    """Let a candidate meet the champion on the candidate's tickets.

    A champion that cannot be used (gone, damaged, of another version or encoder) defends nothing: the candidate is
    then judged as the first model is, and the verdict says why. Raises ``ModelError`` or ``NotFound`` where the
    candidate or its dataset cannot be read.
    """
    candidate = Classifier.load(model_folder(models, candidate_id))
    judged = {name: one.without_unjudged() for name, one in read_judged(models / candidate_id).items()}
    try:
        rival = _usable_champion(models, candidate)
    except ModelError as error:
        return _first_verdict(candidate, judged, margin, note=f"The champion cannot be compared with: {error}")
    if rival is None:
        return _first_verdict(candidate, judged, margin)
    if rival.model_id == candidate.model_id:
        return Verdict(candidate_id, candidate_id, margin, True, (), "It is the champion itself.")
    pairs = compare_models(models, datasets, candidate, rival)
    ours, theirs = certified_coverage(candidate, policy), certified_coverage(rival, policy)
    fields = {
        name: Compared(
            name,
            pairs.get(name),
            ours.get(name, 0.0),
            theirs.get(name, 0.0),
            "the champion has learned from every ticket that the candidate was judged on"
            if name in candidate.fields
            else "the champion predicts it, the candidate does not",
        )
        for name in rival.fields
    }
    verdict = judge_candidate(candidate_id, rival.model_id, fields, margin=margin)
    plain = _against_plain_guess(candidate, judged)
    new = judge_new_fields({name: one for name, one in plain.items() if name not in rival.fields})
    return replace(verdict, fields=(*verdict.fields, *new))


def not_judged(candidate_id: str, why: str) -> Verdict:
    """The verdict on a model that cannot be judged: only force can promote it."""
    return Verdict(candidate_id, None, 0.0, False, (), why)


def compare_models(models: Path, datasets: Path, first: Classifier, second: Classifier) -> dict[str, Paired]:
    """Both models per common field on the tickets of the first, each judged by a model that had not seen them.

    For the first that is its out-of-fold guess. For the second it is its stored out-of-fold guess where the ticket
    or a near-copy was among its own, else what it says now, as it never saw the ticket. Tickets that the second has
    only learned from are left out: it knows them by heart.
    """
    judged, others = read_judged(models / first.model_id), read_judged(models / second.model_id)
    tickets, vectors = _dataset_of(datasets, first)
    row_of = {int(key): row for row, key in reversed(list(enumerate(keys_of(tickets.masked()))))}
    pairs = {}
    for name in (name for name in first.fields if name in second.fields):
        mine = judged[name].without_unjudged()
        guess = _unseen_guesses(second, name, others[name], mine.keys, (tickets, vectors, row_of))
        fair = guess != LEARNED_BY_HEART
        if fair.any():
            right = guess == _named(mine.truth, first.labels(name))
            pairs[name] = compare((mine.guess == mine.truth)[fair], right[fair], mine.keys[fair])
    return pairs


def settle(models: Path, verdict: Verdict, *, wanted: bool = True, force: bool = False) -> Release:
    """Promote the candidate if it may be, and write down beside it what was said and done.

    Where another champion was promoted since the verdict, the verdict does not hold any more and nothing is done:
    raises ``Conflict``; judge again. A forced promotion asks nothing.
    """
    if wanted and not force and not verdict.note and champion_id(models) != verdict.champion:
        raise Conflict(
            f"Another model was promoted while {verdict.candidate} was judged, so the verdict holds no more. "
            f"Run: triage models promote {verdict.candidate}"
        )
    promoted = wanted and (verdict.passed or force)
    forced = promoted and not verdict.passed
    if promoted:
        promote(models, verdict.candidate, how=How.FORCE if forced else How.GATE)
    now = datetime.now(UTC).isoformat(timespec="seconds")
    release = Release(verdict, promoted, forced, whoever(), now)
    content = json.dumps(release.as_json(), indent=1, ensure_ascii=False)
    write_whole(model_folder(models, verdict.candidate) / RELEASE, content + "\n")
    return release


def read_release(folder: Path) -> Mapping[str, object] | None:
    """What was written down about a model, or None where it was never judged."""
    try:
        content = json.loads((folder / RELEASE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise ModelDamaged(f"{folder / RELEASE} cannot be read; `triage models promote` writes it anew.") from error
    return content if isinstance(content, dict) else None


def _usable_champion(models: Path, candidate: Classifier) -> Classifier | None:
    folder = champion(models)
    if folder is None:
        return None
    rival = Classifier.load(folder)
    if rival.encoder_fingerprint != candidate.encoder_fingerprint:
        raise ModelError(f"{rival.model_id} was trained with another encoder.")
    read_judged(folder)
    return rival


def _first_verdict(candidate: Classifier, judged: Mapping[str, Judged], margin: float, note: str = "") -> Verdict:
    fields = _against_plain_guess(candidate, judged)
    return judge_candidate(candidate.model_id, None, fields, margin=margin, note=note)


def _against_plain_guess(candidate: Classifier, judged: Mapping[str, Judged]) -> dict[str, Compared]:
    found = {}
    for name in candidate.fields:
        one = judged[name]
        known = one.truth[one.truth >= 0]
        often = np.bincount(known).argmax() if len(known) else -1
        paired = compare(one.guess == one.truth, one.truth == often, one.keys) if len(one.keys) else None
        found[name] = Compared(name, paired)
    return found


def _unseen_guesses(
    model: Classifier,
    name: str,
    stored: Judged,
    keys: npt.NDArray[np.uint64],
    dataset: tuple[LabelledTickets, FloatArray, Mapping[int, int]],
) -> npt.NDArray[np.object_]:
    """(n,) the labels that the model guessed of the tickets with these keys without having seen them."""
    tickets, vectors, row_of = dataset
    labels = model.labels(name)
    known = dict(zip(reversed(stored.keys.tolist()), reversed(stored.guess.tolist()), strict=True))
    guesses = np.array([None] * len(keys), dtype=object)
    for row, key in enumerate(keys.tolist()):
        if key in known:
            guesses[row] = labels[known[key]] if known[key] >= 0 else LEARNED_BY_HEART
    new = np.array([row for row, guess in enumerate(guesses) if guess is None], dtype=np.int64)
    if len(new):
        rows = [row_of[int(keys[row])] for row in new]
        p, _ = model.probabilities(
            name, [tickets.texts[row] for row in rows], vectors[rows], [tickets.features[row] for row in rows]
        )
        guesses[new] = [labels[column] for column in p.argmax(axis=1)]
    return guesses


def _named(rows: npt.NDArray[np.int32], labels: tuple[str, ...]) -> npt.NDArray[np.object_]:
    return np.array([labels[row] if row >= 0 else None for row in rows.tolist()], dtype=object)


def _dataset_of(datasets: Path, model: Classifier) -> tuple[LabelledTickets, FloatArray]:
    if not model.card.dataset_id:
        raise DatasetDamaged(f"No dataset was kept for model {model.model_id}, so it cannot be compared. Train again.")
    try:
        return read_dataset(datasets, model.card.dataset_id)
    except NotFound as error:
        raise DatasetDamaged(
            f"The dataset {model.card.dataset_id} of model {model.model_id} is gone, so it cannot be compared. "
            "Train again, or promote it with --force."
        ) from error
