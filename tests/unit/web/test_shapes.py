"""Are the examples of the OpenAPI document true, and does the page about REST know every code?"""

import inspect
import re
from collections.abc import Iterator

import pytest
from pydantic import BaseModel

from tests.conftest import ROOT
from triage.errors import TriageError
from triage.web import context, examples, requests, schemas, tickets
from triage.web.codes import CODES
from triage.web.requests import ArticleIn, CorrectionIn

MODELS = [
    model
    for module in (requests, schemas)
    for _, model in inspect.getmembers(module, inspect.isclass)
    if issubclass(model, BaseModel) and "json_schema_extra" in model.model_config
]


def known_errors(root: type[TriageError] = TriageError) -> Iterator[type[TriageError]]:
    yield root
    for error in root.__subclasses__():
        yield from known_errors(error)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_example_is_one_of_its_model(model: type[BaseModel]) -> None:
    extra = model.model_config["json_schema_extra"]
    assert isinstance(extra, dict) and isinstance(extra["examples"], list)
    for example in extra["examples"]:
        assert isinstance(example, dict)
        assert set(example) <= set(model.model_validate(example).model_dump())


def test_cited_words_of_the_example_stand_where_it_says() -> None:
    cited = schemas.AnswerOut.model_validate(examples.ANSWER).citations
    assert cited
    assert str(examples.ARTICLE["text"])[cited[0].start : cited[0].end] == cited[0].text


@pytest.mark.parametrize("field", ["field", "value", "author", "note"])
def test_nul_in_a_correction_is_refused(field: str) -> None:
    with pytest.raises(ValueError, match="NUL"):
        CorrectionIn.model_validate({**examples.CORRECTION_IN, field: "a\0b"})


@pytest.mark.parametrize("change", [{"title": "\0"}, {"text": "a\0"}, {"audience": "\0"}, {"tags": ["\0"]}])
def test_nul_in_an_article_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="NUL"):
        ArticleIn.model_validate({**examples.ARTICLE_IN, **change})


def test_every_error_has_its_code_in_the_list() -> None:
    assert context.NotAuthenticated in set(known_errors()) and tickets.KeyReused in set(known_errors())
    for error in known_errors():
        assert CODES[error.code][0] == error.status, error


def test_page_about_rest_has_the_list_of_codes() -> None:
    page = (ROOT / "docs/howto/rest.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z-]+)` \| (\d{3}) \| (.*) \|$", page, re.MULTILINE)
    assert {code: (int(status), meaning) for code, status, meaning in rows} == CODES
