"""A wrist camera over a table with things on it, by geometry alone: what is in view, and what a detector says of it.

Ten cubes stand and four move on a table of 0.9 x 0.6 m, all of 40 mm and of two classes, so that looks alone tell
nobody apart. The camera flies over them at constant speed along a smooth random curve, looks down, tilts and turns.

The truth of a frame is what is in view: at least half of a cube is within the image and not behind another. Each has
one identity for ever, also when it leaves the view and comes back. The detector misses some, is blind for bursts of
frames, sees things that are not there (each stays for some frames), and its scores flicker. A point comes with the
error of depth along its ray, and goes to the base by a pose that has an error of its own in each frame.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from geometry import Camera, Pose, deproject, project
from geometry.types import Array, BoolArray, IntArray

RATE_HZ = 30.0
PERIOD_NS = round(1e9 / RATE_HZ)
CAMERA = Camera(640, 480, 600.0, 600.0, 319.5, 239.5)
CLASS_NAMES = ("cube", "box")

STANDING, MOVING = 10, 4
HALF_M = 0.02
TABLE_M = np.array([0.9, 0.6])
SPACING_M = 0.06
SPEED_M_S = (0.05, 0.15)
STOPS_PER_S, STOP_S = 0.2, (0.5, 2.0)

# Where the camera flies, the radius of its narrowest turn, and how far it is tilted from looking straight down.
PATH_M, HEIGHT_M, TURNING_M, STEP_M = np.array([0.6, 0.3]), (0.4, 0.55), 0.12, 0.002
TILT_RAD = 0.25

POSE_SIGMA_M, POSE_SIGMA_RAD = 0.001, np.radians(0.2)
DEPTH_SIGMA_M, ACROSS_SIGMA_M, PARTLY_SIGMA_M = 0.003, 0.001, 0.005
BOX_SIGMA_PX, BOX_SIZE_SIGMA = 1.5, 0.03
MISSED, SEEN_SHARE = 0.08, 0.5
BURSTS_PER_S, BURST_FRAMES = 0.15, (10, 20)
GHOSTS_PER_FRAME, GHOST_STAYS = 0.08, 0.6
DIP_SHARE, DIP, SCORE, GHOST_SCORE = 0.1, (0.15, 0.5), (0.55, 0.95), (0.15, 0.7)


@dataclass(frozen=True, slots=True, eq=False)
class Cubes:
    """All cubes at one instant: rows are identities, from 1.

    Attributes:
        centres_m: Shape (K, 3), base.
        yaws: Shape (K,) [rad].
        class_ids: Shape (K,), int32.
    """

    centres_m: Array
    yaws: Array
    class_ids: npt.NDArray[np.int32]

    def distances(self, origin_m: Array, rays: Array) -> Array:
        """How far along rays each cube is met, shape (R, K + 1) in lengths of the ray; the last column is the table."""
        cos, sin = np.cos(self.yaws), np.sin(self.yaws)
        start, along = origin_m - self.centres_m, rays[:, None, :]
        turned = [
            np.stack((cos * v[..., 0] + sin * v[..., 1], cos * v[..., 1] - sin * v[..., 0], v[..., 2] + 0.0 * cos), -1)
            for v in (start, along)
        ]
        with np.errstate(divide="ignore", invalid="ignore"):
            first, second = (-HALF_M - turned[0]) / turned[1], (HALF_M - turned[0]) / turned[1]
            near, far = np.minimum(first, second).max(axis=-1), np.maximum(first, second).min(axis=-1)
            met = np.where((near < far) & (near > 0.0), near, np.inf)
            table = np.where(rays[:, 2] < 0.0, -origin_m[2] / rays[:, 2], np.inf)
        return np.column_stack((met, table))

    def corners_m(self) -> Array:
        """Shape (K, 8, 3), base."""
        signs = np.array(np.meshgrid([-1, 1], [-1, 1], [-1, 1])).reshape(3, 8).T * HALF_M
        cos, sin = np.cos(self.yaws)[:, None], np.sin(self.yaws)[:, None]
        x, y = cos * signs[:, 0] - sin * signs[:, 1], sin * signs[:, 0] + cos * signs[:, 1]
        return self.centres_m[:, None] + np.stack((x, y, np.broadcast_to(signs[:, 2], x.shape)), axis=-1)


class DepthImage:
    """The depth image of an instant, of which only the pixels that are asked for are made.

    Indexing is that of the array in a `Frame`, which is what `Visibility` reads of it.
    """

    def __init__(self, cubes: Cubes, base_T_camera: Pose, seed: list[int]) -> None:
        self._cubes, self._pose, self._seed = cubes, base_T_camera, seed

    def __getitem__(self, pixels: tuple[IntArray, IntArray]) -> Array:
        lines, columns = pixels
        uv = np.stack((columns.ravel(), lines.ravel()), axis=1).astype(np.float64)
        rays = deproject(uv, np.ones(len(uv)), CAMERA) @ self._pose.rotation.T
        depth_m = self._cubes.distances(self._pose.translation, rays).min(axis=1)
        noise = np.random.default_rng(self._seed).normal(0.0, DEPTH_SIGMA_M, len(uv))
        return np.where(np.isfinite(depth_m), depth_m + noise, 0.0).reshape(lines.shape)


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """What one frame shows: the truth, and the detections in no order.

    Attributes:
        stamp_ns: Time [ns].
        pose: base_T_camera as the robot reports it.
        depth: The depth image.
        truth_ids: Shape (N,), int64, from 1: what is in view.
        truth_boxes: Shape (N, 4): x1, y1, x2, y2 [px].
        truth_points_m: Shape (N, 3), centres, base.
        boxes: Shape (M, 4), detected [px].
        scores: Shape (M,), 0..1.
        class_ids: Shape (M,), int32.
        points_m: Shape (M, 3), in the camera.
        covariances_m2: Shape (M, 3, 3), in the camera.
        sources: Shape (M,), int64: whose detection it is, 0 for nobody's; for an oracle alone.
    """

    stamp_ns: int
    pose: Pose
    depth: DepthImage
    truth_ids: IntArray
    truth_boxes: Array
    truth_points_m: Array
    boxes: Array
    scores: Array
    class_ids: npt.NDArray[np.int32]
    points_m: Array
    covariances_m2: Array
    sources: IntArray


def make_scene(speed_m_s: float, duration_s: float, seed: int) -> list[Look]:
    """Draw a scene; equal arguments give equal bytes, and equal seeds the same table for every speed."""
    count = round(duration_s * RATE_HZ)
    world = World(np.random.default_rng([seed, 1]))
    poses = camera_path(speed_m_s, count, np.random.default_rng([seed, 2]))
    rng = np.random.default_rng([seed, 3])
    blind = _bursts(count, rng)
    ghosts = Ghosts()
    looks = []
    for number, true_pose in enumerate(poses):
        cubes = world.cubes()
        in_view, boxes, shares = visible(cubes, true_pose)
        pose = true_pose @ Pose.from_rotvec(rng.normal(0.0, POSE_SIGMA_RAD, 3), rng.normal(0.0, POSE_SIGMA_M, 3))
        depth = DepthImage(cubes, true_pose, [seed, 4, number])
        ghosts.step(true_pose, rng)
        found = in_view[rng.random(in_view.size) >= MISSED]
        detected = _detect(cubes, found, boxes[found], shares[found], true_pose, ghosts, rng)
        if blind[number]:
            detected = tuple(array[:0] for array in detected)
        looks.append(
            Look(
                number * PERIOD_NS, pose, depth, in_view + 1, boxes[in_view], cubes.centres_m[in_view].copy(), *detected
            )
        )
        world.step()
    return looks


def _bursts(count: int, rng: np.random.Generator) -> BoolArray:
    blind = np.zeros(count, dtype=np.bool_)
    for start in rng.integers(0, count, round(BURSTS_PER_S * count / RATE_HZ)):
        blind[start : start + rng.integers(BURST_FRAMES[0], BURST_FRAMES[1] + 1)] = True
    return blind


class World:
    """The table: cubes that stand, and cubes that move, stop, and turn around at edges and before others."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        count = STANDING + MOVING
        self._xy = np.empty((0, 2))
        while len(self._xy) < count:
            place = rng.uniform(-0.5, 0.5, 2) * (TABLE_M - 2 * HALF_M)
            if (np.linalg.norm(self._xy - place, axis=1) >= SPACING_M).all():
                self._xy = np.vstack((self._xy, place))
        self._yaws = rng.uniform(-np.pi, np.pi, count)
        self._class_ids = rng.integers(0, len(CLASS_NAMES), count).astype(np.int32)
        self._speeds = rng.uniform(*SPEED_M_S, MOVING)
        self._headings = rng.uniform(-np.pi, np.pi, MOVING)
        self._rests_s = np.zeros(MOVING)

    def cubes(self) -> Cubes:
        centres = np.column_stack((self._xy, np.full(len(self._xy), HALF_M)))
        return Cubes(centres, self._yaws, self._class_ids)

    def step(self) -> None:
        """Move by one frame."""
        dt, rng = 1.0 / RATE_HZ, self._rng
        self._xy = self._xy.copy()
        for k in range(MOVING):
            if rng.random() < STOPS_PER_S * dt and self._rests_s[k] <= 0.0:
                self._rests_s[k] = rng.uniform(*STOP_S)
            self._rests_s[k] -= dt
            turn = rng.uniform(-1.0, 1.0)
            if self._rests_s[k] > 0.0:
                continue
            heading = np.array([np.cos(self._headings[k]), np.sin(self._headings[k])])
            ahead = self._xy[k] + self._speeds[k] * dt * heading
            others = np.linalg.norm(np.delete(self._xy, k, axis=0) - ahead, axis=1)
            if (np.abs(ahead) > 0.5 * TABLE_M - HALF_M).any() or (others < SPACING_M).any():
                self._headings[k] += np.pi + turn
            else:
                self._xy[k] = ahead


