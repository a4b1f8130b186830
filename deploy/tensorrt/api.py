"""Every name of TensorRT's and of CUDA's Python modules that we use, by what uses it; nothing else may be used.

TensorRT 11 took away what older tutorials call: implicit precision flags, calibrators, `EXPLICIT_BATCH`,
`OnnxParser.supports_model`. What stands here exists in 10.3 (JetPack 6.2), 10.16 (JetPack 7.2) and 11.x alike, and
tests hold it against the real modules of each.
"""

from __future__ import annotations

from collections.abc import Iterable

OLDEST, NEWEST = (10, 3), (11, 99)

RUN = (
    "__version__",
    "ILogger.Severity.ERROR",
    "ILogger.Severity.INTERNAL_ERROR",
    "ILogger.Severity.WARNING",
    "ILogger.log",
    "Runtime.deserialize_cuda_engine",
    "ICudaEngine.create_execution_context",
    "ICudaEngine.get_tensor_dtype",
    "ICudaEngine.get_tensor_format",
    "ICudaEngine.get_tensor_location",
    "ICudaEngine.get_tensor_mode",
    "ICudaEngine.get_tensor_name",
    "ICudaEngine.get_tensor_shape",
    "ICudaEngine.num_io_tensors",
    "IExecutionContext.execute_async_v3",
    "IExecutionContext.set_tensor_address",
    "DataType.BOOL",
    "DataType.FLOAT",
    "DataType.HALF",
    "DataType.INT32",
    "DataType.INT64",
    "DataType.INT8",
    "DataType.UINT8",
    "TensorFormat.LINEAR",
    "TensorIOMode.INPUT",
    "TensorIOMode.OUTPUT",
    "TensorLocation.DEVICE",
)

BUILD = (
    "Builder.build_serialized_network",
    "Builder.create_builder_config",
    "Builder.create_network",
    "EngineInspector.get_engine_information",
    "IBuilderConfig.create_timing_cache",
    "IBuilderConfig.get_timing_cache",
    "IBuilderConfig.profiling_verbosity",
    "IBuilderConfig.set_memory_pool_limit",
    "IBuilderConfig.set_timing_cache",
    "ICudaEngine.create_engine_inspector",
    "IHostMemory.nbytes",
    "ITimingCache.serialize",
    "LayerInformationFormat.JSON",
    "MemoryPoolType.WORKSPACE",
    "NetworkDefinitionCreationFlag.STRONGLY_TYPED",
    "OnnxParser.get_error",
    "OnnxParser.num_errors",
    "OnnxParser.parse",
    "ParserError.desc",
    "ParserError.node_name",
    "ParserError.node_operator",
    "ProfilingVerbosity.DETAILED",
)

CUDA = (
    "cudaDeviceAttr.cudaDevAttrCanMapHostMemory",
    "cudaDeviceAttr.cudaDevAttrComputeCapabilityMajor",
    "cudaDeviceAttr.cudaDevAttrComputeCapabilityMinor",
    "cudaDeviceAttr.cudaDevAttrIntegrated",
    "cudaDeviceGetAttribute",
    "cudaDriverGetVersion",
    "cudaEventBlockingSync",
    "cudaEventCreateWithFlags",
    "cudaEventDestroy",
    "cudaEventDisableTiming",
    "cudaEventRecord",
    "cudaEventSynchronize",
    "cudaFree",
    "cudaFreeHost",
    "cudaGetDevice",
    "cudaGetDeviceProperties",
    "cudaGetErrorString",
    "cudaGetLastError",
    "cudaGraphDestroy",
    "cudaGraphExecDestroy",
    "cudaGraphInstantiate",
    "cudaGraphLaunch",
    "cudaHostAlloc",
    "cudaHostAllocDefault",
    "cudaHostAllocMapped",
    "cudaHostGetDevicePointer",
    "cudaMalloc",
    "cudaMemcpyAsync",
    "cudaMemcpyKind.cudaMemcpyDeviceToHost",
    "cudaMemcpyKind.cudaMemcpyHostToDevice",
    "cudaStreamBeginCapture",
    "cudaStreamCaptureMode.cudaStreamCaptureModeThreadLocal",
    "cudaStreamCreateWithFlags",
    "cudaStreamDestroy",
    "cudaStreamEndCapture",
    "cudaStreamNonBlocking",
)


def absent(module: object, names: Iterable[str]) -> list[str]:
    """Those of the dotted names that a module lacks."""
    return [name for name in names if not has(module, name)]


def has(module: object, name: str) -> bool:
    """Whether a module has a dotted name."""
    found = module
    for part in name.split("."):
        if not hasattr(found, part):
            return False
        found = getattr(found, part)
    return True
