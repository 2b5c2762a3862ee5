"""Writes the small model files of this folder with the frameworks themselves.

    python make.py tensorflow OUT     # Keras and TensorFlow
    python make.py tf_keras OUT       # Keras 2, whose weights are laid out otherwise
    python make.py pytorch OUT        # PyTorch and safetensors
    python make.py plain OUT          # pickle and NumPy
    python make.py tensorflow_operations OUT  # a SavedModel whose operations reach beyond it
    python make.py hdf5 OUT           # HDF5 that no framework is behind, with h5py
    python make.py gguf OUT
    python make.py onnx OUT
    python make.py flax OUT

Each section prints the versions it wrote with; README.md of this folder keeps them. Run it from an empty folder: some
frameworks write down where they run.
"""

import os
import pickle
import sys
from pathlib import Path

SEED = 7


def tensorflow(out: Path) -> None:
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    import keras
    import tensorflow as tf

    print("tensorflow", tf.__version__, "keras", keras.__version__)
    keras.utils.set_random_seed(SEED)
    layers = keras.layers

    def plain():
        return keras.Sequential([keras.Input((4,)), layers.Dense(3, activation="relu"), layers.Dense(2)], name="tiny")

    def with_lambda():
        return keras.Sequential([keras.Input((4,)), layers.Lambda(lambda x: x * 2, name="doubles"), layers.Dense(2)], name="tiny_lambda")

    @keras.saving.register_keras_serializable(package="examples")
    class Scale(layers.Layer):
        def call(self, x):
            return x * 3

    custom = keras.Sequential([keras.Input((4,)), Scale(), layers.Dense(2)], name="tiny_custom")

    plain().save(out / "keras_sequential.keras")
    with_lambda().save(out / "keras_lambda.keras")
    custom.save(out / "keras_custom_class.keras")
    functional_input = keras.Input((4,))
    nested = keras.Model(functional_input, with_lambda()(functional_input), name="tiny_nested")
    nested.save(out / "keras_nested_lambda.keras")

    plain().save(out / "keras_hdf5_model.h5")
    with_lambda().save(out / "keras_hdf5_lambda.h5")
    trained = plain()
    trained.compile(optimizer="sgd", loss="mse")
    trained.save(out / "keras_hdf5_compiled.h5")
    plain().save_weights(out / "keras_hdf5.weights.h5")

    plain().export(out / "tensorflow_saved_model", verbose=False)


def tf_keras(out: Path) -> None:
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import tf_keras

    print("tf_keras", tf_keras.__version__)
    tf_keras.utils.set_random_seed(SEED)
    model = tf_keras.Sequential([tf_keras.Input((4,)), tf_keras.layers.Dense(2)])
    model.save_weights(str(out / "tf_keras_hdf5_weights.h5"))
    model.save(str(out / "tf_keras_hdf5_model.h5"))


def pytorch(out: Path) -> None:
    import torch

    print("torch", torch.__version__)
    torch.manual_seed(SEED)

    def model():
        return torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU(), torch.nn.Linear(3, 2))

    class Tiny(torch.nn.Module):
        """Of its own: some of the formats keep the source of every class in them."""

        def __init__(self):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.randn(2, 4))

        def forward(self, x):
            return x @ self.weight.t()

    # A pickle finds a class by its module and name.
    Tiny.__qualname__ = "Tiny"
    globals()["Tiny"] = Tiny

    net = model()
    state = net.state_dict()
    torch.save(state, out / "pytorch_state_dict.pth")
    torch.save(net, out / "pytorch_full_model.pth")
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9)
    net(torch.ones(1, 4)).sum().backward()
    optimizer.step()
    torch.save({"epoch": 3, "state_dict": net.state_dict(), "optimizer": optimizer.state_dict()}, out / "pytorch_checkpoint.tar")
    old = {"_use_new_zipfile_serialization": False}
    torch.save(state, out / "pytorch_legacy_state_dict.pt", **old)
    torch.save(Tiny(), out / "pytorch_legacy_full_model.pt", **old)
    half = {name: tensor.to(torch.bfloat16) for name, tensor in state.items()}
    torch.save(half, out / "pytorch_bfloat16_state_dict.bin")
    quantized = {"weight": torch.quantize_per_tensor(state["0.weight"], 0.1, 0, torch.qint8)}
    torch.save(quantized, out / "pytorch_quantized_state_dict.pth")
    torch.save(torch.arange(4), out / "pytorch_tensor.pt")
    torch.jit.script(Tiny()).save(out / "pytorch_torchscript.pt")
    if hasattr(torch, "export"):
        exported = torch.export.export(Tiny(), (torch.ones(1, 4),))
        torch.export.save(exported, out / "pytorch_export.pt2")

    try:
        import safetensors
        import safetensors.torch
    except ImportError:
        return
    print("safetensors", safetensors.__version__)
    safetensors.torch.save_file(state, out / "safetensors_torch.safetensors", metadata={"format": "pt"})
    safetensors.torch.save_file(half, out / "safetensors_bfloat16.safetensors")


