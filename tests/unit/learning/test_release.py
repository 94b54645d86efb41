import json
import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from tests.desks import small_desk
from tests.unit.kb.doubles import WordEncoder
from tests.unit.learning.conftest import SmallHome
from triage.errors import Conflict, DatasetDamaged
from triage.learning.dataset import LabelledTickets, combine
from triage.learning.judged import read_judged
from triage.learning.registry import How, champion_id, history, promote
from triage.learning.release import compare_models, not_judged, read_release, settle
from triage.understand.classifier import Classifier

BADLY_LABELLED = range(0, 90, 2)


def badly_labelled() -> LabelledTickets:
    return small_desk(90, wrong=BADLY_LABELLED)


def test_first_good_model_is_promoted_and_it_is_written_down(small_home: SmallHome) -> None:
    model_id = small_home.train()
    release = settle(small_home.models, small_home.judge(model_id))
    assert (release.promoted, release.forced) == (True, False)
    assert champion_id(small_home.models) == model_id
    written = read_release(small_home.models / model_id)
    assert written and json.loads(json.dumps(release.as_json())) == written
    assert history(small_home.models)[-1].how is How.GATE


def test_model_that_has_learned_nothing_is_not_promoted_and_force_is_recorded(small_home: SmallHome) -> None:
    random = np.random.default_rng(0).permutation(small_desk(60).labels["queue"]).tolist()
    model_id = small_home.train(replace(small_desk(60), labels={"queue": (*random[:20], *["network"] * 40)}))
    verdict = small_home.judge(model_id)
    assert not verdict.passed
    assert not settle(small_home.models, verdict).promoted
    assert champion_id(small_home.models) is None
    forced = settle(small_home.models, verdict, force=True)
    assert forced.forced and "by force" in forced.sentence
    assert history(small_home.models)[-1].how is How.FORCE


def test_worse_model_does_not_replace_the_champion(small_home: SmallHome) -> None:
    good = small_home.train()
    promote(small_home.models, good)
    # The new file has right labels; half of what the bad model learned from besides is wrong.
    bad = small_home.train(combine(small_desk(90, start=90), badly_labelled()))
    verdict = small_home.judge(bad)
    release = settle(small_home.models, verdict)
    assert (verdict.champion, verdict.passed, release.promoted) == (good, False, False)
    assert champion_id(small_home.models) == good


def test_better_model_replaces_a_bad_champion(small_home: SmallHome) -> None:
    promote(small_home.models, small_home.train(badly_labelled()))
    good = small_home.train(small_desk(150, start=0))
    assert settle(small_home.models, small_home.judge(good)).promoted
    assert champion_id(small_home.models) == good


def test_champion_is_judged_by_what_it_said_of_its_own_tickets_before_it_had_seen_them(small_home: SmallHome) -> None:
    champion, candidate = small_home.train(badly_labelled()), small_home.train(badly_labelled(), seed=1)
    models = {name: Classifier.load(small_home.models / name) for name in (champion, candidate)}
    (pair,) = compare_models(small_home.models, small_home.datasets, models[candidate], models[champion]).values()
    stored = read_judged(small_home.models / champion)["queue"]
    assert pair.second == pytest.approx(float((stored.guess == stored.truth).mean()))
    tickets = badly_labelled()
    p, _ = models[champion].probabilities("queue", tickets.texts, WordEncoder().encode(tickets.texts), tickets.features)
    live = [models[champion].labels("queue")[column] for column in p.argmax(axis=1)]
    learned_by_heart = np.mean([said == label for said, label in zip(live, tickets.labels["queue"], strict=True)])
    assert pair.second < learned_by_heart


def test_champion_is_judged_by_what_it_says_of_tickets_that_it_never_saw(small_home: SmallHome) -> None:
    champion = small_home.train(small_desk(60))
    candidate = small_home.train(small_desk(60, start=60))
    models = [Classifier.load(small_home.models / name) for name in (candidate, champion)]
    (pair,) = compare_models(small_home.models, small_home.datasets, *models).values()
    tickets = small_desk(60, start=60)
    p, _ = models[1].probabilities("queue", tickets.texts, WordEncoder().encode(tickets.texts), tickets.features)
    live = [models[1].labels("queue")[column] for column in p.argmax(axis=1)]
    assert pair.second == pytest.approx(
        np.mean([said == label for said, label in zip(live, tickets.labels["queue"], strict=True)])
    )


