"""The ways in and out: Slack, ticketing systems, mail, alerts, webhooks. One module per system.

``common`` is what they share, ``registry`` opens them, ``inbox`` takes in what they bring, ``outbox`` sends what was
decided. No module of a system knows another.
"""