def camera_path(speed_m_s: float, count: int, rng: np.random.Generator) -> list[Pose]:
    """Poses base_T_camera along a smooth curve at constant speed; the curve is the same for all speeds.

    Seen from above its curvature swings to and fro, and beyond the ellipse `PATH_M` turns it back. Height and yaw swing
    along it.
    """
    place, heading = rng.uniform(-0.35, 0.35, 2) * PATH_M, rng.uniform(-np.pi, np.pi)
    tilt = Pose.from_rotvec([*rng.uniform(-TILT_RAD, TILT_RAD, 2), 0.0], np.zeros(3))
    phases = rng.uniform(-np.pi, np.pi, 5)
    along = STEP_M * np.arange(round((speed_m_s * count / RATE_HZ + 0.1) / STEP_M))
    bends = np.sin(2.0 * np.pi * along / 0.9 + phases[0]) + np.sin(2.0 * np.pi * along / 1.4 + phases[1])
    points = np.empty((len(along), 2))
    for k, bend in enumerate((0.5 * bends).tolist()):
        points[k] = place
        direction = np.array([np.cos(heading), np.sin(heading)])
        if np.linalg.norm(2.0 * place / PATH_M) > 1.0:
            bend = np.sign(direction[1] * place[0] - direction[0] * place[1])
        heading += bend * STEP_M / TURNING_M
        place = place + STEP_M * direction
    low, high = HEIGHT_M
    heights = 0.5 * (low + high) + 0.5 * (high - low) * np.sin(2.0 * np.pi * along / 1.7 + phases[2])
    yaws = 0.5 * np.sin(2.0 * np.pi * along / 3.0 + phases[3]) + 0.15 * np.sin(2.0 * np.pi * along + phases[4])
    curve = np.column_stack((points, heights, yaws))
    lengths = np.append(0.0, np.cumsum(np.linalg.norm(np.diff(curve[:, :3], axis=0), axis=1)))
    wanted = speed_m_s / RATE_HZ * np.arange(count)
    downwards = Pose.from_rotvec([np.pi, 0.0, 0.0], np.zeros(3)) @ tilt
    rows = np.stack([np.interp(wanted, lengths, column) for column in curve.T], axis=1)
    return [Pose.from_rotvec([0.0, 0.0, yaw], [x, y, z]) @ downwards for x, y, z, yaw in rows]


