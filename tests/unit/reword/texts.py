"""Passages that several tests reword."""

STEPS = "1. Open FennGate.\n2. Choose Leeds as the site.\n3. Confirm in the Authenticator app."
