"""The stages of a run as one object: what feeds what is in the schedulers, what each one does is in its own package."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from geometry import Pose, PoseBuffer, pose_spread
from geometry.types import Array
from launch.control_path import ControlPath
from launch.observe import observe
from perception.detections import Detections
from perception.detector import Detector
from perception.frame import Frame
from perception.localize import Localized, LocalizeParameters, localize
from perception.visibility import Visibility
from policy import ActionChunk, Policy
from policy.features import frozen
from robot.arm import RobotState
from robot.kinematics import Kinematics
from tracking import BaseFrameTracker, Tracks

BUFFERED_STATES = 1024
MAX_EXTRAPOLATION_NS = 50_000_000


@dataclass(frozen=True, slots=True)
class Mount:
    """Where a camera sits: on the gripper, fixed in `base`, or unknown (then points stay in the camera's frame).

    Attributes:
        gripper_T_camera: Of a camera on the gripper.
        base_T_camera: Of a fixed camera.
        pose_covariance: Shape (6, 6), of the camera's pose in `base` as `geometry.pose_spread` takes it; None: exact.
    """

    gripper_T_camera: Pose | None = None
    base_T_camera: Pose | None = None
    pose_covariance: Array | None = None


@dataclass(frozen=True, slots=True)
class Placed:
    """Localized detections with what the camera could see at that time.

    Attributes:
        localized: Places; their covariances have the error of the camera's pose.
        visibility: None without depth.
        common_m2: Shape (N, 3, 3): that error's part, which is the same in all frames [m^2]; None if the pose is exact.
    """

    localized: Localized
    visibility: Visibility | None
    common_m2: Array | None = None


class LocateStage:
    """Boxes and depth to points in `base`, with the camera's pose at exposure time and the error of that pose."""

    def __init__(self, mounts: dict[str, Mount], arm: Kinematics | None, parameters: LocalizeParameters) -> None:
        self._mounts = mounts
        self._arm = arm
        self._parameters = parameters
        self._gripper = PoseBuffer(capacity=BUFFERED_STATES, max_extrapolation_ns=MAX_EXTRAPOLATION_NS)
        self._newest_ns = -1
        self.last_state = -1

    def reset(self) -> None:
        """Forget the arm's poses."""
        self._gripper.clear()
        self._newest_ns = -1

    def __call__(self, detections: Detections, frame: Frame, new_states: Sequence[RobotState]) -> Placed:
        """Place one frame's detections; `new_states` are the robot states since the last call, in order."""
        for state in new_states:
            self.last_state = state.sequence
            if self._arm is not None and state.stamp_ns > self._newest_ns:  # a late tick may read the same state twice
                self._newest_ns = state.stamp_ns
                self._gripper.push(state.stamp_ns, self._arm.tcp(state.joint_positions_rad))
        mount = self._mounts[frame.camera_name]
        base_T_camera: Pose | None
        if mount.gripper_T_camera is not None and self._arm is not None:
            base_T_camera = self._gripper.at(frame.stamp_ns) @ mount.gripper_T_camera
        else:
            base_T_camera = mount.base_T_camera
        localized, spread = localize(detections, frame, base_T_camera, self._parameters), None
        if base_T_camera is not None and mount.pose_covariance is not None:
            spread = pose_spread(base_T_camera, localized.points_m, mount.pose_covariance)
            localized = replace(localized, covariances_m2=localized.covariances_m2 + spread)
        if frame.depth is None:
            return Placed(localized, None, spread)
        return Placed(localized, Visibility(frame, base_T_camera or Pose.identity()), spread)


class PlanStage:
    """Tracks and robot state to an observation, and the policy's chunk for it.

    Args:
        policy: Who plans.
        arm: Kinematics of the arm.
        object_class: Class of the object that the task is about.
        extrapolate: Show the policy where a moving object will be when its chunk takes over, not where it was.
        continues: Freeze what will have been executed until then: the chunk goes on from it (`rtc`).
    """

    def __init__(
        self, policy: Policy, arm: Kinematics, object_class: str, *, extrapolate: bool = True, continues: bool = False
    ) -> None:
        self._policy = policy
        self._arm = arm
        self._object_class = object_class
        self._extrapolate = extrapolate
        self._rows = getattr(policy, "prefix", 0) if continues else 0
        self.reads_images = bool(getattr(policy, "cameras", ()))
        self._states: list[RobotState] = []
        self.last_state = -1

    def reset(self) -> None:
        """Forget the arm's states and the policy's own state."""
        self._states.clear()
        self._policy.reset()

    def __call__(
        self,
        tracks: Tracks,
        new_states: Sequence[RobotState],
        ahead_ns: int = 0,
        present: ActionChunk | None = None,
        frame: Frame | None = None,
    ) -> ActionChunk:
        """Plan from what the photons of `tracks` showed, with the joints as they were then.

        Args:
            tracks: Where the objects are.
            new_states: Robot states since the last call, in order.
            ahead_ns: Time from the photons to when the chunk is expected to take over [ns].
            present: The chunk that is executed until then.
            frame: The picture behind the tracks, for a policy that reads pictures.
        """
        for state in new_states:
            self.last_state = state.sequence
            self._states.append(state)
        del self._states[:-BUFFERED_STATES]
        past = [state for state in self._states if state.stamp_ns <= tracks.stamp_ns] or self._states[:1]
        seen = observe(tracks, past[-1], self._arm, self._object_class, ahead_ns if self._extrapolate else 0)
        if self._rows and present is not None and present.space == self._policy.space:
            # up to the first action after it takes over: between two actions the arm follows a line
            rows = min(self._rows, -(-ahead_ns // self._policy.dt_ns) + 1)
            seen = replace(seen, prefix=frozen(present, tracks.stamp_ns, self._policy.dt_ns, rows))
        if frame is not None:
            seen = replace(seen, images={frame.camera_name: frame.color})
        return self._policy.plan(seen).to_absolute(past[-1].joint_positions_rad)


class Graph:
    """All stages of a run; `plan` and `control` are absent where there is no arm (a recording of a camera alone).

    Attributes:
        cameras: Names, in the order of the configuration.
        fingerprints: Of each of the detector's engines: the configured one, then its fallback.
    """

    def __init__(
        self,
        cameras: Sequence[str],
        detector: Detector,
        locate: LocateStage,
        tracker: BaseFrameTracker,
        plan: PlanStage | None,
        control: ControlPath | None,
        fingerprints: Sequence[str] = ("",),
        fallback: Detector | None = None,
    ) -> None:
        self.cameras = tuple(cameras)
        self.locate = locate
        self.fingerprints = tuple(fingerprints)
        self._detectors = (detector,) if fallback is None else (detector, fallback)
        self._tracker = tracker
        self._plan = plan
        self._control = control

    @property
    def plan(self) -> PlanStage:
        """The planning stage."""
        assert self._plan is not None, "this graph has no policy"
        return self._plan

    @property
    def control(self) -> ControlPath:
        """The control stage."""
        assert self._control is not None, "this graph has no arm"
        return self._control

    @property
    def has_fallback(self) -> bool:
        """Whether the detector has a smaller engine."""
        return len(self._detectors) > 1

    def detect(self, frame: Frame, engine: int = 0) -> Detections:
        """Objects in a frame; engine 0 is the configured one, 1 its fallback."""
        return self._detectors[engine].detect(frame)

    def track(self, placed: Placed) -> Tracks:
        """Identities over time: every live track, and the ids of the detections."""
        return self._tracker.update(placed.localized, visibility=placed.visibility, common_m2=placed.common_m2).all

    def predict(self, stamp_ns: int) -> Tracks:
        """Where the tracks are at an instant at which nobody looked."""
        return self._tracker.predicted(stamp_ns)

    def reset(self) -> None:
        """Begin an episode."""
        self._tracker.reset()
        self.locate.reset()
        if self._plan is not None:
            self._plan.reset()
        if self._control is not None:
            self._control.reset()
