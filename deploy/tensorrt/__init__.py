"""TensorRT: engines built on the machine that runs them, and the backend that runs them. Written for 10.3 to 11.x."""
