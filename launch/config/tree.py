"""The tree of configuration around the rig: detector, tracker, policy, control, task, budget, recording."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from deploy.errors import BadInput
from launch.config.budget import BudgetConfig
from launch.config.profile import ProfileConfig
from launch.config.rig import Positive, PositiveJoints6, RigConfig, Section, Vector3
from launch.config.sentences import WrongAtKey
from perception.localize import LocalizeParameters
from policy import ScheduleMode
from tracking import TrackerParameters

Share = Annotated[float, Field(ge=0, le=1)]
LOCALIZE = LocalizeParameters()


class FallbackEngineConfig(Section):
    """The smaller engine that takes over when the detector breaks its budget; loaded and warmed at the start."""

    model: str
    file: str | None = Field(default=None, description="written on resolving: the artifact that the run used")
    sha256: str | None = Field(default=None, description="written on resolving: the artifact that the run used")


class DetectorConfig(Section):
    """The detector: its model in the store, its engine and its thresholds.

    With `backend: auto` or `precision: auto` what this machine has is measured, and the fastest is taken.
    """

    type: str = "network"
    model: str = "tabletop-yolov8n"
    backend: str = "onnxruntime"
    precision: Literal["fp32", "fp16", "int8", "auto"] = "fp32"
    threads: Annotated[int, Field(ge=1, le=64)] | Literal["auto"] = "auto"
    confidence: Annotated[float, Field(ge=0, le=1)] = 0.35
    iou: Annotated[float, Field(ge=0, le=1)] = 0.5
    class_agnostic: bool = False
    max_detections: Annotated[int, Field(ge=1, le=1000)] = 50
    fallback: FallbackEngineConfig | None = None
    file: str | None = Field(default=None, description="written on resolving: the artifact that the run used")
    sha256: str | None = Field(default=None, description="written on resolving: the artifact that the run used")
    why: str | None = Field(default=None, description="written on resolving: why backend and precision were chosen")


class LocalizeConfig(Section):
    """Box and depth to a point: edge length of each class of object, where known, and the depth sensor's noise.

    The figures of the noise are those of `perception.localize.LocalizeParameters`; the defaults are a D435's. A bag
    without depth is refused unless `require_depth` is false: then its objects are detected and have no place.
    """

    size_m: dict[str, Positive] = Field(default_factory=dict)
    depth_noise_m: Positive = LOCALIZE.depth_noise_m
    depth_noise_per_m: Annotated[float, Field(ge=0)] = LOCALIZE.depth_noise_per_m
    depth_bias: Annotated[float, Field(ge=0)] = LOCALIZE.depth_bias
    correlated_px: Positive = LOCALIZE.correlated_px
    max_depth_m: Positive = LOCALIZE.max_depth_m
    require_depth: bool = True


class TrackerConfig(Section):
    """Base-frame tracker: the figures a user tunes; all of them are in `tracking.TrackerParameters`."""

    confirm_hits: Annotated[int, Field(ge=1)] = 2
    lost_s: Positive = 1.0
    gone_s: Positive = 0.2
    high_score: Share = 0.5
    low_score: Share = 0.1
    class_compatibility: dict[str, dict[str, Share]] = Field(default_factory=dict)
    other_class: Share = 0.5

    @model_validator(mode="after")
    def _fits_together(self) -> TrackerConfig:
        try:
            TrackerParameters(**self.model_dump())
        except BadInput as error:
            raise WrongAtKey("class_compatibility", str(error)) from error
        return self


class ScheduleConfig(Section):
    """How chunks follow one another (`policy.seam`), and what must be left of one when the next arrives.

    Attributes:
        mode: `blend`: from the old chunk to the new one within `blend_s`; `naive`: the new one as soon as it arrives;
            `ensemble`: the weighted mean of all that speak of the instant; `synchronous`: each to its end, then the arm
            waits for the next; `rtc`: the new one goes on from what is executed until it arrives, by itself.
        blend_s: How long a change takes; of `ensemble`, how long a weight comes and goes [s].
        margin_s: The next chunk is asked for when the present one will last for no longer than planning takes (running
            p99) and this [s]: the time between two frames, and the blend.
        ensemble_decay: Of `ensemble`: chunk i, counted from the oldest, weighs exp(-decay i).
    """

    mode: ScheduleMode = "blend"
    blend_s: Annotated[float, Field(ge=0, le=10)] = 0.2
    margin_s: Annotated[float, Field(ge=0, le=60)] = 0.3
    ensemble_decay: Annotated[float, Field(ge=0, le=100)] = 0.01


class PolicyConfig(Section):
    """The policy that plans action chunks: `expert`, or `learned`, a model of the store on an engine.

    It plans anew when less than `replan_horizon_s` is left of the present chunk, or earlier where `schedule` says so.
    With `extrapolate` it is shown where a moving object will be when its chunk takes over, not where it was seen.
    A model whose actions are not `action_dt_ms` apart is refused: it would move at another speed.
    """

    type: str = "expert"
    model: str = "tabletop-act"
    backend: str = "onnxruntime"
    precision: Literal["fp32", "fp16", "int8"] = "fp32"
    threads: Annotated[int, Field(ge=1, le=64)] = 1
    file: str | None = Field(default=None, description="written on resolving: the artifact that the run used")
    sha256: str | None = Field(default=None, description="written on resolving: the artifact that the run used")
    object_class: str = "red_cube"
    extrapolate: bool = True
    action_dt_ms: Positive = 100.0
    replan_horizon_s: Positive = 1.3
    schedule: ScheduleConfig = ScheduleConfig()
    options: dict[str, Any] = Field(default_factory=dict)


class ControlConfig(Section):
    """Control loop: its rate, and what part of the governor's limits the trajectory uses."""

    rate_hz: Annotated[float, Field(ge=10, le=1000)] = 100.0
    limit_scale: Annotated[float, Field(gt=0, le=1)] = 0.8


