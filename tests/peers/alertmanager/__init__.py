"""A real Alertmanager on a free port, which tells one receiver."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from tests.processes import free_port, until

CONFIGURATION = """
route:
  receiver: triage
  group_by: [alertname]
  group_wait: 1s
  group_interval: 1s
  repeat_interval: 1h
receivers:
  - name: triage
    webhook_configs:
      - url: "{url}"
        send_resolved: true
        max_alerts: 0
        http_config:
          authorization: {{ type: Bearer, credentials: "{token}" }}
"""


@contextmanager
def alertmanager(folder: Path, url: str, token: str) -> Iterator[str]:
    """Start it; gives its address."""
    port = free_port()
    (folder / "alertmanager.yml").write_text(CONFIGURATION.format(url=url, token=token))
    command = [
        "prometheus-alertmanager",
        f"--config.file={folder / 'alertmanager.yml'}",
        f"--storage.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
    ]
    with (folder / "alertmanager.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}"
    try:
        until(lambda: _answers(address), what="Alertmanager")
        yield address
    finally:
        process.terminate()
        process.wait(20)


def _answers(address: str) -> bool:
    try:
        return httpx.get(f"{address}/-/ready", timeout=5).is_success
    except httpx.TransportError:
        return False
