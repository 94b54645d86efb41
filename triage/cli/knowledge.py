"""``triage kb``: what does the knowledge base hold, and how well does it find?"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from kb import KnowledgeBase, SyncReport, evaluate_retrieval, read_queries
from triage.app import ensure_encoder, open_encoder, open_reranker
from triage.cli.options import AsJson, settings_for_command
from triage.cli.show import err, note, out, print_json, progress
from triage.settings import Settings

cli = typer.Typer(no_args_is_help=True, help="Fill, search and evaluate the knowledge base.")


@cli.command()
def sync(
    path: Annotated[Path, typer.Argument(help="Folder with Markdown articles.")],
    rebuild: Annotated[bool, typer.Option(help="Embed everything anew, also after a damage.")] = False,
    as_json: AsJson = False,
) -> None:
    """Take a folder's Markdown articles in; only what has changed is embedded.

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
    as_json: AsJson = False,
) -> None:
    """Show the best passages, one per article.

    Example: `triage kb search "KES-2041"`
    """
    settings = settings_for_command()
    knowledge = KnowledgeBase.open(settings.knowledge_folder, open_encoder(settings), reranker=open_reranker(settings))
    hits = knowledge.search(query, limit=limit)
    if as_json:
        print_json({"query": query, "hits": [asdict(hit) for hit in hits]})
        return
    table = Table("score", "article", "passage", show_lines=True)
    for hit in hits:
        where = " › ".join([hit.title, *hit.citation.heading_path])
        table.add_row(f"{hit.score:.2f}", escape(where), escape(hit.citation.text[:300]))
    out.print(table if hits else "Nothing found.")


@cli.command()
def evaluate(
    articles: Annotated[Path, typer.Option(help="JSON Lines (may be .gz) with _id, title, text.")],
    queries: Annotated[Path, typer.Option(help="JSON Lines with _id, text and (without --qrels) doc.")],
    qrels: Annotated[Path | None, typer.Option(help="TSV: query-id, corpus-id, score.")] = None,
    titles: Annotated[bool, typer.Option(help="Whether the search may use the articles' titles.")] = True,
    as_json: AsJson = False,
) -> None:
    """Measure how well judged queries find their articles.

    Example: `triage kb evaluate --articles corpus.jsonl --queries dev.jsonl --qrels dev.tsv --json`
    """
    settings = ready_for_knowledge()
    with progress("Indexing and searching") as report:
        result = evaluate_retrieval(
            articles, queries, open_encoder(settings), qrels=qrels, titles=titles, progress=report
        )
    if as_json:
        print_json(result)
        return
    table = Table("measure", "value")
    for name, value in result.items():
        table.add_row(name, f"{value:.4f}" if isinstance(value, float) else str(value))
    out.print(table)


@cli.command()
def tune(
    queries: Annotated[
        Path, typer.Option(help="JSON Lines with _id, text and (without --qrels) doc: an article's id.")
    ],
    qrels: Annotated[Path | None, typer.Option(help="TSV: query-id, article-id, score.")] = None,
    as_json: AsJson = False,
) -> None:
    """Fit the ranking to this desk's own judged queries; kept only where it ranks unseen ones no worse.

    Services that are running take the new weights up when they are started again.

    Example: `triage kb tune --queries judged.jsonl`
    """
    settings = ready_for_knowledge()
    knowledge = KnowledgeBase.open(settings.knowledge_folder, open_encoder(settings))
    with progress("Embedding the queries") as report:
        tuning = knowledge.tune(read_queries(queries, qrels), progress=report)
    if as_json:
        print_json(tuning.figures() | {"weights": knowledge.fusion})
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


def show_report(report: SyncReport) -> None:
    """What a sync did, and which files had problems."""
    err.print(
        f"{report.added} added, {report.updated} updated, {report.removed} removed, {report.unchanged} unchanged; "
        f"{report.embedded_passages} passages embedded; snapshot {report.snapshot}.",
        highlight=False,
    )
    for problem in report.problems:
        err.print(f"[yellow]{escape(str(problem.path))}[/]: {escape(problem.sentence)}", soft_wrap=True)