class RunsOnLoad:
    """Runs a harmless command when it is unpickled."""

    def __reduce__(self):
        return os.system, ("true",)


def plain(out: Path) -> None:
    import numpy as np

    print("python", sys.version.split()[0], "numpy", np.__version__)
    harmless = {"name": "tiny", "weights": [0.5, -1.25], "epochs": 3, "done": True}
    for protocol in (0, 1, 2, 3, 4, 5):
        (out / f"pickle_protocol_{protocol}.pkl").write_bytes(pickle.dumps(harmless, protocol))
    for protocol in (0, 2, 4):
        (out / f"pickle_runs_on_load_{protocol}.pkl").write_bytes(pickle.dumps(RunsOnLoad(), protocol))
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    (out / "pickle_numpy_array.pkl").write_bytes(pickle.dumps({"weights": array}, 4))
    np.save(out / "numpy_float32.npy", array)
    np.save(out / "numpy_fortran_order.npy", np.asfortranarray(array))
    np.save(out / "numpy_object_array.npy", np.array([{"a": 1}, None], dtype=object), allow_pickle=True)
    np.savez(out / "numpy_archive.npz", weights=array, bias=np.zeros(2))
    np.savez_compressed(out / "numpy_archive_compressed.npz", weights=array)
    np.savez(out / "numpy_archive_objects.npz", objects=np.array([{"a": 1}], dtype=object))
    try:
        import joblib
    except ImportError:
        joblib = None
    if joblib:
        print("joblib", joblib.__version__)
        joblib.dump({"coefficients": array}, out / "joblib_array.joblib")
        joblib.dump({"coefficients": array}, out / "joblib_array_compressed.joblib", compress=3)
    try:
        import safetensors.numpy
    except ImportError:
        return
    safetensors.numpy.save_file({"weights": array}, out / "safetensors_numpy.safetensors")


def tensorflow_operations(out: Path) -> None:
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    import tensorflow as tf

    print("tensorflow", tf.__version__)

    class Reaches(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([], tf.float32)])
        def calls_python(self, x):
            return tf.py_function(lambda y: y * 2, [x], tf.float32)

        @tf.function(input_signature=[tf.TensorSpec([], tf.string)])
        def reads(self, path):
            return tf.io.read_file(path)

    tf.saved_model.save(Reaches(), str(out / "tensorflow_saved_model_reaches"))


def hdf5(out: Path) -> None:
    import h5py
    import numpy as np

    print("h5py", h5py.__version__, "HDF5", h5py.version.hdf5_version)
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    with h5py.File(out / "hdf5_plain.h5", "w") as file:
        file.create_dataset("measured/values", data=array)
        file.attrs["author"] = "nobody"
    with h5py.File(out / "hdf5_latest.h5", "w", libver="latest") as file:
        file.create_dataset("measured/values", data=array)
        file.attrs["author"] = "nobody"
    with h5py.File(out / "hdf5_dense.h5", "w", libver="latest") as file:
        for number in range(12):
            file.create_dataset(f"value_{number}", data=array)
            file.attrs[f"attribute_{number}"] = "nobody"
        file.attrs["model_config"] = '{"class_name": "Lambda", "config": {"name": "hidden"}}'
    with h5py.File(out / "hdf5_many_members.h5", "w") as file:
        for number in range(24):
            file.create_group(f"group_{number:02}")
    with h5py.File(out / "hdf5_cycle.h5", "w") as file:
        file.create_group("member")["root"] = file["/"]
    with h5py.File(out / "hdf5_user_block.h5", "w", userblock_size=512) as file:
        file.create_dataset("values", data=array)
    with h5py.File(out / "hdf5_external_link.h5", "w") as file:
        file["values"] = h5py.ExternalLink("../elsewhere.h5", "/secret")
    with h5py.File(out / "hdf5_external_storage.h5", "w") as file:
        file.create_dataset("values", (6,), "f4", external=[("/etc/hostname", 0, 24)])
    with h5py.File(out / "hdf5_virtual.h5", "w", libver="latest") as file:
        layout = h5py.VirtualLayout((3,), "f4")
        layout[:] = h5py.VirtualSource("../elsewhere.h5", "secret", (3,))
        file.create_virtual_dataset("values", layout)


