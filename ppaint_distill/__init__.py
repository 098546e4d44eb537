"""Distillation of fused expert scores into a single-pass scorer.

This package imports no PyMC. It meets :mod:`ppaint_stats` at files (``targets.parquet``, ``preferences.parquet``)
and needs the extra ``distill`` (``pip install "ppaint[distill]"``) for the modules that use torch.
"""

__version__ = "0.1.0"