def test_tickets_that_the_champion_has_only_learned_from_are_left_out(small_home: SmallHome) -> None:
    tickets = small_desk(90)
    days = tuple(datetime(2026, 1, 1, tzinfo=UTC) + timedelta(days=day) for day in range(90))
    champion = small_home.train(replace(tickets, times=days))
    candidate = small_home.train(tickets)
    models = [Classifier.load(small_home.models / name) for name in (candidate, champion)]
    (pair,) = compare_models(small_home.models, small_home.datasets, *models).values()
    assert pair.n == 45


def test_label_that_the_champion_does_not_know_counts_against_it(small_home: SmallHome) -> None:
    tickets = small_desk(90)
    two = tuple("network" if label == "access" else label for label in tickets.labels["queue"])
    champion = small_home.train(replace(tickets, labels={"queue": two}))
    candidate = small_home.train(tickets)
    models = [Classifier.load(small_home.models / name) for name in (candidate, champion)]
    (pair,) = compare_models(small_home.models, small_home.datasets, *models).values()
    assert pair.second <= 2 / 3 < pair.first


def test_candidate_without_a_field_of_the_champion_does_not_pass(small_home: SmallHome) -> None:
    tickets = small_desk(90)
    both = replace(tickets, labels={**tickets.labels, "site": ("Lyon", "Riga") * 45})
    promote(small_home.models, small_home.train(both))
    verdict = small_home.judge(small_home.train(tickets, seed=1))
    assert not verdict.passed
    assert [field.field for field in verdict.fields if not field.passed] == ["site"]


def test_useless_new_field_does_not_stop_a_good_candidate(small_home: SmallHome) -> None:
    tickets = small_desk(90)
    promote(small_home.models, small_home.train(tickets))
    rare = tuple("yes" if row in (3, 40, 77) else "no" for row in range(90))
    verdict = small_home.judge(small_home.train(replace(tickets, labels={**tickets.labels, "vip": rare})))
    assert verdict.passed
    assert [field.field for field in verdict.fields if not field.passed] == ["vip"]


def test_champion_judges_itself_fit(small_home: SmallHome) -> None:
    model_id = small_home.train()
    promote(small_home.models, model_id)
    assert small_home.judge(model_id).passed


@pytest.mark.parametrize("harm", ["gone", "cut", "foreign"])
def test_champion_that_cannot_be_used_defends_nothing(small_home: SmallHome, harm: str) -> None:
    old = small_home.train()
    promote(small_home.models, old)
    if harm == "gone":
        shutil.rmtree(small_home.models / old)
    elif harm == "cut":
        (small_home.models / old / "arrays.npz").write_bytes(b"PK")
    encoder = WordEncoder("another") if harm == "foreign" else small_home.encoder
    candidate = SmallHome(small_home.folder, encoder).train(small_desk(90, start=30))
    verdict = small_home.judge(candidate)
    assert (verdict.champion, verdict.passed) == (None, True)
    assert "cannot be compared" in verdict.sentence
    assert settle(small_home.models, verdict).promoted


def test_verdict_against_a_champion_of_before_does_not_hold(small_home: SmallHome) -> None:
    first, second, third = (small_home.train(small_desk(60 + 3 * step)) for step in range(3))
    promote(small_home.models, first)
    verdict = small_home.judge(second)
    promote(small_home.models, third)
    with pytest.raises(Conflict, match="triage models promote"):
        settle(small_home.models, verdict)
    assert champion_id(small_home.models) == third


def test_model_without_its_dataset_cannot_be_compared(small_home: SmallHome) -> None:
    promote(small_home.models, small_home.train())
    candidate = small_home.train(small_desk(60))
    shutil.rmtree(small_home.datasets)
    with pytest.raises(DatasetDamaged, match="--force"):
        small_home.judge(candidate)
    release = settle(small_home.models, not_judged(candidate, "Its dataset is gone."), force=True)
    assert release.forced and "was not judged. Its dataset is gone." in release.verdict.sentence