def gguf(out: Path) -> None:
    from importlib.metadata import version

    import numpy as np
    from gguf import GGMLQuantizationType, GGUFEndian, GGUFWriter

    print("gguf", version("gguf"))

    def write(name, template=None, endian=GGUFEndian.LITTLE):
        writer = GGUFWriter(out / name, "llama", endianess=endian)
        writer.add_name("tiny")
        writer.add_file_type(0)
        writer.add_token_list(["<s>", "a", "b"])
        if template:
            writer.add_chat_template(template)
        writer.add_tensor("token_embd.weight", np.arange(6, dtype=np.float32).reshape(3, 2))
        writer.add_tensor("output.weight", np.zeros((2, 34), dtype=np.uint8), raw_dtype=GGMLQuantizationType.Q8_0)
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()

    write("gguf_v3.gguf")
    write("gguf_v3_big_endian.gguf", endian=GGUFEndian.BIG)
    write("gguf_chat_template.gguf", "{% for message in messages %}{{ message.content }}{% endfor %}")
    write("gguf_chat_template_escapes.gguf", "{{ ''.__class__.__mro__[1].__subclasses__() }}")


def onnx(out: Path) -> None:
    import numpy as np
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    print("onnx", onnx.__version__)
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 4])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 2])
    weights = np.arange(8, dtype=np.float32).reshape(4, 2)

    def model(nodes, initializers, opsets=(), functions=()):
        graph = helper.make_graph(nodes, "tiny", [x], [y], initializers)
        versions = [helper.make_opsetid("", 21), *(helper.make_opsetid(*set) for set in opsets)]
        return helper.make_model(graph, opset_imports=versions, producer_name="make.py", functions=functions)

    w = numpy_helper.from_array(weights, "w")
    product = helper.make_node("MatMul", ["x", "w"], ["y"])
    onnx.save(model([product], [w]), out / "onnx_plain.onnx")
    custom = helper.make_node("Mystery", ["x", "w"], ["y"], domain="example.custom")
    onnx.save(model([custom], [w], [("example.custom", 1)]), out / "onnx_custom_operation.onnx")
    function = helper.make_function("example", "Product", ["a", "b"], ["c"], [helper.make_node("MatMul", ["a", "b"], ["c"])], [helper.make_opsetid("", 21)])
    call = helper.make_node("Product", ["x", "w"], ["y"], domain="example")
    onnx.save(model([call], [w], [("example", 1)], [function]), out / "onnx_own_function.onnx")
    branch = helper.make_graph([custom], "branch", [], [y])
    condition = helper.make_tensor("condition", TensorProto.BOOL, [], [True])
    choice = helper.make_node("If", ["condition"], ["y"], then_branch=branch, else_branch=branch)
    onnx.save(model([choice], [w, condition], [("example.custom", 1)]), out / "onnx_custom_operation_in_branch.onnx")

    def elsewhere(name, place):
        tensor = numpy_helper.from_array(weights, "w")
        onnx.external_data_helper.set_external_data(tensor, place, 0, weights.nbytes)
        tensor.ClearField("raw_data")
        tensor.data_location = TensorProto.EXTERNAL
        (out / name).write_bytes(model([product], [tensor]).SerializeToString())

    elsewhere("onnx_external_data.onnx", "weights.bin")
    elsewhere("onnx_external_data_outside.onnx", "../../etc/passwd")


def flax(out: Path) -> None:
    import flax
    import jax.numpy as jnp
    import numpy as np
    from flax import serialization

    print("flax", flax.__version__)
    array = np.arange(6, dtype=np.float32).reshape(2, 3)
    params = {"params": {"Dense_0": {"kernel": jnp.asarray(array), "bias": jnp.zeros(3)}}}
    (out / "flax_params.msgpack").write_bytes(serialization.to_bytes(params))
    state = {**params, "step": 3, "half": jnp.ones(2, jnp.bfloat16), "scale": np.float32(2), "pole": 1 + 2j, "name": "tiny", "none": None}
    (out / "flax_state.msgpack").write_bytes(serialization.msgpack_serialize(state))


SECTIONS = {
    section.__name__: section
    for section in (tensorflow, tf_keras, pytorch, plain, tensorflow_operations, hdf5, gguf, onnx, flax)
}

if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in SECTIONS:
        sys.exit(__doc__)
    folder = Path(sys.argv[2])
    folder.mkdir(parents=True, exist_ok=True)
    SECTIONS[sys.argv[1]](folder)
