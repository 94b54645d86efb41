"""Which names of the channel to GitHub's issues does the registry need?"""

from triage.channels.github.table import GithubTable

__all__ = ["GithubTable"]