class KeepOutConfig(Section):
    """A box in `base` that no part of the arm may enter."""

    name: str
    min_m: Vector3
    max_m: Vector3

    @model_validator(mode="after")
    def _has_room(self) -> KeepOutConfig:
        for axis, low, high in zip("xyz", self.min_m, self.max_m, strict=True):
            if not low < high:
                raise WrongAtKey("min_m", f"{axis} is {low}, expected less than max_m, {high}")
        return self


class GovernorConfig(Section):
    """Safety governor: limits of the joints, of the tool and of the arm's body in `base`, staleness; always on.

    `workspace_*` bounds the tool point, `arm_*` every part of the arm from the upper arm on: the z of `arm_min_m` is
    the table. `margin_m` is kept from the boxes of `keep_out` and, with `self_collision`, from the arm itself.
    Limits of the joints that are left out are those of the arm's model.
    """

    max_velocity_rad_s: PositiveJoints6 | None = None
    max_acceleration_rad_s2: PositiveJoints6 | None = None
    max_jerk_rad_s3: PositiveJoints6 | None = None
    workspace_min_m: Vector3 = (-1.2, -1.2, 0.005)
    workspace_max_m: Vector3 = (1.2, 1.2, 1.2)
    arm_min_m: Vector3 = (-2.0, -2.0, 0.0)
    arm_max_m: Vector3 = (2.0, 2.0, 2.0)
    keep_out: tuple[KeepOutConfig, ...] = ()
    self_collision: bool = True
    margin_m: Annotated[float, Field(ge=0, le=1)] = 0.01
    tool_radius_m: Annotated[float, Field(gt=0, le=1)] = 0.065
    tool_speed_m_s: Positive = 1.5
    stale_after_ms: Positive = 2100.0

    @model_validator(mode="after")
    def _workspace_has_room(self) -> GovernorConfig:
        boxes = (
            ("workspace", self.workspace_min_m, self.workspace_max_m),
            ("arm", self.arm_min_m, self.arm_max_m),
        )
        for what, lowest, highest in boxes:
            for axis, low, high in zip("xyz", lowest, highest, strict=True):
                if not low < high:
                    raise WrongAtKey(f"{what}_min_m", f"{axis} is {low}, expected less than {what}_max_m, {high}")
        return self


class TaskConfig(Section):
    """The reference task: pick the object, place it in the bin."""

    type: Literal["pick_place"] = "pick_place"
    bin_in_base_m: Vector3 = (-0.65, -0.45, 0.0)
    timeout_s: Annotated[float, Field(gt=0, le=3600)] = 40.0


class SimConfig(Section):
    """The simulated world; on the wall clock it is a process of its own.

    Attributes:
        renderer: What draws its pictures.
        cube_render_offset_m: How far from its place the cube is drawn, in world [m].
        controller: What its arm can be reached by: `none`, the simulator's own wire, for an arm of type `sim`; `ur`, an
            emulated UR controller at `address`, for an arm of type `ur`.
        address: Where the emulated controller listens.
        world: Socket of a world that runs already (`eyehand simulate`); by default the run starts its own.
        conveyor_m_s: Velocity in `base`, x and y, of a conveyor that carries the object [m/s]; null for none.
    """

    renderer: Literal["auto", "egl", "raycast"] = "auto"
    cube_render_offset_m: Vector3 = (0.0, 0.0, 0.0)
    controller: Literal["none", "ur"] = "none"
    address: str = "127.0.0.1"
    world: str | None = None
    conveyor_m_s: tuple[float, float] | None = None


class RecordConfig(Section):
    """What a run leaves behind. Without `images` hours fit on a disk, and the run cannot be replayed."""

    compression: Literal["zstd", "lz4"] = "zstd"
    picture_strip: bool = True
    images: bool = True


class RealtimeConfig(Section):
    """What the process asks of the operating system and of the interpreter on the wall clock.

    Attributes:
        priority: SCHED_FIFO priority of the control loop; null leaves it an ordinary thread.
        lock_memory: Keep what was touched in memory (mlockall).
        freeze_gc: Take what exists at the start out of the garbage collector's sight.
        switch_interval_ms: How long a thread may keep the interpreter from others that wait [ms].
        control_cpu: The core that the control loop is bound to; the other threads get the others.
    """

    priority: Annotated[int, Field(ge=1, le=99)] | None = 50
    lock_memory: bool = True
    freeze_gc: bool = True
    switch_interval_ms: Annotated[float, Field(gt=0, le=100)] = 0.5
    control_cpu: Annotated[int, Field(ge=0)] | None = None


class Config(Section):
    """The whole of a run's configuration."""

    name: str
    seed: Annotated[int, Field(ge=0)] = 0
    episodes: Annotated[int, Field(ge=1, le=100_000)] = 1
    clock: Literal["virtual", "wall"] = "virtual"
    rig: RigConfig
    detector: DetectorConfig = DetectorConfig()
    localize: LocalizeConfig = LocalizeConfig()
    tracker: TrackerConfig = TrackerConfig()
    policy: PolicyConfig = PolicyConfig()
    control: ControlConfig = ControlConfig()
    governor: GovernorConfig = GovernorConfig()
    task: TaskConfig | None = None
    sim: SimConfig = SimConfig()
    record: RecordConfig = RecordConfig()
    budget: BudgetConfig = BudgetConfig()
    profile: ProfileConfig = ProfileConfig()
    realtime: RealtimeConfig = RealtimeConfig()
