"""Models with their processors: loading, saving, and what tells one from another."""

import copy
import hashlib
import json
import os
import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from ppaint_distill.adapters import add_adapters
from ppaint_distill.answering import begin_turn, encode, generate
from ppaint_distill.config import ModelConfig
from ppaint_distill.errors import ModelError
from ppaint_distill.processor import ImageTextProcessor, load_processor, quiet_transformers, set_pixels

__all__ = [
    "LoadedModel",
    "add_adapters",
    "begin_turn",
    "compute_fingerprint",
    "encode",
    "generate",
    "load_model",
    "refresh_fingerprint",
    "save_model",
]

TINY = "tiny"
ADAPTERS, BASE = "adapter_config.json", "base"  # in a folder with adapters
LARGEST_HASHED = 100_000_000  # parameters; larger models are known by their files
DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


@dataclass(frozen=True)
class LoadedModel:
    """A model that is ready to answer.

    Parameters
    ----------
    model
        A module of transformers of the Qwen-VL family, or of peft with one in it.
    processor
        Its image processor and tokenizer.
    name
        What it was loaded from.
    fingerprint
        SHA-256 of what decides its answers, 16 hexadecimal digits.
    device
        Where it is.
    dtype
        Of its parameters.
    """

    model: Any
    processor: ImageTextProcessor
    name: str
    fingerprint: str
    device: torch.device
    dtype: torch.dtype


def load_model(config: ModelConfig, *, random_seed: int = 0) -> LoadedModel:
    """Load a model for evaluation.

    Parameters
    ----------
    config
        Name, device, number format and image size.
    random_seed
        Initialisation of ``tiny``; of no effect otherwise.

    Returns
    -------
    LoadedModel
        Model and processor. A folder with adapters gives the base model with the adapters in it.

    Raises
    ------
    ModelError
        If the model cannot be had or is of another kind; the message says what to do.
    """
    device = _pick_device(config.device)
    dtype = _pick_dtype(config.dtype, device)
    if config.name == TINY and not Path(TINY).is_dir():
        from ppaint_distill.tiny import make_tiny

        fresh = make_tiny(random_seed=random_seed)
        model, processor = fresh.model, fresh.processor
        model.set_attn_implementation(config.attention)
    else:
        model, processor = _read(config, dtype, device)
    set_pixels(processor, min_pixels=config.min_pixels, max_pixels=config.max_pixels)
    model = model.to(device=device, dtype=dtype).eval()
    fingerprint = compute_fingerprint(model, processor, files=config.name)
    return LoadedModel(model, processor, config.name, fingerprint, device, dtype)


def _read(config: ModelConfig, dtype: torch.dtype, device: torch.device) -> tuple[Any, ImageTextProcessor]:
    """Read a model, or adapters and the base model that they name."""
    from transformers import AutoConfig, AutoModelForImageTextToText

    folder = Path(config.name)
    if (folder / ADAPTERS).is_file():
        return _read_adapters(folder, config, dtype, device)
    try:
        with quiet_transformers():
            settings = AutoConfig.from_pretrained(config.name, revision=config.revision)
            if "vl" not in settings.model_type.split("_") or not settings.model_type.startswith("qwen"):
                raise ModelError(
                    f"{config.name} is a model of type {settings.model_type}; the Qwen-VL family is needed"
                )
            processor = load_processor(config.name, revision=config.revision)
            model = AutoModelForImageTextToText.from_pretrained(
                config.name,
                revision=config.revision,
                dtype=dtype,
                attn_implementation=config.attention,
                device_map=None if device.type == "cpu" else str(device),  # read straight onto the device
            )
    except (OSError, ValueError, ImportError) as error:
        if isinstance(error, ModelError):
            raise
        reason = " ".join(str(error).split())[:300]
        where = "the folder must hold config.json, *.safetensors, a tokenizer and preprocessor_config.json"
        if not folder.is_dir():
            where = (
                f"there is no folder of that name, so that it was looked for on the hub; download it where there is a "
                f"network (hf download {config.name}) or give a folder; 'tiny' needs no files"
            )
        raise ModelError(f"model {config.name!r} cannot be loaded: {where} ({reason})") from error
    return model, processor


def _read_adapters(
    folder: Path, config: ModelConfig, dtype: torch.dtype, device: torch.device
) -> tuple[Any, ImageTextProcessor]:
    """Read adapters onto their base model."""
    from peft import PeftModel

    named = json.loads((folder / ADAPTERS).read_text(encoding="utf-8"))
    base = str(folder / BASE) if (folder / BASE).is_dir() else named.get("base_model_name_or_path")
    if not base:
        raise ModelError(f"{folder / 'adapter_config.json'} does not say which model the adapters belong to")
    model, processor = _read(replace(config, name=base, revision=named.get("revision")), dtype, device)
    if (folder / "tokenizer_config.json").is_file():
        processor = load_processor(folder)
    with quiet_transformers():
        return PeftModel.from_pretrained(model, folder), processor


