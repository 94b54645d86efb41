"""From a webhook to what stands in the system afterwards, and back: on real databases, through real jobs' code."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from tests.integration.channels.conftest import Office
from triage.channels import inbox, outbox
from triage.channels.attendant import poll
from triage.channels.common.system import Channel, Steps
from triage.channels.common.values import Closed, DeliveryFailed, Look, Message, Opened, Outgoing, Said, Status
from triage.channels.states import lease, states
from triage.channels.webhook import payload
from triage.db.tables import CorrectionRow, DeliveryRow, RemoteMessageRow, RunRow
from triage.errors import BadInput


def routed(office: Office, remote_id: str = "1", subject: str = "VPN drops") -> None:
    office.system.open(remote_id, subject, "Since this morning.")
    office.take(Look(remote_id), key=f"open-{remote_id}")
    office.work()


def corrections(office: Office) -> list[tuple[str, str, str]]:
    with office.sessions() as session:
        return [(row.field, row.value, row.author) for row in session.scalars(select(CorrectionRow))]


def test_a_look_at_a_new_ticket_sets_its_field_and_leaves_a_note(office: Office) -> None:
    routed(office)
    assert office.system.tickets["1"].fields == {"queue": "network"}
    (note,) = office.system.tickets["1"].messages
    assert not note.public and "queue was set to network" in note.text
    delivery = office.delivery()
    assert delivery.state == "delivered" and delivery.detail == "Set queue; added a note."
    assert set(delivery.done) == {"fields", "note"}


def test_the_same_key_is_taken_once(office: Office) -> None:
    office.system.open("1", "VPN drops")
    assert office.take(Look("1"), key="a")
    assert not office.take(Look("1"), key="a")
    office.work()
    assert len(office.tickets()) == len(office.received()) == 1


def test_echo_of_our_own_change_is_no_correction(office: Office) -> None:
    routed(office)
    office.take(Look("1"), key="echo")
    office.work()
    assert corrections(office) == []
    assert office.remote("1").touched_by is None
    assert len(office.tickets()) == 1


def test_an_echo_that_comes_before_our_delivery_is_written_down_is_no_correction(office: Office) -> None:
    routed(office)
    with office.sessions.begin() as session:  # as if the process had died before it noted what it had set
        session.get_one(type(office.remote("1")), ("desk", "1")).fields = {"queue": "general"}
    office.take(Look("1"), key="echo")
    office.work()
    assert corrections(office) == []


def test_an_agents_move_is_a_correction_and_ends_the_bots_part(office: Office) -> None:
    routed(office)
    office.system.change("1", fields={"queue": "hardware"}, touched_by="bea")
    office.take(Look("1"), key="moved")
    office.work()
    assert corrections(office) == [("queue", "hardware", "bea")]
    assert office.remote("1").touched_by == "bea"
    office.take(Look("1"), key="again")
    office.work()
    assert len(corrections(office)) == 1


def test_what_stood_there_before_we_looked_is_no_correction(office: Office) -> None:
    office.system.open("1", "Something else")
    office.take(Opened("1", "Something else", "", fields={}), key="a")
    office.take(Look("1"), key="b")
    office.work()
    assert corrections(office) == []


def test_nothing_is_done_to_a_ticket_that_a_person_touched(office: Office) -> None:
    office.system.open("1", "VPN drops", touched_by="bea")
    office.take(Look("1"))
    office.work()
    assert office.system.tickets["1"].messages == ()
    assert "bea works on the ticket" in office.delivery().detail


@pytest.mark.parametrize(("mode", "queue", "notes"), [("suggest", "general", 1), ("dry-run", "general", 1)])
def test_other_modes_only_leave_a_note(open_office: Callable[..., Office], mode: str, queue: str, notes: int) -> None:
    office = open_office(mode)
    routed(office)
    assert office.system.tickets["1"].fields == {"queue": queue}
    assert len(office.system.tickets["1"].messages) == notes
    assert ("Dry run" in office.system.tickets["1"].messages[0].text) == (mode == "dry-run")


def test_policy_off_queues_nothing(open_office: Callable[..., Office]) -> None:
    office = open_office("off")
    routed(office)
    assert office.system.tickets["1"].messages == ()
    assert office.delivery().state == "delivered" and "only brings tickets in" in office.delivery().detail


def test_only_the_named_fields_are_set(office: Office) -> None:
    office.with_policy(mode="apply", fields=("priority",))
    routed(office)
    assert office.system.tickets["1"].fields == {"queue": "general"}


def test_old_tickets_and_those_with_many_actions_are_left(office: Office) -> None:
    office.with_policy(mode="apply", fresh_hours=0.000001)
    routed(office)
    assert "older than" in office.delivery().detail
    assert office.system.tickets["1"].messages == ()


def test_a_refused_field_is_told_and_the_note_goes_out_all_the_same(office: Office) -> None:
    office.system.refused_fields = {"queue"}
    routed(office)
    delivery = office.delivery()
    assert delivery.state == "dead" and "queue stands at general, not network" in delivery.detail
    assert len(office.system.tickets["1"].messages) == 1


def test_a_write_whose_reply_was_lost_is_not_made_twice(office: Office) -> None:
    office.system.loses_next_reply = True
    routed(office)
    assert office.delivery().state == "delivered"
    assert len(office.system.tickets["1"].messages) == 1


def test_being_asked_to_wait_costs_no_attempt(open_office: Callable[..., Office]) -> None:
    office = open_office(attempts=1)
    office.system.open("1", "VPN drops")
    office.take(Opened("1", "VPN drops", ""))
    office.system.failures = [DeliveryFailed("It answered 429 Too Many Requests.", wait_s=3_600)]
    office.work(most=3)
    delivery = office.delivery()
    assert delivery.state == "pending" and "429" in delivery.detail
    assert office.jobs.queued[0][3] == pytest.approx(3_600)
    calls = len(office.system.calls)
    office.work(most=3)  # before the hour is over nobody calls
    assert len(office.system.calls) == calls
    with office.sessions() as session:
        assert states(session)["desk"].closed_until is not None


def test_breaker_opens_after_failures_and_closes_with_the_first_success(open_office: Callable[..., Office]) -> None:
    office = open_office(break_after=2, break_s=300)
    for number in range(3):
        office.take(Opened(str(number), "VPN drops", ""), key=str(number))
        office.system.open(str(number), "VPN drops")
    office.work(most=6)  # take in and triage three
    office.system.failures = [DeliveryFailed("It cannot be reached.", faulty=True)] * 2
    office.work(most=3)
    assert office.system.calls.count("read") == 2  # the third was not even tried
    assert [job[0] for job in office.jobs.queued] == ["delivery"] * 3
    assert office.jobs.queued[-1][3] > 200
    with office.sessions.begin() as session:
        states(session)["desk"].closed_until = datetime.now(UTC) - timedelta(seconds=1)
    office.work(most=1)
    with office.sessions() as session:
        state = states(session)["desk"]
        assert state.failures == 0 and state.closed_until is None
    office.work()
    with office.sessions() as session:
        assert {row.state for row in session.scalars(select(DeliveryRow))} == {"delivered"}


def test_an_outage_of_the_system_kills_no_delivery(open_office: Callable[..., Office]) -> None:
    office = open_office(attempts=2, break_after=1_000)
    office.take(Opened("1", "VPN drops", ""))
    office.system.open("1", "VPN drops")
    office.system.failures = [DeliveryFailed("It cannot be reached.", faulty=True)] * 30
    office.work(most=40)
    assert office.delivery().state == "delivered"


def test_after_so_many_conflicts_a_delivery_is_a_dead_letter_that_can_be_sent_again(
    open_office: Callable[..., Office],
) -> None:
    office = open_office(attempts=2)
    office.take(Opened("1", "VPN drops", ""))
    office.system.open("1", "VPN drops")
    office.system.failures = [DeliveryFailed("It answered 412 Precondition Failed.")] * 2
    office.work()
    delivery = office.delivery()
    assert delivery.state == "dead" and "tried 2 times" in delivery.detail
    with office.sessions.begin() as session:
        outbox.retry(session, office.jobs, delivery.id)
    office.work()
    assert office.delivery().state == "delivered"
    with office.sessions.begin() as session, pytest.raises(BadInput, match="only dead letters"):
        outbox.retry(session, office.jobs, delivery.id)


def test_a_gone_ticket_is_a_dead_letter_at_once(office: Office) -> None:
    office.take(Opened("1", "VPN drops", ""))
    office.work()
    assert office.delivery().state == "dead" and "There is no ticket 1" in office.delivery().detail


def test_what_cannot_be_read_now_is_read_later(office: Office) -> None:
    office.system.failures = [DeliveryFailed("It cannot be reached.", faulty=True)] * 3
    routed(office)
    assert len(office.tickets()) == 1
    (row,) = office.received()
    assert row.state == "done" and row.attempts == 4 and row.happenings is None


def test_a_ticket_without_text_is_kept_as_a_dead_letter_with_the_reason(office: Office) -> None:
    office.take(Opened("1", " ", ""))
    office.work()
    (row,) = office.received()
    assert row.state == "dead" and "no text" in row.detail and row.happenings
    with office.sessions.begin() as session:
        inbox.retry(session, office.jobs, row.id)
    office.work()
    assert office.received()[0].state == "dead"


def test_messages_are_noted_once_and_an_agents_makes_the_bot_quiet(office: Office) -> None:
    routed(office)
    theirs = Message("m9", "bea@desk.example", "I am on it.", public=True, by_agent=True)
    office.take(Said("1", theirs), key="m9")
    office.take(Said("1", theirs), key="m9 again")
    office.work()
    with office.sessions() as session:
        noted = session.scalars(select(RemoteMessageRow)).all()
        assert [(row.author, row.text) for row in noted] == [("bea@desk.example", "I am on it.")]
    assert office.remote("1").touched_by == "bea@desk.example"


def test_a_message_on_an_unknown_ticket_opens_what_it_comes_with(office: Office) -> None:
    office.take(Said("7", Message("m", "ana", "VPN", True), Opened("7", "VPN", "")), key="a")
    office.take(Said("8", Message("m", "ana", "VPN", True)), key="b")
    office.work(most=2)
    assert [row.delivery_id for row in office.tickets()] == ["7"]
    assert "Nobody here knows" in office.received()[1].detail


def test_closed_and_merged_are_taken_over(office: Office) -> None:
    routed(office, "1")
    routed(office, "2", "Another VPN matter")
    office.system.change("1", status=Status.MERGED, merged_into="2")
    office.take(Look("1"), key="merged")
    office.take(Closed("2", "bea", "Restarted the gateway."), key="closed")
    office.work()
    first, second = office.tickets()
    assert first.duplicate_of == second.id
    assert office.remote("1").status == "merged"
    assert office.remote("2").status == "solved" and office.remote("2").solved_at


def test_tickets_older_than_the_channel_are_not_taken(office: Office) -> None:
    office.system.open("1", "VPN drops", opened_at=datetime.now(UTC) - timedelta(days=3))
    office.take(Look("1"))
    office.work()
    assert office.tickets() == []
    assert "older than the use of this channel" in office.received()[0].detail


def test_a_poll_finds_what_no_webhook_told_and_leaves_no_rows(office: Office) -> None:
    office.system.open("1", "VPN drops")
    assert poll(office.sessions, office.jobs, office.channel) == 1
    office.work()
    assert len(office.tickets()) == 1 and office.received() == []
    with office.sessions() as session:
        assert states(session)["desk"].cursor == "1"


def test_one_worker_attends_to_a_channel_until_its_lease_is_over(office: Office) -> None:
    now = datetime.now(UTC)
    with office.sessions.begin() as session:
        assert lease(session, "desk/poll", "a", 30, now)
        assert not lease(session, "desk/poll", "b", 30, now)
        assert lease(session, "desk/poll", "a", 30, now)
        assert lease(session, "desk/poll", "b", 30, now + timedelta(seconds=31))
        assert not lease(session, "desk/poll", "a", 30, now + timedelta(seconds=32))


def test_a_delivery_that_was_cut_short_is_finished_by_its_repeat(office: Office) -> None:
    office.system.open("1", "VPN drops")
    office.take(Opened("1", "VPN drops", ""))
    office.work(most=2)
    kind, delivery_id, number, _ = office.jobs.queued[0]
    assert kind == "delivery"
    sent = office.system.post

    def die(*_: object, **__: object) -> str:
        raise KeyboardInterrupt

    office.system.post = die  # type: ignore[method-assign]
    with pytest.raises(KeyboardInterrupt):
        office.work(most=1)
    assert office.delivery().state == "sending"
    office.system.post = sent  # type: ignore[method-assign]
    office.jobs.queued.append((kind, delivery_id, number, 0))
    office.work()
    assert office.delivery().state == "delivered"
    assert office.system.calls.count("set") == 1 and len(office.system.tickets["1"].messages) == 1


def test_text_that_no_database_stores_is_mended(office: Office) -> None:
    office.take(Opened("1", "VPN \0 \ud800 drops", ""))
    office.work(most=2)
    assert "drops" in office.tickets()[0].subject


def test_masked_storage_keeps_nothing_personal_of_messages(office: Office) -> None:
    office.take(Opened("1", "VPN drops", "", "Ana Fischer <ana@example.com>"), key="a")
    message = Message("m1", "ana@example.com", "Call me at +49 30 1234567", True)
    office.take(Said("1", message), key="b")
    while office.jobs.queued:
        kind, row_id, number, _ = office.jobs.queued.pop(0)
        if kind == "received":
            inbox.work_on(office.sessions, office.jobs, office.channel, row_id, number, mask_stored=True)
    with office.sessions() as session:
        (row,) = session.scalars(select(RemoteMessageRow))
        assert "1234567" not in row.text


def test_those_who_subscribed_are_told_of_decisions_and_of_what_was_given_up(office: Office) -> None:
    told: list[Outgoing] = []

    def tell(outgoing: Outgoing, _done: Steps) -> str:
        told.append(outgoing)
        return "Told."

    events = frozenset({"decision.made", "answer.given", "delivery.failed"})
    office.others["watcher"] = Channel("watcher", "webhook", send=tell, subscribed=events)
    office.system.refused_fields = {"queue"}
    routed(office)
    assert [one.event.value for one in told] == ["decision.made", "delivery.failed"]
    made, failed = (payload(one) for one in told)
    assert made["type"] == "decision.made" and "Since this morning" not in str(made)
    assert "queue stands at general" in str(failed["data"])


def test_a_subscriber_that_fails_is_told_of_nobody(office: Office) -> None:
    def refuse(_outgoing: Outgoing, _done: Steps) -> str:
        raise DeliveryFailed("It answered 400 Bad Request.", retryable=False)

    events = frozenset({"decision.made", "delivery.failed"})
    office.others["watcher"] = Channel("watcher", "webhook", send=refuse, subscribed=events)
    routed(office)
    with office.sessions() as session:
        rows = session.execute(select(DeliveryRow.channel, DeliveryRow.event, DeliveryRow.state)).all()
    assert sorted(tuple(row) for row in rows) == [
        ("desk", "result", "delivered"),
        ("watcher", "decision.made", "dead"),
    ]


def test_each_channel_quotes_only_for_its_own_readers(office: Office) -> None:
    office.with_policy(mode="apply", audiences=("staff",))
    routed(office)
    with office.sessions() as session:
        (run,) = session.scalars(select(RunRow))
        assert run.audiences == ["staff"]


def test_dry_reading_of_a_row_of_another_version_is_refused_not_lost(office: Office) -> None:
    office.system.open("1", "VPN drops")
    office.take(Look("1"))
    office.channel = replace(office.channel, system=None)
    office.work()
    (row,) = office.received()
    assert row.state == "dead" and "cannot read tickets" in row.detail
