"""``triage kb``: what does the knowledge base hold, and how well does it find?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from kb import (
    Finding,
    KnowledgeBase,
    Severity,
    SyncReport,
    lint_articles,
)
from triage.app import ensure_encoder, open_encoder, open_reranker
from triage.cli.options import AsJson, InLanguage, OnProduct, settings_for_command
from triage.cli.show import err, out, print_json, progress
from triage.settings import Settings

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
