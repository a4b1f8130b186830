"""`eyehand export policy`: a checkpoint of LeRobot in, a folder for the model store out, proved beforehand."""

from __future__ import annotations

import argparse
from pathlib import Path

from launch.cli.say import progress, result


def execute(options: argparse.Namespace) -> int:
    """Run the command."""
    from launch.machine import machine_facts
    from policy.export.flow import PolicyExport, export_policy

    out = Path(options.out)
    passport, parity = export_policy(
        PolicyExport(
            checkpoint=Path(options.checkpoint),
            out=out,
            dataset=None if options.dataset is None else Path(options.dataset),
            action_space=options.action_space,
            denoising_steps=options.denoising_steps,
            inputs=options.inputs,
            int8=options.int8,
            machine=str(machine_facts().get("cpu", "unknown")),
        ),
        progress,
    )
    if passport is None:
        progress(f"{options.checkpoint}: the file does not compute what LeRobot does ({parity}): nothing is written")
        return 1
    if options.json:
        result({"model": str(out / "model.onnx"), **passport.model_dump(mode="json", exclude={"seal", "latency"})})
        return 0
    inputs = ", ".join(f"{name} {shape}" for name, shape in passport.inputs.items())
    progress(f"same as LeRobot: {parity}")
    progress(
        f"{out / 'model.onnx'}: {inputs} -> action {passport.outputs['action']}, {passport.size_bytes / 1e6:.1f} MB"
    )
    return 0
