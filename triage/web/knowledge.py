"""``/v1/answers`` and ``/v1/articles``: what does the knowledge base say and hold?"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi.encoders import jsonable_encoder
from fastapi.responses import JSONResponse, Response

from kb import Article
from triage.errors import BadInput, NotAllowed, NotFound
from triage.tickets.keys import Scope
from triage.tickets.views import answer_view
from triage.web.context import Caller, allowed
from triage.web.paging import cursor_after, id_in, next_link
from triage.web.requests import ArticleIn, QuestionIn
from triage.web.schemas import AnswerOut, ArticleOut, ArticlePage

router = APIRouter(tags=["knowledge"])

Asker = Annotated[Caller, Depends(allowed(Scope.ANSWERS))]
Reader = Annotated[Caller, Depends(allowed(Scope.ARTICLES_READ))]
Writer = Annotated[Caller, Depends(allowed(Scope.ARTICLES_WRITE))]

LONGEST_ID = 500


@router.post("/answers", summary="Ask the knowledge base", responses={200: {"model": AnswerOut}})
def post_answer(question: QuestionIn, caller: Asker) -> JSONResponse:
    """Verbatim, cited words, or why there are none."""
    allowed_here = caller.here.settings.audiences
    audiences = tuple(question.audiences or allowed_here)
    if beyond := set(audiences) - set(allowed_here):
        raise NotAllowed(
            f"This server answers from {', '.join(allowed_here)} articles, not {', '.join(sorted(beyond))}."
        )
    caller.here.desk.knowledge.refresh()
    said = caller.here.desk.knowledge.answer(
        question.question,
        audiences=audiences,
        language=question.language,
        only_language=question.only_language,
        product=question.product,
    )
    return JSONResponse(answer_view(said))


@router.get("/articles", summary="List articles", responses={200: {"model": ArticlePage}})
def get_articles(
    caller: Reader,
    cursor: Annotated[str | None, Query(max_length=2_000, description="`next` of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> JSONResponse:
    """Articles of all audiences, by id."""
    caller.here.desk.knowledge.refresh()
    articles = caller.here.desk.knowledge.articles()
    start = bisect_right(articles, id_in(cursor), key=lambda article: article.id) if cursor else 0
    page = articles[start : start + limit]
    following = cursor_after(page[-1].id) if start + limit < len(articles) else None
    content = {"articles": [_view(article) for article in page], "next": following}
    return JSONResponse(jsonable_encoder(content), headers=next_link("/v1/articles", {"limit": limit}, following))


@router.get("/articles/{article_id:path}", summary="Read an article", responses={200: {"model": ArticleOut}})
def get_article(article_id: str, caller: Reader) -> JSONResponse:
    """One article, as it is quoted from."""
    caller.here.desk.knowledge.refresh()
    article = caller.here.desk.knowledge.article(article_id)
    if article is None:
        raise NotFound(f"There is no article {article_id[:200]}.")
    return JSONResponse(jsonable_encoder(_view(article)))


@router.put(
    "/articles/{article_id:path}",
    summary="Publish an article",
    responses={200: {"model": ArticleOut}, 201: {"model": ArticleOut}},
)
def put_article(article_id: str, article: ArticleIn, caller: Writer) -> JSONResponse:
    """Add or replace an article; the next question sees it, in every process."""
    _refuse_odd(article_id)
    given = article.model_dump() | {"tags": tuple(article.tags), "text": article.text.replace("\r\n", "\n")}
    published = Article(id=article_id, **given)
    is_new = caller.here.desk.knowledge.put(published)
    return JSONResponse(jsonable_encoder(_view(published)), 201 if is_new else 200)


@router.delete("/articles/{article_id:path}", summary="Take an article away", status_code=204)
def delete_article(article_id: str, caller: Writer) -> Response:
    """Remove an article; the next question does not see it, in any process."""
    if not caller.here.desk.knowledge.delete(article_id):
        raise NotFound(f"There is no article {article_id[:200]}.")
    return Response(status_code=204)


def _refuse_odd(article_id: str) -> None:
    if not article_id.strip("/ ") or len(article_id) > LONGEST_ID:
        raise BadInput(f"An article's id needs 1 to {LONGEST_ID} characters.")
    # A path that is not UTF-8 arrives with replacement characters: two of them would be one and the same article.
    if not article_id.isprintable() or "\N{REPLACEMENT CHARACTER}" in article_id:
        raise BadInput("An article's id may not hold control characters, and the path must be UTF-8.")


def _view(article: Article) -> dict[str, object]:
    return {**asdict(article), "digest": article.digest}
