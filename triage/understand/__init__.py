"""What does a ticket say, in which language, and what is it about?"""

from triage.understand.reading import understand

__all__ = ["understand"]
