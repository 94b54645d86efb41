"""How may a language model say an answer in other words, and what of it is kept?

Off by default. Only the spans of an answer are sent, masked; what comes back is split into sentences, each of which has
to cite a span and to agree with it. What fails is dropped, and where little is left the verbatim answer stands alone.
"""

from triage.reword.client import Endpoint
from triage.reword.probe import Finding, probe
from triage.reword.rewording import Reworder

__all__ = ["Endpoint", "Finding", "Reworder", "probe"]
