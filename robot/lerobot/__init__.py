"""Any robot that LeRobot knows as an arm: the joints of `robot.arm` on one side, LeRobot's features on the other."""
