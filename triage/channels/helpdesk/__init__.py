"""Which names of the channel to django-helpdesk does the registry need?"""

from triage.channels.helpdesk.table import HelpdeskTable

__all__ = ["HelpdeskTable"]
