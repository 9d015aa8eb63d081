"""ONNX Runtime, prediction only."""

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

NAME = "onnxruntime"
OPERATORS = {"logistic": "Sigmoid", "tanh": "Tanh", "relu": "Relu"}
ACTIVATIONS = tuple(OPERATORS)


def model(case, coefs, intercepts):
    """The network as a graph of Gemm and activation nodes."""
    nodes, constants, last = [], [], "x"
    for layer, pair in enumerate(zip(coefs, intercepts, strict=True)):
        names = [f"W{layer}", f"b{layer}"]
        constants += [
            numpy_helper.from_array(np.ascontiguousarray(each), name)
            for each, name in zip(pair, names, strict=True)
        ]
        nodes.append(helper.make_node("Gemm", [last, *names], [f"z{layer}"]))
        last = f"z{layer}"
        if layer < len(coefs) - 1:
            nodes.append(helper.make_node(OPERATORS[case.activation], [last], [f"a{layer}"]))
            last = f"a{layer}"
    kind = TensorProto.FLOAT if coefs[0].dtype == np.float32 else TensorProto.DOUBLE
    x = helper.make_tensor_value_info("x", kind, [None, case.n_features])
    out = helper.make_tensor_value_info(last, kind, [None, case.layers[-1]])
    graph = helper.make_graph(nodes, "mlp", [x], [out], constants)
    # an old format, which every version of the runtime reads
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def predictor(case, coefs, intercepts, threads):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model(case, coefs, intercepts).SerializeToString(),
        options,
        providers=["CPUExecutionProvider"],
    )
    names = [session.get_outputs()[0].name]
    return lambda x: session.run(names, {"x": x})[0]
