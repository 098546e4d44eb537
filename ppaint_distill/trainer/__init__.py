"""Training of a scorer on targets."""

from ppaint_distill.trainer.expected import train
from ppaint_distill.trainer.result import TrainResult

__all__ = ["TrainResult", "train"]