def visible(cubes: Cubes, base_T_camera: Pose) -> tuple[IntArray, Array, Array]:
    """Which cubes are in view, and of all cubes the boxes within the image (K, 4) [px] and the shares seen (K,)."""
    corners = cubes.corners_m()
    pixels = project(base_T_camera.inverse().apply(corners.reshape(-1, 3)), CAMERA).reshape(-1, 8, 2)
    ahead = np.isfinite(pixels).all(axis=(1, 2))
    pixels = np.where(ahead[:, None, None], pixels, -1e4)
    whole = np.hstack((pixels.min(axis=1), pixels.max(axis=1)))
    limits = np.array([CAMERA.width, CAMERA.height, CAMERA.width, CAMERA.height]) - 0.5
    boxes = np.clip(whole, -0.5, limits)
    shares = np.zeros(len(boxes))
    grid = (np.indices((6, 6)).reshape(2, 36).T + 0.5) / 6.0
    for k in np.flatnonzero((boxes[:, 2:] > boxes[:, :2]).all(axis=1) & ahead):
        uv = whole[k, :2] + grid * (whole[k, 2:] - whole[k, :2])
        rays = deproject(uv, np.ones(len(uv)), CAMERA) @ base_T_camera.rotation.T
        met = cubes.distances(base_T_camera.translation, rays)
        own = np.isfinite(met[:, k])
        inside = ((uv >= -0.5) & (uv <= limits[:2])).all(axis=1)
        shares[k] = (own & inside & (met.argmin(axis=1) == k)).sum() / max(own.sum(), 1)
    return np.flatnonzero(shares >= SEEN_SHARE), boxes, shares


