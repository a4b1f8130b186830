"""The rig's arm and cameras as a robot of LeRobot: `lerobot-record --robot.type=eyehand` and its like drive them.

`config_eyehand` and `eyehand` import LeRobot, and are called as it wants them to be: it finds a robot's class by the
name of its configuration's class and module. The other modules do without it.
"""
