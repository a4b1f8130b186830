"""Export of LeRobot's ACT and Diffusion Policy to ONNX files that the run time plans with, proved against LeRobot.

torch and LeRobot are imported here, while a file is made, and never while a robot runs.
"""
