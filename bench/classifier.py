"""How good is the classifier beside the usual ones?

    python bench/classifier.py --data DIR [--json]

BANKING77: the public split. CLINC150: in-scope accuracy and how well out-of-scope questions are told apart. Real
IT tickets: a quarter held out, near-copies (alike but for their digits) on one side. Beside it in the same run:
TF-IDF (words 1-2, characters 3-5) + LinearSVC, sentence embedding + logistic regression, and their average.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from scipy.special import softmax
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.model_selection import GroupShuffleSplit
from sklearn.pipeline import make_pipeline, make_union
from sklearn.svm import LinearSVC

from kb import Encoder, load_encoder
from triage.learning.evaluation import evaluate


def rows_of(path: Path) -> list[dict[str, str]]:
    """The records of a JSON Lines file."""
    return [json.loads(line) for line in path.open(encoding="utf-8")]


def write(path: Path, rows: list[dict[str, str]]) -> Path:
    """Write records as JSON Lines."""
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def usual(encoder: Encoder, train: list[dict[str, str]], test: list[dict[str, str]]) -> dict[str, dict[str, float]]:
    """Accuracy and macro-F1 of what people build first, on subject and body as they are."""
    texts = [[f"{row['subject'] or ''}\n{row['body'] or ''}" for row in part] for part in (train, test)]
    y, truth = np.array([row["group"] for row in train]), np.array([row["group"] for row in test])
    words = TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    pieces = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True)
    linear = make_pipeline(make_union(words, pieces), LinearSVC()).fit(texts[0], y)
    regression = LogisticRegression(C=10, max_iter=300).fit(encoder.encode(texts[0]), y)
    margins = linear.decision_function(texts[1])
    probability = regression.predict_proba(encoder.encode(texts[1]))
    scores = {
        "TF-IDF + LinearSVC": margins,
        "embedding + LR": probability,
        "their average": softmax(2 * margins, axis=1) + probability,
    }
    guesses = {name: linear.classes_[score.argmax(axis=1)] for name, score in scores.items()}
    return {
        name: {"accuracy": float((guess == truth).mean()), "macro_f1": float(f1_score(truth, guess, average="macro"))}
        for name, guess in guesses.items()
    }


def main() -> None:
    """Run all three and print them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--encoder", type=Path, default=Path(".triage/encoder"))
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    encoder = load_encoder(given.encoder)
    intents = given.data / "intents"
    found: dict[str, dict[str, object]] = {}
    one = {"text": ["text"], "labels": ["label"]}
    for name, outside in (("banking77", None), ("clinc150", intents / "clinc150_oos_test.jsonl")):
        train, test = intents / f"{name}_train.jsonl", intents / f"{name}_test.jsonl"
        measured = evaluate(train, test, encoder, **one, out_of_scope=outside)
        found[name] = {"triage": measured["labels"]["label"], "seconds": measured["seconds"]}
        print(name, found[name], flush=True)
    rows = rows_of(given.data / "tickets" / "assignment_train.jsonl")
    masked = [re.sub(r"\d", "0", " ".join(f"{r['subject']} {r['body']}".lower().split())) for r in rows]
    learn, judge = next(GroupShuffleSplit(1, test_size=0.25, random_state=0).split(rows, groups=masked))
    train, test = [rows[row] for row in learn], [rows[row] for row in judge]
    with TemporaryDirectory() as scratch:
        files = write(Path(scratch, "train.jsonl"), train), write(Path(scratch, "test.jsonl"), test)
        columns = {"text": ["subject", "body"], "labels": ["group"]}
        alone = evaluate(*files, encoder, **columns)
        caller = evaluate(*files, encoder, **columns, features=["caller"])
    found["real tickets"] = {
        **usual(encoder, train, test),
        "triage": alone["labels"]["group"],
        "triage + caller": caller["labels"]["group"],
        "seconds": caller["seconds"],
    }
    print(json.dumps(found, indent=2) if given.json else found["real tickets"])


if __name__ == "__main__":
    main()
