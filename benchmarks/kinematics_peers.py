"""The same arm in other libraries, each behind one call: pose and start to joint angles.

Every chain is made of the figures of our model, so all solve the same poses; each library is set as its own examples
set it, and may iterate up to a hundred times.
"""

from __future__ import annotations

import importlib
import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from robot.kinematics import DhModel, JointLimits, Kinematics

INSTALL = "pip install pin mink ikpy"
ITERATIONS = 100
# where an iteration stops: both [m] and [rad]
DONE = 1e-6
Solver = Callable[[np.ndarray, np.ndarray], np.ndarray]


def placements(model: DhModel) -> list[np.ndarray]:
    """Seven transforms (4, 4): from the base to the first joint, between joints, from the last to the flange."""
    steps = [np.eye(4)]
    for a, d, alpha in zip(model.a_m, model.d_m, model.alpha_rad, strict=True):
        c, s = math.cos(alpha), math.sin(alpha)
        steps.append(np.array([[1, 0, 0, a], [0, c, -s, 0], [0, s, c, d], [0, 0, 0, 1]], dtype=float))
    return steps


def pinocchio(model: DhModel, limits: JointLimits) -> Solver:
    """Damped least squares as in the library's inverse kinematics example, with full steps."""
    pin: Any = importlib.import_module("pinocchio")
    chain, parent = pin.Model(), 0
    steps = placements(model)
    for i, step in enumerate(steps[:6]):
        parent = chain.addJoint(parent, pin.JointModelRZ(), pin.SE3(step), f"joint_{i}")
    chain.addFrame(pin.Frame("flange", parent, 0, pin.SE3(steps[6]), pin.FrameType.OP_FRAME))
    data, flange = chain.createData(), chain.getFrameId("flange")
    low, high, damping = np.array(limits.lower_rad), np.array(limits.upper_rad), 1e-12 * np.eye(6)

    def solve(pose: np.ndarray, start: np.ndarray) -> np.ndarray:
        goal, q = pin.SE3(pose), start.copy()
        for _ in range(ITERATIONS):
            pin.forwardKinematics(chain, data, q)
            left = pin.updateFramePlacement(chain, data, flange).actInv(goal)
            error = pin.log6(left).vector
            if np.abs(error).max() < DONE:
                break
            jacobian = -pin.Jlog6(left.inverse()) @ pin.computeFrameJacobian(chain, data, q, flange)
            q = q - jacobian.T @ np.linalg.solve(jacobian @ jacobian.T + damping, error)
        turned: np.ndarray = q - 2 * math.pi * np.round((q - start) / (2 * math.pi))
        return np.where((turned < low) | (turned > high), q, turned)

    return solve


def mink(model: DhModel, limits: JointLimits) -> Solver:
    """Differential inverse kinematics as a quadratic programme, solved until it stands still."""
    library: Any = importlib.import_module("mink")
    mujoco: Any = importlib.import_module("mujoco")
    from scipy.spatial.transform import Rotation

    steps, xml = placements(model), ""
    for i, step in enumerate(steps[:6]):
        w = Rotation.from_matrix(step[:3, :3]).as_quat()[[3, 0, 1, 2]]
        xml += (
            f"<body pos='{' '.join(map(repr, step[:3, 3].tolist()))}' quat='{' '.join(map(repr, w.tolist()))}'>"
            f"<inertial pos='0 0 0' mass='1' diaginertia='1 1 1'/><joint name='joint_{i}' type='hinge' axis='0 0 1' "
            f"range='{limits.lower_rad[i]!r} {limits.upper_rad[i]!r}' limited='true'/>"
        )
    last = Rotation.from_matrix(steps[6][:3, :3]).as_quat()[[3, 0, 1, 2]]
    xml += f"<site name='flange' pos='{' '.join(map(repr, steps[6][:3, 3].tolist()))}' "
    xml += f"quat='{' '.join(map(repr, last.tolist()))}'/>" + "</body>" * 6
    chain = mujoco.MjModel.from_xml_string(f"<mujoco><compiler angle='radian'/><worldbody>{xml}</worldbody></mujoco>")
    configuration = library.Configuration(chain)
    task = library.FrameTask("flange", "site", position_cost=1.0, orientation_cost=1.0, lm_damping=1e-6)
    bounds = [library.ConfigurationLimit(chain)]

    def solve(pose: np.ndarray, start: np.ndarray) -> np.ndarray:
        configuration.update(start)
        task.set_target(library.SE3.from_matrix(pose))
        for _ in range(ITERATIONS):
            if np.abs(task.compute_error(configuration)).max() < DONE:
                break
            velocity = library.solve_ik(configuration, [task], 1.0, "daqp", limits=bounds)
            configuration.integrate_inplace(velocity, 1.0)
        q: np.ndarray = configuration.q.copy()
        return q

    return solve


def ikpy(model: DhModel, limits: JointLimits) -> Solver:
    """The library's own optimisation over position and orientation."""
    chains: Any = importlib.import_module("ikpy.chain")
    links: Any = importlib.import_module("ikpy.link")
    from scipy.spatial.transform import Rotation

    parts = [links.OriginLink()]
    for i, step in enumerate(placements(model)):
        turn = Rotation.from_matrix(step[:3, :3]).as_euler("xyz")
        if i < 6:
            ends = (limits.lower_rad[i], limits.upper_rad[i])
            parts.append(links.URDFLink(f"joint_{i}", step[:3, 3], turn, rotation=[0, 0, 1], bounds=ends))
        else:
            parts.append(links.URDFLink("flange", step[:3, 3], turn, joint_type="fixed"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        chain = chains.Chain(parts, active_links_mask=[False, *[True] * 6, False])

    def solve(pose: np.ndarray, start: np.ndarray) -> np.ndarray:
        full = np.array([0.0, *start, 0.0])
        found: np.ndarray = chain.inverse_kinematics_frame(pose, initial_position=full, orientation_mode="all")
        return found[1:7]

    return solve


def ours(model: DhModel, limits: JointLimits) -> Solver:
    """The closed form, the nearest of all branches."""
    from geometry.pose import Pose

    arm = Kinematics(model=model, limits=limits)

    def solve(pose: np.ndarray, start: np.ndarray) -> np.ndarray:
        return arm.any_joints(Pose(pose[:3, :3], pose[:3, 3]), start)

    return solve


def following(model: DhModel, limits: JointLimits) -> Solver:
    """What the control loop calls: the branch that the arm is in, at bounded speed."""
    from geometry.pose import Pose

    arm, steps = Kinematics(model=model, limits=limits), np.full(6, 1.0)

    def solve(pose: np.ndarray, start: np.ndarray) -> np.ndarray:
        return arm.follow(Pose(pose[:3, :3], pose[:3, 3]), start, steps).joints

    return solve
