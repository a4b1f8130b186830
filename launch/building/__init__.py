"""From the artifacts of a detector to TensorRT engines that this machine has built, proved, judged and timed.

Owns: the order of the steps, what is installed and what is not. How to build is in `deploy.tensorrt`, what is good
enough in `deploy.gate`.
"""

from __future__ import annotations

from launch.building.flow import build_detector
from launch.building.order import Order, Outcome

__all__ = ["Order", "Outcome", "build_detector"]
