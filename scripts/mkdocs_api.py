"""MkDocs hook: an API page for every public module, made while the site is built."""

from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
PACKAGES = ("ppaint_stats", "ppaint_distill")


def public_modules() -> list[str]:
    """Dotted names of all modules without a leading underscore, packages before what they hold."""
    names = []
    for package in PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            if parts[-1] == "__init__":
                parts = parts[:-1]
            if not any(part.startswith("_") for part in parts):
                names.append(".".join(parts))
    return sorted(names)


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put the generated pages into the navigation, under the entry `API`."""
    for entry in config.nav or []:
        if isinstance(entry, dict) and "API" in entry:
            for package in PACKAGES:
                pages = [{name: f"api/{name}.md"} for name in public_modules() if name.split(".")[0] == package]
                entry["API"].append({package: pages})
    return config


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Generate the pages."""
    for name in public_modules():
        content = f"# `{name}`\n\n::: {name}\n"
        files.append(File.generated(config, f"api/{name}.md", content=content))
    return files