def compute_fingerprint(model: Any, processor: ImageTextProcessor, *, files: str | Path | None = None) -> str:
    """Return a short hash of what decides a model's answers.

    Parameters
    ----------
    model
        The model. Up to 100 million parameters it is known by their bytes, beyond by its files.
    processor
        Its processor: image size, template and vocabulary are part of it.
    files
        Folder of a large model.

    Returns
    -------
    str
        16 hexadecimal digits of SHA-256.
    """
    digest = hashlib.sha256()
    images = {name: processor.image_processor.to_dict().get(name) for name in ("size", "patch_size", "merge_size")}
    images |= {name: processor.image_processor.to_dict().get(name) for name in ("image_mean", "image_std", "resample")}
    dtype = str(next(model.parameters()).dtype)
    vocabulary = sorted(processor.tokenizer.get_vocab().items())
    text = [model.config.model_type, images, processor.chat_template, vocabulary, dtype]
    digest.update(json.dumps(text, default=dict).encode())
    commit = getattr(model.config, "_commit_hash", None)
    if sum(parameter.numel() for parameter in model.parameters()) <= LARGEST_HASHED:
        for name, tensor in sorted(model.state_dict().items()):
            digest.update(name.encode())
            digest.update(tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
    elif files is not None and Path(files).is_dir():
        _hash_files(digest, Path(files))
    else:
        digest.update(f"{getattr(model.config, '_name_or_path', files)} {commit}".encode())
    return digest.hexdigest()[:16]


def refresh_fingerprint(loaded: LoadedModel) -> LoadedModel:
    """Return a model whose parameters have changed with a new fingerprint.

    Parameters
    ----------
    loaded
        The model.

    Returns
    -------
    LoadedModel
        The same model and processor.
    """
    return replace(loaded, fingerprint=compute_fingerprint(loaded.model, loaded.processor))


def _hash_files(digest: Any, folder: Path) -> None:
    """Add the contents of a folder's weights to a hash, those of adapters and their base model too."""
    for path in sorted(folder.rglob("*.safetensors")):
        digest.update(str(path.relative_to(folder)).encode())
        with path.open("rb") as file:
            while block := file.read(1 << 24):
                digest.update(block)
    adapters = folder / ADAPTERS
    if adapters.is_file() and not (folder / BASE).is_dir():
        named = json.loads(adapters.read_text(encoding="utf-8"))
        base = str(named.get("base_model_name_or_path"))
        digest.update(f"{base} {named.get('revision')}".encode())
        if Path(base).is_dir():
            _hash_files(digest, Path(base))


def _pick_device(name: str) -> torch.device:
    """Return the device of that name."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ModelError(f"model.device={name!r} is not allowed: auto, cpu, cuda or cuda:1 is") from error
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ModelError(f"model.device={name!r}: no such device is available here; auto takes what there is")
    return device


def _pick_dtype(name: str, device: torch.device) -> torch.dtype:
    """Return the number format of that name."""
    if name == "auto":
        return torch.bfloat16 if device.type == "cuda" else torch.float32
    return DTYPES[name]


def save_model(loaded: LoadedModel, folder: str | Path) -> Path:
    """Write a model and its processor, whole or not at all; of a model with adapters the adapters alone.

    Parameters
    ----------
    loaded
        The model. If its base was built in process, the base is written beside the adapters, under ``base``.
    folder
        Folder to write. One that holds a model is replaced in the end, in one step.

    Returns
    -------
    Path
        The folder, readable by `load_model`.

    Raises
    ------
    ModelError
        If the folder holds something else.
    """
    from peft import PeftModel

    folder = Path(folder)
    if folder.exists() and not (folder.is_dir() and _is_model(folder)):
        raise ModelError(f"{folder} exists and is no saved model: it is not replaced")
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        with quiet_transformers():
            if isinstance(loaded.model, PeftModel):
                _save_adapters(loaded, temporary)
            else:
                loaded.model.save_pretrained(temporary)
            loaded.processor.save_pretrained(temporary)
        temporary.chmod(0o755)
        if folder.exists():
            old = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
            os.replace(folder, old / "old")  # noqa: PTH105 (it says that both are on one file system)
            os.replace(temporary, folder)  # noqa: PTH105
            shutil.rmtree(old)
        else:
            os.replace(temporary, folder)  # noqa: PTH105
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder


def _save_adapters(loaded: LoadedModel, folder: Path) -> None:
    """Write adapters, and where their base is found."""
    model: Any = loaded.model
    settings, name = model.peft_config[model.active_adapter], Path(loaded.name)
    if loaded.name == TINY:
        copy.deepcopy(model).unload().save_pretrained(folder / BASE)
        loaded.processor.save_pretrained(folder / BASE)
        settings.base_model_name_or_path = BASE
    elif (name / BASE).is_dir():
        shutil.copytree(name / BASE, folder / BASE)
    elif not (name / ADAPTERS).is_file():  # else they are adapters that were loaded with the name of their base
        settings.base_model_name_or_path = str(name.resolve()) if name.is_dir() else loaded.name
        settings.revision = None if name.is_dir() else getattr(model.config, "_commit_hash", None)
    # The size of the vocabulary never changes here; to look that up would ask the hub.
    model.save_pretrained(folder, save_embedding_layers=False)


def _is_model(folder: Path) -> bool:
    """Whether a folder holds a saved model, or nothing."""
    names = {path.name for path in folder.iterdir()}
    return not names or "config.json" in names or ADAPTERS in names
