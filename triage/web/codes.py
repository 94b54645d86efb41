"""Which codes may a problem have, and what does each mean? Codes are stable: programs rely on them."""

from __future__ import annotations

# code: (HTTP status, meaning); docs/howto/rest.md shows the same table.
CODES: dict[str, tuple[int, str]] = {
    "malformed-json": (400, "the body is not JSON in UTF-8"),
    "bad-request": (400, "the request is not one that HTTP knows"),
    "disconnected": (400, "the client went away before its body had arrived"),
    "not-authenticated": (401, "no key, or one that does not exist or was revoked"),
    "not-verified": (401, "a webhook's signature, token or moment is missing or wrong"),
    "not-allowed": (403, "the key lacks the scope; or, without keys, the call did not come straight from this machine"),
    "not-found": (404, "nothing there"),
    "method-not-allowed": (405, "`Allow` lists the methods that there are"),
    "request-timeout": (408, "the body did not arrive in `TRIAGE_REQUEST_TIMEOUT_S`"),
    "conflict": (409, "the name is taken"),
    "body-too-large": (413, "more than `TRIAGE_MAX_BODY_BYTES`"),
    "unsupported-media-type": (415, "not `application/json`"),
    "invalid-request": (422, "a key or value is wrong; `errors` lists where, the first 20 of them"),
    "bad-input": (422, "a value cannot be used; `detail` says why"),
    "ticket-refused": (422, "no text, or too much of it"),
    "idempotency-key-reused": (422, "the key came before with other content"),
    "internal-error": (500, "the log has it under `request_id`"),
    "misconfigured": (500, "a setting or the policy file is wrong; `detail` says which"),
    "delivery-failed": (502, "the system beyond did not take what was sent, or did not answer"),
    "ticket-gone": (502, "the ticket is there no more, or may not be seen"),
    "channel-broken": (503, "a channel is set up wrongly; `detail` says how"),
    "database-unavailable": (503, "the database does not answer; send the same again with its `Idempotency-Key`"),
    "database-outdated": (503, "run `triage db upgrade`"),
    "knowledge-base-unusable": (503, "`detail` names the command that helps"),
    "model-error": (503, "`detail` names the command that helps"),
    "no-model": (503, "run `triage train`"),
    "model-damaged": (503, "`detail` names the command that helps"),
    "model-mismatch": (503, "the model belongs to another encoder; train again"),
    "dataset-damaged": (503, "of the command line only; train again"),
    "registry-unusable": (503, "of the command line only: MLflow's database is locked, away or of another version"),
}


def in_words(first: int, last: int) -> str:
    """The codes of these statuses as a Markdown list."""
    return "\n".join(
        f"- `{code}` ({status}): {meaning}" for code, (status, meaning) in CODES.items() if first <= status <= last
    )
