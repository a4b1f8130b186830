"""From a float detector and recordings to INT8 and FP16 artifacts that have passed the gate.

Owns: the order of the steps, what is installed and what is not. How to quantize is in `deploy.quantize`, which frames
to take in `perception.calibration`, how good a detector is in `perception.evaluation`, what is good enough in
`deploy.gate`.
"""

from __future__ import annotations

from launch.quantizing.flow import Order, Outcome, quantize_detector

__all__ = ["Order", "Outcome", "quantize_detector"]
