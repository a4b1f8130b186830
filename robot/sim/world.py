"""The simulated cell in motion: physics, seeded scenes, joint and gripper targets, and the truth for judging."""

from __future__ import annotations

from typing import Any

import numpy as np

from deploy.errors import BadInput, require
from geometry import Pose
from geometry.types import Array
from robot.sim import mjcf
from robot.sim.layout import BIN, HOME_JOINTS_RAD, JOINT_NAMES, STROKE_M, WORLD_T_BASE, cube_corners
from robot.sim.scene import SceneParameters, SceneSpec, cube_rest_height_m, sample_scene
from robot.sim.snapshot import Snapshot


class World:
    """One arm, one table, one cube, one bin; in some scenes a conveyor.

    Time is an integer count of physics steps; the same seed and the same calls give the same states to the bit.

    Attributes:
        cube_render_offset_m: Displacement, shape (3,) in world [m], by which snapshots show the cube away from its
            physical place. A policy that reaches for the displaced cube looks through the camera; one that reaches for
            the real one has seen the truth.
        parameters: Ranges that the scene of the next `reset` is drawn from.
    """

    def __init__(
        self,
        seed: int = 0,
        parameters: SceneParameters | None = None,
        timestep_ns: int = 2_000_000,
        scene: SceneSpec | None = None,
    ) -> None:
        if timestep_ns <= 0:
            raise BadInput(f"physics step {timestep_ns} ns: expected > 0, for example 2000000")
        self._mujoco = require("mujoco", "sim")
        self.parameters = parameters or SceneParameters()
        self._timestep_ns = timestep_ns
        self.cube_render_offset_m: tuple[float, float, float] = (0.0, 0.0, 0.0)
        self._load(scene or sample_scene(seed, self.parameters))

    def reset(self, seed: int) -> None:
        """Start over at time 0 with the scene of this seed, the arm at home and the gripper open."""
        self._load(sample_scene(seed, self.parameters))

    def _load(self, scene: SceneSpec) -> None:
        mj = self._mujoco
        self._scene = scene
        xml, assets = mjcf.build(scene, self._timestep_ns * 1e-9)
        self._model: Any = mj.MjModel.from_xml_string(xml, assets)
        self._data: Any = mj.MjData(self._model)
        model = self._model
        joints = [model.joint(name) for name in JOINT_NAMES]
        self._qpos_at = np.array([joint.qposadr[0] for joint in joints])
        self._qvel_at = np.array([joint.dofadr[0] for joint in joints])
        self._servo_at = np.array([model.actuator(name).id for name in JOINT_NAMES])
        self._grip_at = int(model.actuator("gripper").id)
        self._finger_at = [int(model.joint(name).qposadr[0]) for name in ("finger_left", "finger_right")]
        self._cube_at = int(model.joint("cube").qposadr[0])
        self._cube_dof = int(model.joint("cube").dofadr[0])
        self._cube_geom = int(model.geom("cube").id)
        self._pads = {int(model.geom(name).id) for name in ("pad_left", "pad_right")}
        self._tcp = int(model.site("tcp").id)
        belt = scene.conveyor
        self._belt_at = -1 if belt is None else int(model.joint("conveyor").qposadr[0])
        self._belt_dof = -1 if belt is None else int(model.joint("conveyor").dofadr[0])
        self._steps = 0
        self.set_configuration(np.array(HOME_JOINTS_RAD), 1.0)

    def set_configuration(self, joints_rad: Array, opening: float) -> None:
        """Put the arm and the gripper somewhere at once, at rest, with the servos holding them there."""
        data = self._data
        data.qpos[self._qpos_at] = joints_rad
        data.qpos[self._finger_at] = opening * STROKE_M / 2
        data.qvel[:] = 0.0
        self.set_targets(joints_rad, opening)
        self._mujoco.mj_forward(self._model, data)

    def place_cube(self, world_T_cube: Pose) -> None:
        """Put the cube somewhere at once, at rest."""
        data = self._data
        x, y, z, w = world_T_cube.quaternion
        data.qpos[self._cube_at : self._cube_at + 3] = world_T_cube.translation
        data.qpos[self._cube_at + 3 : self._cube_at + 7] = (w, x, y, z)
        data.qvel[self._cube_dof : self._cube_dof + 6] = 0.0
        self._mujoco.mj_forward(self._model, data)

    @property
    def scene(self) -> SceneSpec:
        """What the present scene was built from."""
        return self._scene

    @property
    def model(self) -> Any:
        """The compiled `mujoco.MjModel`; a new one after each reset."""
        return self._model

    @property
    def data(self) -> Any:
        """The `mujoco.MjData` of the physics, for labels and checks; a new one after each reset."""
        return self._data

    @property
    def time_ns(self) -> int:
        """Time since the reset [ns], a whole number of steps."""
        return self._steps * self._timestep_ns

    @property
    def timestep_ns(self) -> int:
        """Physics step [ns]."""
        return self._timestep_ns

    def advance(self, to_ns: int) -> None:
        """Step the physics to the last whole step at or before `to_ns`.

        Raises:
            ValueError: If `to_ns` lies before the present time.
        """
        steps = to_ns // self._timestep_ns - self._steps
        if steps < 0:
            raise ValueError(f"cannot advance to {to_ns} ns: the world is at {self.time_ns} ns; reset it to go back")
        for _ in range(steps):
            self._run_belt()
            self._mujoco.mj_step(self._model, self._data)
        self._steps += steps

    def _run_belt(self) -> None:
        """Give the belt its speed, and put it back where it lies: what is on it feels a surface that moves for ever."""
        belt = self._scene.conveyor
        if belt is not None:
            self._data.qpos[self._belt_at] = 0.0
            self._data.qvel[self._belt_dof] = belt.speed_m_s

    def set_targets(self, joints_rad: Array, opening: float) -> None:
        """Set the position targets of the joint servos [rad] and of the gripper (0 closed, 1 open)."""
        self._data.ctrl[self._servo_at] = joints_rad
        self._data.ctrl[self._grip_at] = min(max(float(opening), 0.0), 1.0) * STROKE_M / 2

    @property
    def joint_positions_rad(self) -> Array:
        """Shape (6,), base to wrist."""
        return np.array(self._data.qpos[self._qpos_at])

    @property
    def joint_velocities_rad_s(self) -> Array:
        """Shape (6,), base to wrist."""
        return np.array(self._data.qvel[self._qvel_at])

    @property
    def gripper_opening(self) -> float:
        """0 = closed, 1 = 85 mm open."""
        return float(np.clip(self._data.qpos[self._finger_at].sum() / STROKE_M, 0.0, 1.0))

    def snapshot(self) -> Snapshot:
        """Copy what a renderer needs; the physics and the renderer share nothing that either writes."""
        qpos = np.array(self._data.qpos)
        qpos[self._cube_at : self._cube_at + 3] += self.cube_render_offset_m
        qpos.flags.writeable = False
        return Snapshot(self._model, qpos, self.time_ns, self._scene)

    @property
    def cube_position_world_m(self) -> Array:
        """Truth: the cube's centre, shape (3,) in world [m]."""
        return np.array(self._data.qpos[self._cube_at : self._cube_at + 3])

    @property
    def cube_position_base_m(self) -> Array:
        """Truth: the cube's centre, shape (3,) in the arm's base [m]."""
        return WORLD_T_BASE.inverse().apply(self.cube_position_world_m)

    @property
    def cube_velocity_base_m_s(self) -> Array:
        """Truth: velocity of the cube's centre, shape (3,) in the arm's base [m/s]."""
        velocity: Array = WORLD_T_BASE.rotation.T @ self._data.qvel[self._cube_dof : self._cube_dof + 3]
        return velocity

    @property
    def world_T_gripper(self) -> Pose:  # noqa: N802 - frame names
        """Truth: pose of the tcp in the world."""
        return Pose(self._data.site_xmat[self._tcp].reshape(3, 3), self._data.site_xpos[self._tcp])

    @property
    def tool_position_world_m(self) -> Array:
        """Truth: the tcp at the beginning of the last step, shape (3,) in world [m]."""
        return np.array(self._data.site_xpos[self._tcp])

    @property
    def world_T_cube(self) -> Pose:  # noqa: N802 - frame names
        """Truth: pose of the cube in the world."""
        w, x, y, z = self._data.qpos[self._cube_at + 3 : self._cube_at + 7]
        return Pose.from_quaternion([x, y, z, w], self.cube_position_world_m)

    def cube_corners_world_m(self) -> Array:
        """Truth: the cube's eight corners, shape (8, 3) in world [m]."""
        return self.world_T_cube.apply(cube_corners())

    def cube_touches_gripper(self) -> bool:
        """Truth: whether a finger pad touches the cube."""
        for contact in self._data.contact[: self._data.ncon]:
            pair = {int(contact.geom[0]), int(contact.geom[1])}
            if self._cube_geom in pair and pair & self._pads:
                return True
        return False

    def cube_in_bin(self) -> bool:
        """Truth: whether the cube lies inside the bin, released and at rest (below 20 mm/s and 0.5 rad/s)."""
        velocity = self._data.qvel[self._cube_dof : self._cube_dof + 6]
        at_rest = float(np.linalg.norm(velocity[:3])) < 0.02 and float(np.linalg.norm(velocity[3:])) < 0.5
        return at_rest and BIN.contains(self.cube_position_world_m) and not self.cube_touches_gripper()

    def cube_fell(self) -> bool:
        """Truth: whether the cube left the table."""
        return bool(self.cube_position_world_m[2] < -cube_rest_height_m())