class Ghosts:
    """Things that are not there, such as reflections: each at a place on the table, for some frames."""

    def __init__(self) -> None:
        self.points_m = np.empty((0, 3))
        self.class_ids = np.empty(0, np.int32)

    def step(self, base_T_camera: Pose, rng: np.random.Generator) -> None:
        stay = rng.random(len(self.points_m)) < GHOST_STAYS
        uv = np.column_stack(
            (
                rng.uniform(
                    20,
                    620,
                    (new := rng.poisson(GHOSTS_PER_FRAME)),
                ),
                rng.uniform(20, 460, new),
            )
        )
        rays = deproject(uv, np.ones(new), CAMERA) @ base_T_camera.rotation.T
        points = base_T_camera.translation - rays * (base_T_camera.translation[2] - HALF_M) / rays[:, 2:]
        self.points_m = np.vstack((self.points_m[stay], points))
        self.class_ids = np.append(self.class_ids[stay], rng.integers(0, len(CLASS_NAMES), new).astype(np.int32))


def _detect(
    cubes: Cubes,
    found: IntArray,
    boxes: Array,
    shares: Array,
    base_T_camera: Pose,
    ghosts: Ghosts,
    rng: np.random.Generator,
) -> tuple[Array, Array, npt.NDArray[np.int32], Array, Array, IntArray]:
    """Detections of the cubes `found` and of ghosts: the last fields of a `Look`."""
    camera_T_base = base_T_camera.inverse()
    count, false = len(found), len(ghosts.points_m)
    middles = camera_T_base.apply(np.vstack((cubes.centres_m[found], ghosts.points_m)))
    ghost_px = project(middles[count:], CAMERA)
    size = rng.uniform(30.0, 60.0, (false, 2))
    boxes = np.vstack((boxes, np.hstack((ghost_px - 0.5 * size, ghost_px + 0.5 * size))))
    centres, sizes = 0.5 * (boxes[:, :2] + boxes[:, 2:]), boxes[:, 2:] - boxes[:, :2]
    centres = centres + rng.normal(0.0, BOX_SIGMA_PX, centres.shape)
    sizes = sizes * (1.0 + rng.normal(0.0, BOX_SIZE_SIGMA, sizes.shape))
    limits = np.array([CAMERA.width, CAMERA.height, CAMERA.width, CAMERA.height]) - 0.5
    boxes = np.clip(np.hstack((centres - 0.5 * sizes, centres + 0.5 * sizes)), -0.5, limits)

    across = np.append(ACROSS_SIGMA_M + PARTLY_SIGMA_M * (1.0 - shares), np.full(false, ACROSS_SIGMA_M))
    rays = middles / np.linalg.norm(middles, axis=1, keepdims=True)
    along = rays[:, :, None] * rays[:, None, :]
    covariances = across[:, None, None] ** 2 * (np.eye(3) - along) + DEPTH_SIGMA_M**2 * along
    errors = rng.normal(size=middles.shape)
    ahead = np.einsum("ni,ni->n", errors, rays)[:, None] * rays
    points = middles + across[:, None] * (errors - ahead) + DEPTH_SIGMA_M * ahead

    dips = rng.random(count) < DIP_SHARE
    scores = np.where(dips, rng.uniform(*DIP, count), rng.uniform(*SCORE, count))
    scores = np.append(scores, rng.uniform(*GHOST_SCORE, false))
    class_ids = np.append(cubes.class_ids[found], ghosts.class_ids).astype(np.int32)
    sources = np.append(found + 1, np.zeros(false, np.int64))
    keep = rng.permutation(len(boxes))
    keep = keep[(boxes[keep, 2:] - boxes[keep, :2] > 4.0).all(axis=1) & (middles[keep, 2] > 0.0)]
    return boxes[keep], scores[keep], class_ids[keep], points[keep], covariances[keep], sources[keep]
