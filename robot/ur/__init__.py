"""Universal Robots arms: the RTDE protocol, the driver, and a controller on this machine to try them against."""
