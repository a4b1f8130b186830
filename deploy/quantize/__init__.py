"""Fewer bits: which part of a network may lose them, with what ranges, in what form, and what it costs.

| module | owns |
| --- | --- |
| `index` | a model in a form that can be rewritten, and an index of its edges |
| `graph` | reading and writing; which nodes must stay in float, by analysis of the graph |
| `calibrate` | ranges of the tensors out of frames: minimum and maximum, percentile, entropy |
| `qdq` | INT8 as QuantizeLinear / DequantizeLinear pairs: symmetric S8, and U8 for ONNX Runtime on x86 |
| `half` | FP16, strongly typed; INT8 with FP16 elsewhere |
| `expectation` | the softmax over distances of YOLO heads, in a form that CPUs run faster |
| `lint` | what TensorRT would reject, or run slowly, in a graph with such pairs |
| `sensitivity` | which layers lose most, and which to give back their bits |
| `recipe` | the search over all of it |

Nothing here knows what a box is: accuracy comes in as a callable.
"""
