"""What in a text is personal or secret, and how does the text look without it?

Rules, checksums and the requester's own record; nothing is learned and nothing is sent anywhere. It stands below all
other modules, for the log is masked too.
"""

from triage.privacy.masking import Kind, Span, find_personal, mask
from triage.privacy.names import names_of

__all__ = ["Kind", "Span", "find_personal", "mask", "names_of"]
