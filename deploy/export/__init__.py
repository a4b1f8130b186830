"""Export of a framework's detector to a static ONNX file that says by itself how it wants to be used."""

from deploy.export.bake import bake_preprocessing
from deploy.export.metadata import describe

__all__ = ["bake_preprocessing", "describe"]
