"""How do the exports of help centres become articles, and their macros reply templates?

Zendesk Guide: https://developer.zendesk.com/api-reference/help_center/help-center-api/articles/#json-format
Zendesk macros: https://developer.zendesk.com/api-reference/ticketing/business-rules/macros/#json-format
Freshdesk: https://developers.freshdesk.com/api/#solution_article_attributes
Zammad: https://docs.zammad.org/en/latest/api/knowledgebase.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from enum import StrEnum

from kb.articles import INTERNAL, MACRO, PUBLIC, Article
from kb.sources.front_matter import date_of, language_of, tags_of, text_of
from kb.sources.html import TooDeep, readable_html
from kb.sources.records import Record

Side = dict[str, dict[str, Record]]
"""What the export says beside the articles, by the name of its list and by id: segments, folders."""


class Unpublished(StrEnum):
    """Why a record is left out though nothing is wrong with it."""

    DRAFT = "drafts"
    ARCHIVED = "archived articles"
    INACTIVE = "inactive macros"
    PERSONAL = "macros of one agent alone"
    WORDLESS = "macros that say nothing to the requester"


class BadRecord(ValueError):
    """A sentence on why a record cannot be an article."""


Reader = Callable[[Record, Side], Article | Unpublished]


def reader_for(record: Record) -> Reader | None:
    """Who reads a record of this shape; None where it is no vendor's."""
    keys = record.keys()
    if keys >= {"title", "actions"}:
        return zendesk_macro
    if keys >= {"id", "title", "body"} and keys & {"html_url", "section_id", "user_segment_id", "draft"}:
        return zendesk_article
    if keys >= {"id", "title", "description", "folder_id", "status"}:
        return freshdesk_article
    return None


def zendesk_article(record: Record, side: Side) -> Article | Unpublished:
    """``body`` is HTML; nobody but members of the user segments may read an article that has any."""
    if record.get("draft"):
        return Unpublished.DRAFT
    if record.get("archived") or record.get("archived_at"):
        return Unpublished.ARCHIVED
    return Article(
        id=f"zendesk/{record['id']}",
        title=text_of(record["title"]),
        text=html_text(record["body"]),
        url=text_of(record.get("html_url")) or None,
        audience=_segment_audience(record, side.get("user_segments", {})),
        language=language_of({"language": record.get("locale")}),
        updated=date_of(record, _unsaid, "edited_at", "updated_at"),
        tags=tags_of({"tags": record.get("label_names")}),
    )


def _segment_audience(record: Record, segments: Mapping[str, Record]) -> str:
    """https://developer.zendesk.com/api-reference/help_center/help-center-api/user_segments/#json-format.

    An article may have several segments and has one audience here: then it is for agents.
    """
    many = record.get("user_segment_ids")
    ids = many if isinstance(many, list) and many else [record.get("user_segment_id")]
    if ids == [None]:
        return PUBLIC
    segment = segments.get(text_of(ids[0]), {})
    if len(ids) > 1 or segment.get("user_type") == "staff":
        return INTERNAL
    return text_of(segment.get("name")) or f"zendesk-segment-{text_of(ids[0])}"


def zendesk_macro(record: Record, side: Side) -> Article | Unpublished:
    """Its text is the comment that it writes; the other actions set fields."""
    if record.get("active") is False:
        return Unpublished.INACTIVE
    restriction = record.get("restriction")
    if isinstance(restriction, dict) and restriction.get("type") == "User":
        return Unpublished.PERSONAL
    text = _comment(record["actions"])
    if not text:
        return Unpublished.WORDLESS
    return Article(
        id=f"macro/{text_of(record.get('id') or record['title'])}",
        title=text_of(record["title"]),
        text=text,
        audience=INTERNAL,
        updated=date_of(record, _unsaid, "updated_at"),
        kind=MACRO,
    )


