"""What does a ticket say, in which language, what is it about, and has it been said before?"""

from triage.understand.duplicates import original_of
from triage.understand.reading import understand

__all__ = ["original_of", "understand"]
