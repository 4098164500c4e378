"""Shows that conversion and export changed nothing: both models side by side on texts."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from transformers import AutoModel, DistilBertConfig, DistilBertModel
from transformers.utils import logging

from classifiers.build.convert import Checkpoint

LARGEST_DIFFERENCE = 1e-5
"""Of any number of the last layer; what is left is the order in which floats are added up."""


def distilbert(checkpoint: Checkpoint) -> DistilBertModel:
    """Give the checkpoint as transformers' own DistilBERT; every weight has to find its place."""
    model = DistilBertModel(DistilBertConfig(**checkpoint.config))
    tensors = {name: torch.from_numpy(value.copy()) for name, value in checkpoint.weights.items()}
    model.load_state_dict(tensors, strict=True)
    model.train(mode=False)
    return model


def difference(folder: Path, checkpoint: Checkpoint, tokens: Sequence[Sequence[int]]) -> float:
    """Give the largest absolute difference between a folder's model and its conversion."""
    quiet: Callable[[], None] = logging.disable_progress_bar
    quiet()  # our own progress is shown already
    original = AutoModel.from_pretrained(folder).eval()
    converted = distilbert(checkpoint)
    largest = 0.0
    with torch.inference_mode():
        for ids in tokens:
            fed = torch.tensor(np.array([ids]))
            one = original(input_ids=fed).last_hidden_state
            other = converted(input_ids=fed).last_hidden_state
            largest = max(largest, float((one - other).abs().max()))
    return largest
