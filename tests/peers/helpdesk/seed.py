"""What stands in the throw-away helpdesk: a bot, an agent, three queues, a field of its own. Run in its own Python."""

import django

django.setup()

from django.contrib.auth.models import User  # noqa: E402  # models can be imported once Django is set up
from helpdesk.models import CustomField, EmailTemplate, Queue  # noqa: E402

for name in ("triage", "alice"):
    User.objects.create_user(name, f"{name}@desk.test", f"{name}-password", is_staff=True)
for slug in ("general", "network", "hardware"):
    Queue.objects.create(title=slug.title(), slug=slug, allow_public_submission=True, email_address=f"{slug}@desk.test")
CustomField.objects.create(
    name="category", label="Category", data_type="list", list_values="vpn\nprinter", required=False, staff_only=True
)
assert EmailTemplate.objects.exists(), "the migrations bring the templates of its mails"
