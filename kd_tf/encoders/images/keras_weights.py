"""Reads the weights of a Keras model from a file that may be anybody's: numbers, and no code."""

from __future__ import annotations

import contextlib
import re
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from kd_tf.errors import UserError
from kd_tf.extras import require_modules

WEIGHTS_MEMBER = "model.weights.h5"
"""The weights in a .keras file, which is a zip."""


class WeightsMismatchError(Exception):
    """The weights are those of another model."""


def load_weights(model: Any, path: Path) -> None:
    """Sets the weights of a model to those of a file; the file may have more layers at its end.

    Three layouts are read: the .h5 files of Keras 2, also of whole models, whose layers are in
    order; and the .weights.h5 and .keras files of Keras 2.12 and later and of Keras 3, whose layers
    are numbered by class. A shape that the model does not have is an error before its numbers are
    read. Links to other files, which HDF5 has, are refused.

    Args:
        model: A functional model of Keras.
        path: The file.

    Raises:
        UserError: The file cannot be read, or is none with weights.
        WeightsMismatchError: A layer has other weights than the file.
    """
    with _open_file(path) as file:
        try:
            pairs = list(_match_layers(model, file))
            for layer, datasets in pairs:
                _check_shapes(layer, datasets)
            for layer, datasets in pairs:
                layer.set_weights([np.asarray(dataset[()], np.float32) for dataset in datasets])
        # h5py raises these, and RuntimeError, for files that are damaged further in.
        except (OSError, KeyError, RuntimeError, ValueError, TypeError, MemoryError) as error:
            raise _make_file_error(path, str(error)) from error


def _make_file_error(path: Path, reason: str) -> UserError:
    return UserError(
        f"no readable file with weights of Keras: {reason}",
        where=str(path),
        hint="Give an .h5 or .keras file, as model.save_weights or model.save of Keras write it.",
    )


@contextlib.contextmanager
def _open_file(path: Path) -> Iterator[Any]:
    """Opens the HDF5 file, or the one in a .keras file.

    Raises:
        UserError: It is neither.
    """
    require_modules("h5py")
    import h5py

    with contextlib.ExitStack() as stack:
        try:
            if zipfile.is_zipfile(path):
                archive = stack.enter_context(zipfile.ZipFile(path))
                source: Any = stack.enter_context(archive.open(WEIGHTS_MEMBER))
            else:
                source = path
            file = stack.enter_context(h5py.File(source, "r"))
        except (OSError, KeyError, RuntimeError, ValueError, zipfile.BadZipFile) as error:
            raise _make_file_error(path, str(error)) from error
        yield file


def _match_layers(model: Any, file: Any) -> Iterator[tuple[Any, list[Any]]]:
    """Yields every layer that has weights, with its data sets in the file.

    Raises:
        WeightsMismatchError: A layer is missing.
    """
    if "layers" in file:
        yield from _match_by_class(model, file)
        return
    root = _find(file, "model_weights") if "model_weights" in file else file
    groups = []
    for name in _read_names(root, "layer_names"):
        group = _find(root, name)
        datasets = [_find(group, weight) for weight in _read_names(group, "weight_names")]
        if datasets:
            groups.append(datasets)
    layers = [layer for layer in model.layers if layer.weights]
    if len(groups) < len(layers):
        raise WeightsMismatchError(
            f"the file has {len(groups)} layers with weights, the network {len(layers)}"
        )
    yield from zip(layers, groups, strict=False)


def _match_by_class(model: Any, group: Any) -> Iterator[tuple[Any, list[Any]]]:
    """Yields layers and data sets where layers are named by class and number."""
    layers = _find(group, "layers")
    counts: Counter[str] = Counter()
    for layer in model.layers:
        name = _to_snake_case(type(layer).__name__)
        number = counts[name]
        counts[name] += 1
        if not layer.weights:
            continue
        name = f"{name}_{number}" if number else name
        if name not in layers:
            raise WeightsMismatchError(f"the file has no layer {name}")
        if hasattr(layer, "layers"):
            yield from _match_by_class(layer, _find(layers, name))
        else:
            values = _find(layers, f"{name}/vars")
            yield layer, [_find(values, str(index)) for index in range(len(values))]


def _to_snake_case(name: str) -> str:
    """Writes a class's name as Keras does in files.

    Example:
        >>> _to_snake_case("DepthwiseConv2D")
        'depthwise_conv2d'
    """
    name = re.sub(r"(.)([A-Z][a-z0-9]+)", r"\1_\2", re.sub(r"\W+", "", name))
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def _read_names(group: Any, attribute: str) -> list[str]:
    """Reads a list of names; Keras splits long ones into attributes with numbers.

    Raises:
        KeyError: There is none.
    """
    if attribute in group.attrs:
        parts = [group.attrs[attribute]]
    else:
        keys = [key for key in group.attrs if re.fullmatch(rf"{attribute}\d+", key)]
        if not keys:
            raise KeyError(f"{group.name} has no {attribute}")
        parts = [group.attrs[f"{attribute}{index}"] for index in range(len(keys))]
    names = [name for part in parts for name in part]
    return [name.decode("utf-8") if isinstance(name, bytes) else str(name) for name in names]


def _find(group: Any, name: str) -> Any:
    """Returns a group or data set of the file itself.

    Raises:
        KeyError: There is none, or it is a link.
    """
    import h5py

    for part in name.strip("/").split("/"):
        if not isinstance(group, h5py.Group) or not isinstance(
            group.get(part, getlink=True), h5py.HardLink
        ):
            raise KeyError(f"the file itself has no {name}")
        group = group[part]
    if isinstance(group, h5py.Dataset) and (group.external or group.is_virtual):
        raise KeyError(f"{name} lies in another file")
    return group


def _check_shapes(layer: Any, datasets: list[Any]) -> None:
    """Compares the shapes of a layer's weights with those of the file.

    Raises:
        WeightsMismatchError: They differ, or are no numbers.
    """
    layer_shapes = [tuple(weight.shape) for weight in layer.weights]
    shapes = [getattr(dataset, "shape", None) for dataset in datasets]
    if shapes != layer_shapes:
        raise WeightsMismatchError(
            f"{layer.name} has weights of shapes {layer_shapes}, in the file {shapes}"
        )
    if any(dataset.dtype.kind not in "fiu" for dataset in datasets):
        raise WeightsMismatchError(f"the weights of {layer.name} are no numbers")
