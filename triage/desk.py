"""What is loaded right now: which model, which articles, which policy?"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

import structlog

from kb import Bar, Encoder, Gate, KnowledgeBase
from triage.errors import DatasetDamaged, Misconfigured, ModelError, ModelMismatch
from triage.history import History
from triage.learning.answers import bar_for
from triage.learning.clearing import clear
from triage.learning.past import read_past
from triage.learning.registry import champion
from triage.macros import Macro, MacroShelf, macros_among, read_macros, read_vectors, write_vectors
from triage.policy import FieldPolicy, Policy, read_policy, unknown_values
from triage.reword import Reworder
from triage.route import Clearance
from triage.understand.certificate import needed
from triage.understand.classifier import Classifier
from triage.understand.descriptions import DescribedField
from triage.understand.similar import PastTickets

log = structlog.get_logger(__name__)

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class Loaded:
    """One consistent set of everything a ticket is judged with."""

    encoder: Encoder
    knowledge: KnowledgeBase
    classifier: Classifier | None
    policy: Policy
    clearance: Clearance
    audiences: tuple[str, ...]
    bar: Bar
    described: tuple[DescribedField, ...] = ()
    past: tuple[PastTickets, ...] = ()
    macros: MacroShelf | None = None


class Desk:
    """Holds what is loaded and takes over what another process has published: a model, articles, the policy.

    A new champion that cannot be used is refused and the one that is loaded goes on. ``knowledge`` and ``history`` are
    opened by the caller. Similar tickets come from ``history`` and from the model's dataset; neither has to be there,
    and a dataset that cannot be read stops nothing. Safe to use from several threads; while one of them loads, the
    others go on with what there was.
    """

    def __init__(  # noqa: PLR0913  # every part of the desk, named once, by the composition root
        self,
        encoder: Encoder,
        knowledge: KnowledgeBase,
        *,
        models: Path,
        policy_file: Path,
        audiences: tuple[str, ...] = ("public",),
        datasets: Path | None = None,
        history: History | None = None,
        duplicate_days: int = 7,
        macros_file: Path | None = None,
        reworder: Reworder | None = None,
    ) -> None:
        self.encoder = encoder
        self.knowledge = knowledge
        self.history = history
        self.duplicate_days = duplicate_days
        self.reworder = reworder
        self._datasets = datasets
        self._trained_on: tuple[str, PastTickets | None] = ("", None)
        self._without_past: str | None = None
        self._audiences = audiences
        self._lock = threading.Lock()
        self._model: _Watched[Classifier | None] = _Watched(models / "champion", lambda _: self._load_champion(models))
        self._policy: _Watched[Policy] = _Watched(policy_file, read_policy)
        self._macros: _Watched[tuple[Macro, ...]] | None = (
            _Watched(macros_file, self._read_macros) if macros_file else None
        )
        self._shelf: tuple[str, MacroShelf] | None = None
        self._macro_vectors = models.parent / "macros" / f"{encoder.fingerprint[:16]}.npz"
        self._loaded: Loaded | None = None
        self._refusal: str | None = None
        self._described: dict[str, DescribedField] = {}
        self._gate: Gate | None = None

    @property
    def refusal(self) -> str | None:
        """Why the present champion is not the model in use, in words; None where it is."""
        return self._refusal

    def current(self) -> Loaded:
        """What to use for the next ticket; a few ``stat`` calls where nothing has changed.

        Raises ``ModelError`` where there is no usable model and none was loaded before, ``Misconfigured`` where the
        policy file cannot be used.
        """
        self.knowledge.refresh()
        if self.history:
            self.history.follow()
        last = self._loaded
        if not self._lock.acquire(blocking=last is None) and last:
            return last
        try:
            model_is_new = self._model.refresh()
            policy_is_new = self._policy.refresh()
            macros_are_new = self._refresh_shelf()
            gate_is_new = self.knowledge.gate is not self._gate
            if self._loaded is None or model_is_new or policy_is_new or macros_are_new or gate_is_new:
                self._loaded = self._assemble(self._model.value, self._policy.value)
            return self._loaded
        finally:
            self._lock.release()

    def _refresh_shelf(self) -> bool:
        """Take over macros from their file and from the knowledge base; True where either has changed."""
        snapshot = self.knowledge.snapshot
        file_is_new = self._macros is not None and self._macros.refresh()
        if self._shelf and not file_is_new and self._shelf[0] == snapshot:
            return False
        macros = (*(self._macros.value if self._macros else ()), *macros_among(self.knowledge.articles()))
        if self._shelf and self._shelf[1].macros == macros:
            self._shelf = (snapshot, self._shelf[1])
            return False
        known = self._shelf[1].vectors if self._shelf else read_vectors(self._macro_vectors)
        shelf = MacroShelf(macros, self.encoder, known)
        self._shelf = (snapshot, shelf)
        if shelf.vectors.keys() - known.keys():
            self._keep_vectors(shelf)
        return True

    def _keep_vectors(self, shelf: MacroShelf) -> None:
        try:
            write_vectors(self._macro_vectors, shelf.vectors)
        except OSError as error:  # they are at hand, and the next start makes them again
            log.warning("vectors of macros not kept", reason=str(error))

    def _read_macros(self, file: Path) -> tuple[Macro, ...]:
        """The macros of the file; one that has become unreadable stops no ticket, those that were read go on."""
        try:
            return read_macros(file)
        except Misconfigured as error:
            if self._loaded is None or self._macros is None:
                raise
            log.warning("macros not read again", reason=str(error))
            return self._macros.value

    def _load_champion(self, models: Path) -> Classifier | None:
        try:
            classifier = self._load_usable_champion(models)
        except ModelError as error:
            if self._loaded is None or self._loaded.classifier is None:
                raise
            kept = self._loaded.classifier
            self._refusal = f"model {kept.model_id} goes on, as the new champion was refused: {error}"
            log.error("new champion refused", goes_on=kept.model_id, reason=str(error))
            return kept
        self._refusal = None
        return classifier

    def _load_usable_champion(self, models: Path) -> Classifier | None:
        folder = champion(models)
        if folder is None:
            return None
        classifier = Classifier.load(folder)
        if classifier.encoder_fingerprint != self.encoder.fingerprint:
            raise ModelMismatch(
                f"Model {classifier.model_id} was trained with another encoder than the one in use. "
                "Train again with `triage train`, or set TRIAGE_ENCODER back."
            )
        log.info("model loaded", model=classifier.model_id, fields=classifier.fields)
        return classifier

    @property
    def past(self) -> str:
        """Where similar tickets come from, in words."""
        _, trained_on = self._trained_on
        known = f"{len(trained_on):,} tickets of the training data" if trained_on else "none of the training data"
        here = f"{len(self.history.tickets):,} of this desk" if self.history else "none of this desk"
        troubles = [self._without_past, self.history.trouble if self.history else None]
        return " – ".join([f"{known}, {here}", *filter(None, troubles)])

    def _past_of(self, classifier: Classifier | None) -> tuple[PastTickets, ...]:
        dataset_id = classifier.card.dataset_id if classifier else ""
        if dataset_id != self._trained_on[0]:
            self._trained_on = (dataset_id, self._read_past(dataset_id))
        _, trained_on = self._trained_on
        here = self.history.tickets if self.history else None
        return tuple(part for part in (trained_on, here) if part is not None)

    def _read_past(self, dataset_id: str) -> PastTickets | None:
        self._without_past = None
        if not dataset_id or self._datasets is None:
            return None
        try:
            return read_past(self._datasets / dataset_id, encoder_fingerprint=self.encoder.fingerprint)
        except DatasetDamaged as error:
            self._without_past = str(error)
            log.warning("no similar tickets from the training data", reason=str(error))
            return None

    def _assemble(self, classifier: Classifier | None, policy: Policy) -> Loaded:
        clearance = clear_all(classifier, policy)
        self._described = describe_fields(policy, self.encoder, known=self._described)
        described = tuple(self._described.values())
        for sentence in doubts(classifier, policy):
            log.warning(sentence)
        past = self._past_of(classifier)
        self._gate = self.knowledge.gate
        return Loaded(
            self.encoder,
            self.knowledge,
            classifier,
            policy,
            clearance,
            self._audiences,
            bar_for(self._gate, policy.answers),
            described,
            past,
            self._shelf[1] if self._shelf else None,
        )


def doubts(classifier: Classifier | None, policy: Policy) -> tuple[str, ...]:
    """What in the policy may be a slip, in words."""
    return unknown_values(policy, {name: classifier.labels(name) for name in classifier.fields}) if classifier else ()


def clear_all(classifier: Classifier | None, policy: Policy) -> Clearance:
    """Certify every field of the model for the target that the policy sets."""
    unmeasured = {name: _still_unmeasured(one) for name, one in policy.fields.items() if one.values}
    if classifier is None:
        return Clearance({}, unmeasured)
    fields = {name: clear(classifier, name, policy) for name in classifier.fields}
    return Clearance(fields, unmeasured, absence=f"Model {classifier.model_id} does not predict this field.")


def describe_fields(
    policy: Policy, encoder: Encoder, *, known: Mapping[str, DescribedField] | None = None
) -> dict[str, DescribedField]:
    """The fields whose values the policy describes; those that are ``known`` are not embedded again."""
    described: dict[str, DescribedField] = {}
    for name, wanted in policy.fields.items():
        if wanted.values:
            before = (known or {}).get(name)
            same = before is not None and before.descriptions == wanted.values
            described[name] = before if before and same else DescribedField(name, wanted.values, encoder)
    return described


def _still_unmeasured(wanted: FieldPolicy) -> str:
    missing = needed(0, wanted.target, 1 - wanted.confidence)
    return (
        f"The nearest description; nothing has been measured yet: {missing} checked tickets without an error "
        f"certify {wanted.target:.0%}."
    )


class _Watched(Generic[Value]):
    """A value read from a file, read again when the file has been written, replaced or removed."""

    def __init__(self, path: Path, load: Callable[[Path], Value]) -> None:
        self._path = path
        self._load = load
        self._stamp: tuple[int, int, int] | None = None
        self._read: list[Value] = []

    @property
    def value(self) -> Value:
        return self._read[0]

    def refresh(self) -> bool:
        """Read the file if it is not the one that was read last; True where it was read."""
        stamp = _stamp(self._path)
        if self._read and stamp == self._stamp:
            return False
        self._read = [self._load(self._path)]
        self._stamp = stamp
        return True


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
