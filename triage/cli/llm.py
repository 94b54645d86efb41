"""``triage llm``: does the language model that is to reword answers work?"""

from __future__ import annotations

from dataclasses import asdict
from urllib.parse import urlsplit

import typer
from rich.markup import escape

from triage.app import open_endpoint
from triage.cli.options import AsJson, settings_for_command
from triage.cli.show import note, out, print_json, warn
from triage.errors import Misconfigured
from triage.reword import probe

cli = typer.Typer(no_args_is_help=True, help="Test the language model that rewords answers.")
LOCAL = {"localhost", "127.0.0.1", "::1"}


@cli.callback()
def llm() -> None:
    """Test the language model that rewords answers."""


@cli.command()
def check(as_json: AsJson = False) -> None:
    """Have a sample passage reworded and say in words whether that works, or what is wrong.

    Exit status 1 where it does not.

    Example: `TRIAGE_LLM_URL=http://127.0.0.1:8080/v1 TRIAGE_LLM_MODEL=small triage llm check`
    """
    endpoint = open_endpoint(settings_for_command())
    if endpoint is None:
        raise Misconfigured("No language model is set, so answers go out verbatim. Set TRIAGE_LLM_URL and _MODEL.")
    found = probe(endpoint)
    if as_json:
        print_json({"url": endpoint.url, "model": endpoint.model, **asdict(found)})
    else:
        out.print(f"{escape(endpoint.model)} at {escape(endpoint.completions)}, {found.seconds:.1f} s")
        if found.reply:
            out.print(f"[dim]{escape(found.reply.strip())}[/]")
        out.print(escape(found.says))
    address = urlsplit(endpoint.url)
    if address.scheme == "http" and address.hostname not in LOCAL:
        warn("The address begins with http://: articles and the key cross the network readable by others.")
    if not found.works:
        note("Until it works, answers go out verbatim.")
        raise typer.Exit(1)
