"""``triage kb evaluate``, ``tune`` and ``calibrate``: what do judged questions say of it, and teach it?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from kb import KnowledgeBase, evaluate_retrieval, read_judged_base, read_judged_queries
from triage.app import open_database, open_encoder
from triage.cli.knowledge import ready_for_knowledge
from triage.cli.options import AsJson
from triage.cli.show import note, out, print_json, progress
from triage.learning.answers import FEWEST_QUERIES, HeldOut, about_questions, certify_answers, held_out_figures
from triage.learning.answers import calibrate as calibrated
from triage.policy import read_policy
from triage.settings import Settings
from triage.tickets.feedback import judged_by_people
from triage.understand.certificate import Certificate, Shortfall


def register(cli: typer.Typer) -> None:
    """Add these commands to ``triage kb``."""
    for command in (evaluate, tune, calibrate):
        cli.command()(command)


def evaluate(
    articles: Annotated[Path, typer.Option(help="JSON Lines (may be .gz) with _id, title, text.")],
    queries: Annotated[Path, typer.Option(help="JSON Lines with _id, text and (without --qrels) doc.")],
    qrels: Annotated[Path | None, typer.Option(help="TSV: query-id, corpus-id, score.")] = None,
    titles: Annotated[bool, typer.Option(help="Whether the search may use the articles' titles.")] = True,
    hold_out: Annotated[
        float | None, typer.Option(min=0, max=0.95, help="Take the right articles of this share away; judge the gate.")
    ] = None,
    alpha: Annotated[float, typer.Option(min=0.001, max=0.999, help="Share of wrong answers allowed.")] = 0.05,
    confidence: Annotated[float, typer.Option(min=0.5, max=0.999, help="How surely no more are wrong.")] = 0.7,
    seed: Annotated[int, typer.Option(min=0, help="Which queries lose their articles.")] = 0,
    as_json: AsJson = False,
) -> None:
    """Measure how well judged queries find their articles; with --hold-out also how well it is known what to answer.

    Example: `triage kb evaluate --articles corpus.jsonl --queries dev.jsonl --qrels dev.tsv --json`
    """
    settings = ready_for_knowledge()
    encoder = open_encoder(settings)
    with progress("Embedding articles") as report:
        judged = read_judged_base(articles, queries, encoder, qrels=qrels, titles=titles, progress=report)
    result = evaluate_retrieval(judged, encoder)
    if hold_out is not None:
        result |= held_out_figures(judged, encoder, HeldOut(hold_out, alpha, confidence, seed))
    if as_json:
        print_json(result)
        return
    table = Table("measure", "value")
    for name, value in _flat(result):
        table.add_row(name, f"{value:.4f}" if isinstance(value, float) else str(value))
    out.print(table)


def tune(
    queries: Annotated[
        Path, typer.Option(help="JSON Lines with _id, text and (without --qrels) doc: an article's id.")
    ],
    qrels: Annotated[Path | None, typer.Option(help="TSV: query-id, article-id, score.")] = None,
    as_json: AsJson = False,
) -> None:
    """Fit the ranking to this desk's own judged queries; kept only where it ranks unseen ones no worse.

    With 50 queries or more, the gate is fitted anew on them, as by `triage kb calibrate`: a gate goes with the ranking
    that it was fitted on. Services that are running take up both at once; with fewer queries, start them again.

    Example: `triage kb tune --queries judged.jsonl`
    """
    settings = ready_for_knowledge()
    knowledge = KnowledgeBase.open(settings.knowledge_folder, open_encoder(settings))
    judged = read_judged_queries(queries, qrels)
    with progress("Embedding the queries") as report:
        tuning = knowledge.tune(judged, progress=report)
    gate = None
    if tuning.queries >= FEWEST_QUERIES:
        gate = knowledge.keep_gate(calibrated(knowledge, judged, open_encoder(settings)))
    says = about_questions(_certificate(knowledge, settings)) if gate else None
    if as_json:
        print_json(tuning.figures() | {"weights": knowledge.fusion, "gate": gate, "says": says})
        return
    table = Table("measure", "shipped weights", "tuned, out of fold")
    for name, value in tuning.shipped.items():
        table.add_row(name, f"{value:.4f}", f"{tuning.tuned[name]:.4f}")
    out.print(table)
    note(
        f"Judged on {tuning.queries} queries; {tuning.unknown} name no article of this knowledge base. "
        + ("The tuned weights are in use" if tuning.is_kept else "The shipped weights stay in use: the tuned are worse")
        + f" ({knowledge.fusion})."
    )
    if says:
        note(f"Answers: {says}")


def calibrate(
    queries: Annotated[Path | None, typer.Option(help="JSON Lines with _id, text and (without --qrels) doc.")] = None,
    qrels: Annotated[Path | None, typer.Option(help="TSV: query-id, corpus-id, score.")] = None,
    from_feedback: Annotated[bool, typer.Option(help="Use what people said of past answers, too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Fit on your own questions how sure an answer must be, and certify it for what the policy asks.

    Each question is asked with its articles there and with them taken away. A `doc` is an article's id, as
    `triage kb search --json` shows it.

    Example: `triage kb calibrate --queries judged.jsonl`
    """
    settings = ready_for_knowledge()
    encoder = open_encoder(settings)
    judged = read_judged_queries(queries, qrels) if queries else []
    if from_feedback:
        with open_database(settings) as (_, sessions), sessions() as session:
            judged = [*judged, *judged_by_people(session)]
    if not judged:
        raise typer.BadParameter("give judged queries with --queries FILE, or --from-feedback, or both")
    knowledge = KnowledgeBase.open(settings.knowledge_folder, encoder)
    name = knowledge.keep_gate(calibrated(knowledge, judged, encoder))
    found = _certificate(knowledge, settings)
    if as_json:
        certificate = {"certified": isinstance(found, Certificate), **asdict(found)}
        print_json({"gate": name, "queries": len(judged), "certificate": certificate, "says": about_questions(found)})
        return
    note(f"Gate {name}, fitted on {len(judged):,} judged queries, is in force.")
    note(about_questions(found))


def _certificate(knowledge: KnowledgeBase, settings: Settings) -> Certificate | Shortfall:
    """What the gate in force is certified for under the policy."""
    policy = read_policy(settings.policy_file).answers
    return certify_answers(knowledge.gate.checked, policy.target, policy.confidence, knowledge.gate)


def _flat(result: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    """Figures of figures as one list, ``gate: auroc`` and the like."""
    for name, value in result.items():
        if isinstance(value, Mapping):
            yield from ((f"{name}: {inner}", one) for inner, one in _flat(value))
        else:
            yield name, value
