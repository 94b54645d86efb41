"""What must a Slack app be allowed, and be told of? The manifest for the features of a table.

Of https://docs.slack.dev/reference/app-manifest; the scopes of each method stand on its page there.
"""

from __future__ import annotations

from triage.channels.slack.table import SlackTable

Manifest = dict[str, object]

# What each thing needs that the app does.
SCOPES = {
    "app_mentions:read": "to be mentioned",
    "assistant:write": "to answer in the assistant pane",
    "channels:history": "to read the channels it was invited to",
    "chat:write": "to answer",
    "commands": "to be called by its command and shortcut",
    "groups:history": "to read the private channels it was invited to",
    "files:read": "to carry files of a thread to the system that its ticket is filed in",
    "files:write": "to carry agents' files from there into the thread",
    "im:history": "to read what people write to it",
    "im:write": "to write to people",
    "reactions:read": "to make a ticket of a message by emoji",
    "usergroups:read": "to know who is at the desk",
    "users:read": "to know who asks",
    "users:read.email": "to know who asks by address",
}
EVENTS = (
    "app_home_opened",
    "app_mention",
    "assistant_thread_context_changed",
    "assistant_thread_started",
    "message.channels",
    "message.groups",
    "message.im",
    "reaction_added",
)
SHORTCUT = "triage_make_ticket"


def manifest(table: SlackTable, name: str, address: str | None) -> Manifest:
    """The app's manifest; ``address`` is where this server can be reached, None for Socket Mode."""
    url = f"{address}/v1/webhooks/{name}" if address else None
    to = {"request_url": url} if url else {}
    return {
        "display_information": {
            "name": "triage",
            "description": "Files, routes and answers help desk tickets, with sources, where it is sure.",
        },
        "features": {
            "app_home": {
                "home_tab_enabled": True,
                "messages_tab_enabled": True,
                "messages_tab_read_only_enabled": False,
            },
            "assistant_view": {
                "assistant_description": "Answers from the help desk's articles, word for word.",
                "suggested_prompts": [{"title": one, "message": one} for one in table.prompts],
            },
            "bot_user": {"display_name": "triage", "always_online": True},
            "shortcuts": [
                {
                    "name": "Make a ticket",
                    "type": "message",
                    "callback_id": SHORTCUT,
                    "description": "File this message for the help desk",
                }
            ],
            "slash_commands": [
                {
                    "command": table.command,
                    "description": "Ask, file a ticket, see yours",
                    "usage_hint": "ask | new | status | help",
                    "should_escape": True,
                    **({"url": url} if url else {}),
                }
            ],
        },
        "oauth_config": {"scopes": {"bot": sorted(SCOPES)}},
        "settings": {
            "event_subscriptions": {"bot_events": list(EVENTS), **to},
            "interactivity": {"is_enabled": True, **to},
            "org_deploy_enabled": False,
            "socket_mode_enabled": url is None,
            "token_rotation_enabled": False,
        },
    }
