"""How unsure a point is because the pose of the camera that measured it is."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from .pose import Pose
from .types import Array


def pose_spread(a_T_b: Pose, points: npt.ArrayLike, covariance: npt.ArrayLike) -> Array:
    """Covariance that points in frame a have from the error of the pose by which they came there from b.

    The true pose is ``a_T_b @ Pose.exp(xi)``, xi = (v, w) being small with mean 0 and this covariance Sigma. To first
    order a point p of b is then off by R (v + w x p), which makes J Sigma J' with J = R [I, -[p]x]. A rotation shifts
    a point the more, the farther it is from the camera.

    Args:
        a_T_b: The pose that was used.
        points: Shape (N, 3), coordinates in a [m].
        covariance: Shape (6, 6), of xi: linear part [m], then angular part [rad], along the axes of b.

    Returns:
        Shape (N, 3, 3), along the axes of a [m^2]; NaN for NaN points.

    Raises:
        ValueError: If a shape is wrong.

    Example:
        >>> turned = np.diag([0, 0, 0, 0.01**2, 0, 0])  # about the camera's x axis
        >>> spread = pose_spread(Pose.identity(), [[0.0, 0.0, 0.5]], turned)
        >>> np.sqrt(spread[0].diagonal()).round(4).tolist()
        [0.0, 0.005, 0.0]
    """
    sigma = np.asarray(covariance, dtype=np.float64)
    if sigma.shape != (6, 6):
        raise ValueError(f"pose covariance of shape {sigma.shape}: expected (6, 6), linear part first")
    x, y, z = a_T_b.inverse().apply(points).reshape(-1, 3).T
    jacobian = np.zeros((len(x), 3, 6))
    jacobian[:, :, :3] = np.eye(3)
    jacobian[:, 0, 4], jacobian[:, 0, 5] = z, -y
    jacobian[:, 1, 3], jacobian[:, 1, 5] = -z, x
    jacobian[:, 2, 3], jacobian[:, 2, 4] = y, -x
    jacobian = a_T_b.rotation @ jacobian
    spread: Array = jacobian @ sigma @ jacobian.transpose(0, 2, 1)
    return spread
