"""``triage kb``: what does the knowledge base hold, and how well does it find?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from kb import (
    Change,
    Difference,
    Encoder,
    Finding,
    KnowledgeBase,
    Severity,
    SyncReport,
    compare,
    evaluate_retrieval,
    kept_snapshots,
    lint_articles,
    read_judged_base,
    read_judged_queries,
    read_questions,
)
from triage.app import ensure_encoder, open_database, open_encoder, open_reranker
from triage.cli.options import AsJson, InLanguage, OnProduct, settings_for_command
from triage.cli.show import err, note, out, print_json, progress
from triage.errors import BadInput, NotFound
from triage.learning.answers import FEWEST_QUERIES, HeldOut, about_questions, bar_for, certify_answers, held_out_figures
from triage.learning.answers import calibrate as calibrated
from triage.policy import read_policy
from triage.settings import Settings
from triage.tickets import store
from triage.tickets.feedback import judged_by_people
from triage.understand.certificate import Certificate, Shortfall

SHOWN = 50


class FailOn(StrEnum):
    """What makes ``kb diff`` fail, for a pipeline."""

    LOST = "lost"
    CHANGED = "changed"
    NOTHING = "nothing"


FAILS_ON = {FailOn.LOST: (Change.LOST,), FailOn.CHANGED: (Change.LOST, Change.CHANGED), FailOn.NOTHING: ()}

cli = typer.Typer(no_args_is_help=True, help="Fill, search and evaluate the knowledge base.")


@cli.command()
def sync(
    path: Annotated[Path, typer.Argument(help="Folder, document, export, tickets or macros.")],
    rebuild: Annotated[bool, typer.Option(help="Embed everything anew, also after a damage.")] = False,
    as_json: AsJson = False,
) -> None:
    """Take articles in; only what has changed is embedded.

    A folder with Markdown, HTML, PDF and Word files; one such file; a CSV, JSON, JSON Lines or YAML file of articles,
    solved tickets or macros; an export of Zendesk, Freshdesk or Zammad.

    Example: `triage kb sync docs/articles`
    """
    settings = ready_for_knowledge()
    report = sync_folder(settings, path, rebuild=rebuild)
    if as_json:
        print_json(asdict(report))
    else:
        show_report(report)


@cli.command()
def search(
    query: Annotated[str, typer.Argument(help="What to look for.")],
    limit: Annotated[int, typer.Option(min=1, max=100)] = 5,
    product: OnProduct = None,
    language: InLanguage = None,
    as_json: AsJson = False,
) -> None:
    """Show the best passages, one per article.

    Example: `triage kb search "KES-2041" --product Kestrel`
    """
    settings = settings_for_command()
    knowledge = KnowledgeBase.open(settings.knowledge_folder, open_encoder(settings), reranker=open_reranker(settings))
    hits = knowledge.search(query, limit=limit, product=product, language=language, only_language=bool(language))
    if as_json:
        print_json({"query": query, "hits": [asdict(hit) for hit in hits]})
        return
    table = Table("score", "article", "passage", show_lines=True)
    for hit in hits:
        where = " › ".join([hit.title, *hit.citation.heading_path])
        table.add_row(f"{hit.score:.2f}", escape(where), escape(hit.citation.text[:300]))
    out.print(table if hits else "Nothing found.")


@cli.command("lint")
def lint(
    fail_on: Annotated[Severity, typer.Option(help="From which findings on the exit code is 1.")] = Severity.ERROR,
    as_json: AsJson = False,
) -> None:
    """Look for broken links, doubles, contradictions, stale articles, and articles that nothing finds.

    Example: `triage kb lint --fail-on warning`
    """
    settings = ready_for_knowledge()
    knowledge = KnowledgeBase.open(settings.knowledge_folder, open_encoder(settings))
    with progress("Checking articles") as report:
        findings = lint_articles(knowledge, today=datetime.now(UTC).date(), progress=report)
    if as_json:
        said = [asdict(finding) | {"severity": finding.severity} for finding in findings]
        print_json({"snapshot": knowledge.snapshot, "articles": len(knowledge.articles()), "findings": said})
    else:
        show_findings(findings, len(knowledge.articles()))
    if any(fail_on == Severity.WARNING or finding.severity == Severity.ERROR for finding in findings):
        raise typer.Exit(1)


@cli.command()
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


@cli.command()
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


@cli.command()
def diff(
    old: Annotated[str, typer.Argument(help="Name of a snapshot, or `current`.")],
    new: Annotated[str, typer.Argument(help="Name of a snapshot, or `current`.")] = "current",
    queries: Annotated[Path | None, typer.Option(help="JSON Lines with _id and text; else past tickets.")] = None,
    last: Annotated[int, typer.Option(min=1, help="So many of the newest tickets are asked again.")] = 1000,
    fail_on: Annotated[FailOn, typer.Option(help="What makes the command fail.")] = FailOn.LOST,
    as_json: AsJson = False,
) -> None:
    """Ask two snapshots past questions: which answers are gained, lost or changed?

    `triage kb snapshots` lists them.

    Example: `triage kb diff 386ffdddac8f3150 current --fail-on changed`
    """
    settings = ready_for_knowledge()
    encoder = open_encoder(settings)
    before, after = (_snapshot(settings, encoder, name) for name in (old, new))
    questions = read_questions(queries) if queries else _past_questions(settings, last)
    if not questions:
        raise BadInput("There are no past tickets to ask again: give questions with --queries FILE.")
    bar = bar_for(after.gate, read_policy(settings.policy_file).answers)
    with progress("Embedding questions") as report:
        vectors = encoder.encode(questions, progress=report)
    with progress("Asking both") as report:
        found = compare(before, after, questions, vectors, bar=bar, audiences=settings.audiences, progress=report)
    counts = {change.value: sum(one.change is change for one in found) for change in Change}
    other = [one for one in found if one.change is not Change.SAME]
    if as_json:
        view = {"old": before.snapshot, "new": after.snapshot, "questions": len(questions), **counts}
        print_json({**view, "differences": [asdict(one) for one in other]})
    else:
        _show_differences(other, counts)
    if any(counts[change] for change in FAILS_ON[fail_on]):
        raise typer.Exit(1)


@cli.command()
def snapshots(as_json: AsJson = False) -> None:
    """List the snapshots that are kept, newest first.

    Example: `triage kb snapshots`
    """
    settings = settings_for_command()
    kept = kept_snapshots(settings.knowledge_folder)
    if as_json:
        print_json({"snapshots": [asdict(one) for one in kept]})
        return
    table = Table("snapshot", "made", "articles", "passages", "index", "")
    for one in kept:
        sizes = f"{one.articles:,}", f"{one.passages:,}"
        table.add_row(one.name, one.made, *sizes, one.index, "in force" if one.in_force else "")
    out.print(table if kept else "There is none yet: triage kb sync PATH")


def _snapshot(settings: Settings, encoder: Encoder, name: str) -> KnowledgeBase:
    if name == "current":
        return KnowledgeBase.open(settings.knowledge_folder, encoder)
    found = KnowledgeBase.open_snapshot(settings.knowledge_folder, encoder, name)
    if found is None:
        raise NotFound(f"There is no snapshot {name}, or it is no longer kept; `triage kb snapshots` lists them.")
    return found


def _past_questions(settings: Settings, last: int) -> list[str]:
    with open_database(settings) as (_, sessions), sessions() as session:
        return store.newest_texts(session, last)


def _show_differences(other: Sequence[Difference], counts: Mapping[str, int]) -> None:
    out.print(", ".join(f"{count:,} {change}" for change, count in counts.items()), highlight=False)
    if other:
        table = Table("", "question", "before", "after")
        for one in other[:SHOWN]:
            shown = " ".join(one.question.split())[:80]
            table.add_row(one.change.value, *(escape(cell) for cell in (shown, one.before, one.after)))
        out.print(table)


def _flat(result: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    """Figures of figures as one list, ``gate: auroc`` and the like."""
    for name, value in result.items():
        if isinstance(value, Mapping):
            yield from ((f"{name}: {inner}", one) for inner, one in _flat(value))
        else:
            yield name, value


@cli.command()
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


def ready_for_knowledge() -> Settings:
    """The settings, with the encoder prepared: all that the knowledge base needs."""
    settings = settings_for_command()
    settings.home.mkdir(parents=True, exist_ok=True)
    with progress("Preparing the encoder") as report:
        ensure_encoder(settings, progress=report)
    return settings


def sync_folder(settings: Settings, path: Path, *, rebuild: bool = False) -> SyncReport:
    """Sync a folder into the knowledge base, with a progress bar."""
    encoder = open_encoder(settings)
    knowledge = KnowledgeBase.open(settings.knowledge_folder, encoder, ignore_damage=rebuild)
    with progress("Indexing articles") as report:
        return knowledge.sync(path, rebuild=rebuild, progress=report)


def show_findings(findings: Sequence[Finding], articles: int) -> None:
    """One line for each finding, then how many there are of each kind."""
    for finding in findings:
        colour = "red" if finding.severity == Severity.ERROR else "yellow"
        out.print(
            f"{escape(f'{finding.source}: {finding.article_id}')}: [{colour}]{finding.check}[/] "
            f"{escape(finding.sentence)}" + (f" ({escape(', '.join(finding.others))})" if finding.others else ""),
            soft_wrap=True,
            highlight=False,
        )
    counts = ", ".join(f"{count} {check}" for check, count in Counter(found.check for found in findings).items())
    err.print(f"{articles} articles: {counts or 'nothing found'}.", highlight=False)


def show_report(report: SyncReport) -> None:
    """What a sync did, and which files had problems."""
    err.print(
        f"{report.added} added, {report.updated} updated, {report.removed} removed, {report.unchanged} unchanged; "
        f"{report.embedded_passages} passages embedded; snapshot {report.snapshot}.",
        highlight=False,
    )
    for problem in report.problems:
        err.print(f"[yellow]{escape(str(problem.path))}[/]: {escape(problem.sentence)}", soft_wrap=True)