def _comment(actions: object) -> str:
    """https://developer.zendesk.com/documentation/ticketing/reference-guides/actions-reference/#ticket-actions.

    The value is the text, or a list of the channel and the text.
    """
    said: dict[str, str] = {}
    for action in actions if isinstance(actions, list) else []:
        if isinstance(action, dict):
            value = action.get("value")
            text = value[-1] if isinstance(value, list) and value else value
            said[str(action.get("field"))] = text if isinstance(text, str) else ""
    return html_text(said.get("comment_value_html", "")) or said.get("comment_value", "").strip()


def freshdesk_article(record: Record, side: Side) -> Article | Unpublished:
    """``description`` is HTML, ``status`` 1 a draft. Who may read it stands in its folder.

    Its ``visibility`` 1 is everybody. Where the export has no folders, nobody but agents may.
    """
    if text_of(record["status"]) == "1":
        return Unpublished.DRAFT
    folder = side.get("folders", {}).get(text_of(record["folder_id"]), {})
    visibility = record.get("folder_visibility") or folder.get("visibility")
    return Article(
        id=f"freshdesk/{record['id']}",
        title=text_of(record["title"]),
        text=html_text(record["description"]),
        url=text_of(record.get("url")) or None,
        audience=PUBLIC if text_of(visibility) == "1" else INTERNAL,
        language=_freshdesk_language(record),
        updated=date_of(record, _unsaid, "updated_at"),
        tags=tags_of(record),
    )


def _freshdesk_language(record: Record) -> str | None:
    levels = record.get("hierarchy")
    inside = levels[-1].get("data") if isinstance(levels, list) and levels and isinstance(levels[-1], dict) else None
    return language_of(inside if not record.get("language") and isinstance(inside, dict) else record)


def zammad_articles(assets: Side) -> Iterator[tuple[str, Article | Unpublished | BadRecord]]:
    """(place, outcome) of every translation of every answer; ``assets`` are tables by name and by id.

    An answer is archived, public or internal from a moment on, in this order, and else a draft. One in a category with
    permissions of its own is for agents.
    """
    contents = assets.get("KnowledgeBaseAnswerTranslationContent", {})
    for number, translation in assets.get("KnowledgeBaseAnswerTranslation", {}).items():
        answer = assets.get("KnowledgeBaseAnswer", {}).get(text_of(translation.get("answer_id")), {})
        place = f"answer translation {number}"
        state = _zammad_state(answer)
        if isinstance(state, Unpublished):
            yield place, state
            continue
        inside = translation.get("content")
        content = inside if isinstance(inside, dict) else contents.get(text_of(translation.get("content_id")), {})
        category = assets.get("KnowledgeBaseCategory", {}).get(text_of(answer.get("category_id")), {})
        try:
            yield (
                place,
                Article(
                    id=f"zammad/{number}",
                    title=text_of(translation.get("title")),
                    text=html_text(content.get("body")),
                    audience=INTERNAL if category.get("permission_ids") else state,
                    language=_zammad_language(translation, assets),
                    updated=date_of(translation, _unsaid, "updated_at"),
                    tags=tags_of(answer),
                ),
            )
        except BadRecord as error:
            yield place, error


def _zammad_state(answer: Record) -> str | Unpublished:
    for key, state in (("archived_at", Unpublished.ARCHIVED), ("published_at", PUBLIC), ("internal_at", INTERNAL)):
        try:
            since = datetime.fromisoformat(text_of(answer.get(key)))
        except ValueError:
            continue
        if since.replace(tzinfo=since.tzinfo or UTC) <= datetime.now(UTC):
            return state
    return Unpublished.DRAFT


def _zammad_language(translation: Record, assets: Side) -> str | None:
    own = assets.get("KnowledgeBaseLocale", {}).get(text_of(translation.get("kb_locale_id")), {})
    system = assets.get("Locale", {}).get(text_of(own.get("system_locale_id")), {})
    return language_of({"language": system.get("locale")})


def html_text(body: object) -> str:
    """The HTML of an export as Markdown; raises ``BadRecord``."""
    try:
        return readable_html(body) if isinstance(body, str) else ""
    except TooDeep as error:
        raise BadRecord(f"The text cannot be read ({error}); it is left out.") from error


def _unsaid(sentence: str) -> None:
    """A vendor's dates need no advice on how to write them."""
