"""Training of a scorer on targets."""

from ppaint_distill.trainer.entry import train
from ppaint_distill.trainer.expected import train_expected
from ppaint_distill.trainer.grpo import train_grpo
from ppaint_distill.trainer.result import TrainResult

__all__ = ["TrainResult", "train", "train_expected", "train_grpo"]
