"""``triage keys``: who may call the REST API?"""
