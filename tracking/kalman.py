"""Constant-velocity Kalman filter for many objects at once.

The motion is the same on each axis and does not couple them, so the prediction is a handful of scalars per object
applied to 3x3 blocks. The measurement is not: a depth camera is several times less sure along its ray than across it,
and a ray is seldom along an axis of `base`. So the covariance of a point enters as the full 3x3 matrix. Reducing it to
its diagonal would lose what a second view from the side adds, and would make the gate a ball around what is a needle.

State: position [m], velocity [m/s]. Means have shape (N, 6), covariances (N, 6, 6).
"""

from __future__ import annotations

import numpy as np

from geometry.types import Array, BoolArray, IntArray

from .parameters import TrackerParameters
from .symmetric import invert

# Memory of the running innovation: with one half, two measurements in the same direction count one and a half times a
# single one of their size, an outlier that comes back to the place is cancelled, and a bias between two cameras that
# take turns stays within two thirds of itself.
TREND_MEMORY = 0.5
_TREND_VARIANCE = 1.0 / (1.0 - TREND_MEMORY**2)
_EYE3 = np.eye(3)


def predict(means: Array, covariances: Array, dt_s: float, unmeasured_s: Array, parameters: TrackerParameters) -> None:
    """Move states forward in time, in place.

    Up to `coast_s` after the latest measurement the velocity is constant and disturbed by white acceleration. Beyond it
    the velocity turns to and fro (Ornstein-Uhlenbeck process): a residual 3 mm/s of an object that lies still must not
    carry it away while the camera looks elsewhere, and its covariance must not grow with the cube of time. Its mean
    decays to rest, its mean square stays: what moved goes on moving, nobody knows where to, so that the place of
    something that moved is soon as good as forgotten, and that of something that lay still is kept for long.

    Args:
        means: Shape (N, 6).
        covariances: Shape (N, 6, 6).
        dt_s: Time to move forward, >= 0 [s].
        unmeasured_s: Shape (N,), time from the latest measurement to the start of the step, >= 0 [s].
        parameters: `velocity_walk`, `coast_s`, `settle_s`, `rest_speed_m_s`.
    """
    coasting = np.clip(parameters.coast_s - unmeasured_s, 0.0, dt_s)[:, None, None]
    settling = dt_s - coasting
    q = parameters.velocity_walk**2
    _propagate(means, covariances, coasting, None, (q / 3.0 * coasting**3, q / 2.0 * coasting**2, q * coasting))
    if not settling.any():
        return
    tau = parameters.settle_s
    square = np.einsum("ni,ni->n", means[:, 3:], means[:, 3:]) + np.einsum("nii->n", covariances[:, 3:, 3:])
    variance = np.maximum(square / 3.0, parameters.rest_speed_m_s**2)[:, None, None]
    u = settling / tau
    keep, gone = np.exp(-u), -np.expm1(-u)
    noise_pp = variance * tau**2 * np.maximum(2.0 * (u - gone) - gone**2, 0.0)
    noise = (noise_pp, variance * tau * gone**2, variance * (1.0 - keep**2))
    _propagate(means, covariances, tau * gone, keep, noise)


def move(
    means: Array, covariances: Array, measured_ns: IntArray, from_ns: int, to_ns: int, parameters: TrackerParameters
) -> None:
    """`predict` between two stamps, of things that were last measured at `measured_ns` (N,)."""
    if len(means):
        unmeasured_s = np.maximum((from_ns - measured_ns) * 1e-9, 0.0)
        predict(means, covariances, (to_ns - from_ns) * 1e-9, unmeasured_s, parameters)


def _propagate(
    means: Array, covariances: Array, reach_s: Array, keep: Array | None, noise: tuple[Array, Array, Array]
) -> None:
    """Apply p += reach v, v *= keep, with process noise (position, cross, velocity) equal on the three axes.

    The factors have shape (N, 1, 1).
    """
    means[:, :3] += reach_s[:, :, 0] * means[:, 3:]
    pp, pv = covariances[:, :3, :3], covariances[:, :3, 3:]
    vp, vv = covariances[:, 3:, :3], covariances[:, 3:, 3:]
    moved = reach_s * vv
    pp += reach_s * (pv + vp + moved)
    pv += moved
    if keep is not None:
        means[:, 3:] *= keep[:, :, 0]
        pv *= keep
        vv *= keep**2
    pp += noise[0] * _EYE3
    pv += noise[1] * _EYE3
    vv += noise[2] * _EYE3
    vp[...] = pv.transpose(0, 2, 1)


