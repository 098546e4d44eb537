"""The model card: what a scorer is, what it was trained on, and how well it did, filled in from the run itself."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from ppaint_distill.config import Config, to_plain
from ppaint_stats.fusion_io import write_whole

CARD = "README.md"

TEMPLATE = """\
---
{header}
---

# Scorer of {subject}s

Scores images, each of one {subject}, from {low} to {high} in: {dimensions}. One forward pass gives the expected
value over {n_levels} level tokens as its score, and their standard deviation.

```python
from ppaint_distill.scorer import Scorer

scores = Scorer.from_pretrained("FOLDER").score(["image.png"])  # item, dimension, score, sd
```

## Training

- Base model: {base}; trained: {trained}.
- {n_training} images with targets, and {n_validation} held out to watch training.
- {steps} steps{early}; the parameters are those after step {best_step}.

Targets come from:

```json
{provenance}
```

## Agreement with the targets of held-out images

{agreement}

## Settings

```yaml
{settings}
```
"""


def write_card(
    folder: str | Path,
    config: Config,
    *,
    base: str,
    provenance: Mapping[str, Any],
    outcome: Mapping[str, Any],
    records: Sequence[Mapping[str, Any]],
) -> Path:
    """Write the card of a trained scorer.

    Parameters
    ----------
    folder
        Folder of the model.
    config
        All settings, as they were used.
    base
        Name of the model that was trained.
    provenance
        Where the targets come from.
    outcome
        Steps done, which step's parameters the model has, numbers of rows.
    records
        Lines of the metrics.

    Returns
    -------
    Path
        The file.
    """
    text = describe_scorer(config, base=base, provenance=provenance, outcome=outcome, records=records)
    return write_whole(Path(folder) / CARD, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def describe_scorer(
    config: Config,
    *,
    base: str,
    provenance: Mapping[str, Any],
    outcome: Mapping[str, Any],
    records: Sequence[Mapping[str, Any]],
) -> str:
    """Return the card of a trained scorer as Markdown, with the header that model hubs read.

    Parameters
    ----------
    config, base, provenance, outcome, records
        As in `write_card`.

    Returns
    -------
    str
        The card.
    """
    import yaml

    low, high = config.prompt.scale
    adapters = bool(outcome["adapters"])
    header: dict[str, Any] = {"library_name": "transformers", "pipeline_tag": "image-text-to-text"}
    local = Path(base).exists() or "/" not in base
    if not local:
        header |= {"base_model": base, "base_model_relation": "adapter" if adapters else "finetune"}
    header["tags"] = ["image-aesthetics", "ppaint"]
    settings = {"prompt": to_plain(config.prompt), "train": to_plain(config.train)}
    if config.train.objective == "grpo":
        settings["grpo"] = to_plain(config.grpo)
    return TEMPLATE.format(
        header=yaml.safe_dump(header, sort_keys=False).strip(),
        subject=config.prompt.subject,
        low=f"{low:g}",
        high=f"{high:g}",
        dimensions=", ".join(config.prompt.dimensions),
        n_levels=config.prompt.n_levels,
        base=Path(base).name if local else base,
        trained="low-rank adapters in its language model" if adapters else "all of its parameters",
        n_training=outcome["n_training"],
        n_validation=outcome["n_validation"],
        steps=outcome["steps"],
        early=", ended early for want of improvement" if outcome["stopped_early"] else "",
        best_step=outcome["best_step"],
        provenance=json.dumps(dict(provenance), indent=2, default=str),
        agreement="\n".join(
            _describe_validation([record for record in records if "validation" in record], int(outcome["best_step"]))
        ),
        settings=yaml.safe_dump(settings, sort_keys=False, allow_unicode=True).strip(),
    )


def _describe_validation(held: Sequence[Mapping[str, Any]], best_step: int) -> list[str]:
    """Lines on the evaluation whose parameters were kept."""
    kept = [record for record in held if record["step"] == best_step]
    if not kept:
        return ["No images were held out."]
    lines = [
        "These images chose the step whose parameters were kept, so that the numbers are somewhat too good.",
        "They say how far the scorer follows its targets, not how good the targets are.",
        "",
    ]
    names = {"n_items": "items", "srcc": "SRCC", "plcc": "PLCC", "mae": "MAE"}
    cells = pd.DataFrame(kept[-1]["cells"])
    if cells.empty:
        return ["No images were held out."]
    titles = [names.get(str(name), str(name)) for name in cells.columns]
    lines += ["| " + " | ".join(titles) + " |", "|" + " --- |" * len(titles)]
    for row in cells.itertuples(index=False, name=None):
        lines.append("| " + " | ".join(_show(value) for value in row) + " |")
    before = next((record["validation"]["srcc"] for record in held if record["step"] == 0), None)
    if before is not None and best_step > 0:
        lines += ["", f"Mean SRCC before training: {before:.3f}."]
    return lines


def _show(value: object) -> str:
    """Write a cell of a table; what is not a number is a dash."""
    if isinstance(value, float):
        return "–" if math.isnan(value) else f"{value:.3f}"
    return "–" if value is None else str(value)