def correct(
    means: Array,
    covariances: Array,
    trends: Array,
    points_m: Array,
    noise_m2: Array,
    elapsed_s: Array,
    parameters: TrackerParameters,
) -> tuple[Array, Array, Array]:
    """Weigh predictions against measured points; notice when an object has begun or ceased to move.

    The process noise is that of a thing that lies still, which is what makes a still thing's position good. A change of
    motion shows as innovations that keep their sign. When their fading sum leaves `manoeuvre_sigma` on an axis, the
    velocity since the last measurement is declared unknown by `manoeuvre_m_s` before the measurement is weighed.

    The update is Joseph's, which keeps the covariance positive definite under rounding.

    Args:
        means: Shape (N, 6), predicted.
        covariances: Shape (N, 6, 6), predicted.
        trends: Shape (N, 3), fading sum of the normalised innovations.
        points_m: Shape (N, 3) [m].
        noise_m2: Shape (N, 3, 3), positive definite [m^2].
        elapsed_s: Shape (N,), time since each object's last measurement [s].
        parameters: `manoeuvre_sigma`, `manoeuvre_m_s`, `coast_s`.

    Returns:
        Means, covariances and trends after the measurement.
    """
    innovation = points_m - means[:, :3]
    spread = covariances[:, :3, :3] + noise_m2
    trends = TREND_MEMORY * trends + innovation / np.sqrt(spread.reshape(-1, 9)[:, ::4])
    changed: BoolArray = (trends**2).max(axis=1, initial=0.0) > parameters.manoeuvre_sigma**2 * _TREND_VARIANCE
    if changed.any():
        trends[changed] = 0.0
        covariances = covariances.copy()
        t = np.minimum(elapsed_s[changed], parameters.coast_s)
        unknown = np.stack((np.stack((t * t, t), axis=-1), np.stack((t, np.ones_like(t)), axis=-1)), axis=-2)
        unknown *= parameters.manoeuvre_m_s**2
        # Kronecker product with the 3x3 identity: the same doubt on each axis.
        covariances[changed] += np.einsum("nij,kl->nikjl", unknown, _EYE3).reshape(-1, 6, 6)
        spread = covariances[:, :3, :3] + noise_m2
    gain = covariances[:, :, :3] @ invert(spread)[0]
    means = means + np.matmul(gain, innovation[:, :, None])[:, :, 0]
    # (I - KH) P (I - KH)' + K R K', H being the first three rows of I
    left = covariances - gain @ covariances[:, :3, :]
    after = left + (gain @ noise_m2 - left[:, :, :3]) @ gain.transpose(0, 2, 1)
    return means, 0.5 * (after + after.transpose(0, 2, 1)), trends


class SpaceMotion:
    """`Motion` of means (N, 6) and covariances (N, 6, 6); they are not changed any more.

    Args:
        means: Shape (N, 6).
        covariances: Shape (N, 6, 6).
        measured_ns: Shape (N,): latest measurement [ns].
        parameters: Of `predict`.
    """

    __slots__ = ("_covariances", "_means", "_measured_ns", "_parameters")

    def __init__(self, means: Array, covariances: Array, measured_ns: IntArray, parameters: TrackerParameters) -> None:
        self._means = means
        self._covariances = covariances
        self._measured_ns = measured_ns
        self._parameters = parameters

    def later(self, from_ns: int, to_ns: int) -> SpaceMotion:
        """The same things at a later instant."""
        means, covariances = self._means.copy(), self._covariances.copy()
        move(means, covariances, self._measured_ns, from_ns, to_ns, self._parameters)
        return SpaceMotion(means, covariances, self._measured_ns, self._parameters)

    def position(self) -> Array:
        """Shape (N, 3) [m]."""
        return np.array(self._means[:, :3])

    def velocity(self) -> Array:
        """Shape (N, 3) [m/s]."""
        return np.array(self._means[:, 3:])

    def covariance(self) -> Array:
        """Shape (N, 6, 6) [m^2, m^2/s, m^2/s^2]."""
        return self._covariances
