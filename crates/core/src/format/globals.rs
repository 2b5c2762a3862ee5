//! The globals that a pickle may import without running code of its maker's choice.
//!
//! Whatever is not here counts as code: importing a module runs it, and what it holds may be called with any argument. On the
//! list stands what only makes a value, whatever it is called with: containers, numbers, dates, arrays, tensors. Not on it, for
//! all their harmless looks: `getattr`, `type`, `map`, `functools.partial`, `operator.*`, `copyreg.__newobj__`,
//! `torch.storage._load_from_bytes` (which loads another pickle), and every class with an `__init__` or `__setstate__` in Python
//! that is not known here. A name with a dot (`set.__init__`) is matched as a whole, so it is on no list.

/// Whether importing and calling `module.name` only makes a value.
pub(super) fn is_harmless(module: &str, name: &str) -> bool {
    match module {
        "builtins" | "__builtin__" => BUILTINS.contains(&name),
        "collections" => ["OrderedDict", "defaultdict", "deque", "Counter"].contains(&name),
        "copyreg" | "copy_reg" => name == "_reconstructor",
        "_codecs" => name == "encode",
        "datetime" => ["date", "datetime", "time", "timedelta", "timezone"].contains(&name),
        "decimal" => name == "Decimal",
        "fractions" => name == "Fraction",
        "uuid" => name == "UUID",
        "numpy" => name == "ndarray" || name == "dtype" || NUMPY_SCALARS.contains(&name),
        "numpy.core.multiarray" | "numpy._core.multiarray" => ["_reconstruct", "scalar"].contains(&name),
        "numpy.core.numeric" | "numpy._core.numeric" => name == "_frombuffer",
        "numpy.dtypes" => name.strip_suffix("DType").is_some_and(is_word),
        "torch._utils" => TORCH_REBUILDERS.contains(&name),
        "torch._tensor" => name == "_rebuild_from_type_v2",
        "torch.nn.parameter" => ["Parameter", "Buffer", "UninitializedParameter"].contains(&name),
        "torch.storage" => ["TypedStorage", "UntypedStorage"].contains(&name),
        "torch.serialization" => name == "_get_layout",
        "torch.torch_version" => name == "TorchVersion",
        "torch.jit._pickle" => TORCHSCRIPT_BUILDERS.contains(&name),
        "torch" | "torch.cuda" => {
            storage_dtype(name).is_some() || (module == "torch" && (TORCH_VALUES.contains(&name) || is_dtype(name)))
        }
        _ => false,
    }
}

/// Whether Python could find a module of this name: it is a text, and of characters that a name of a file can have.
pub(super) fn is_findable(module: &str) -> bool {
    !module.is_empty() && !module.contains([char::REPLACEMENT_CHARACTER, '/']) && !module.contains(char::is_control)
}

/// The data type of the elements of one of PyTorch's storages.
pub(super) fn storage_dtype(name: &str) -> Option<&'static str> {
    STORAGES.iter().find(|(storage, _)| *storage == name).map(|(_, dtype)| *dtype)
}

/// Whether calling it makes a tensor that did not exist before.
pub(super) fn makes_tensor(module: &str, name: &str) -> bool {
    module == "torch._utils" && name.starts_with("_rebuild_") && name.contains("tensor")
}

/// Whether `name` is one of PyTorch's data types.
pub(super) fn is_dtype(name: &str) -> bool {
    DTYPES.contains(&name) || STORAGES.iter().any(|(_, dtype)| *dtype == name)
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

const BUILTINS: [&str; 15] = [
    "bool",
    "bytearray",
    "bytes",
    "complex",
    "dict",
    "float",
    "frozenset",
    "int",
    "list",
    "long",
    "object",
    "range",
    "set",
    "slice",
    "str",
];

const NUMPY_SCALARS: [&str; 25] = [
    "bool",
    "bool_",
    "bytes_",
    "complex128",
    "complex64",
    "datetime64",
    "float16",
    "float32",
    "float64",
    "int16",
    "int32",
    "int64",
    "int8",
    "intc",
    "longdouble",
    "longlong",
    "object_",
    "str_",
    "timedelta64",
    "uint16",
    "uint32",
    "uint64",
    "uint8",
    "ulonglong",
    "void",
];

const TORCH_REBUILDERS: [&str; 13] = [
    "_rebuild_device_tensor_from_cpu_tensor",
    "_rebuild_device_tensor_from_numpy",
    "_rebuild_meta_tensor_no_storage",
    "_rebuild_nested_tensor",
    "_rebuild_parameter",
    "_rebuild_parameter_with_state",
    "_rebuild_qtensor",
    "_rebuild_sparse_csr_tensor",
    "_rebuild_sparse_tensor",
    "_rebuild_tensor",
    "_rebuild_tensor_v2",
    "_rebuild_tensor_v3",
    "_rebuild_wrapper_subclass",
];

const TORCHSCRIPT_BUILDERS: [&str; 6] = [
    "build_boollist",
    "build_doublelist",
    "build_intlist",
    "build_tensor_from_id",
    "build_tensorlist",
    "restore_type_tag",
];

const TORCH_VALUES: [&str; 19] = [
    "Size",
    "Tensor",
    "channels_last",
    "channels_last_3d",
    "contiguous_format",
    "device",
    "jagged",
    "per_channel_affine",
    "per_channel_affine_float_qparams",
    "per_channel_symmetric",
    "per_tensor_affine",
    "per_tensor_symmetric",
    "preserve_format",
    "sparse_bsc",
    "sparse_bsr",
    "sparse_coo",
    "sparse_csc",
    "sparse_csr",
    "strided",
];

const STORAGES: [(&str, &str); 18] = [
    ("BFloat16Storage", "bfloat16"),
    ("BoolStorage", "bool"),
    ("ByteStorage", "uint8"),
    ("CharStorage", "int8"),
    ("ComplexDoubleStorage", "complex128"),
    ("ComplexFloatStorage", "complex64"),
    ("DoubleStorage", "float64"),
    ("FloatStorage", "float32"),
    ("HalfStorage", "float16"),
    ("IntStorage", "int32"),
    ("LongStorage", "int64"),
    ("QInt32Storage", "qint32"),
    ("QInt8Storage", "qint8"),
    ("QUInt2x4Storage", "quint2x4"),
    ("QUInt4x2Storage", "quint4x2"),
    ("QUInt8Storage", "quint8"),
    ("ShortStorage", "int16"),
    ("UntypedStorage", "untyped"),
];

const DTYPES: [&str; 10] = [
    "complex32",
    "float4_e2m1fn_x2",
    "float8_e4m3fn",
    "float8_e4m3fnuz",
    "float8_e5m2",
    "float8_e5m2fnuz",
    "float8_e8m0fnu",
    "uint16",
    "uint32",
    "uint64",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_makes_values_alone_is_harmless() {
        for (module, name) in [
            ("collections", "OrderedDict"),
            ("torch._utils", "_rebuild_tensor_v2"),
            ("torch", "FloatStorage"),
            ("torch", "bfloat16"),
            ("torch", "float8_e4m3fn"),
            ("torch.cuda", "HalfStorage"),
            ("numpy._core.multiarray", "_reconstruct"),
            ("numpy.dtypes", "Float32DType"),
            ("__builtin__", "set"),
        ] {
            assert!(is_harmless(module, name), "{module}.{name}");
        }
    }

    #[test]
    fn what_runs_code_or_reaches_it_is_not() {
        for (module, name) in [
            ("os", "system"),
            ("posix", "system"),
            ("nt", "system"),
            ("builtins", "eval"),
            ("builtins", "exec"),
            ("builtins", "getattr"),
            ("builtins", "type"),
            ("builtins", "map"),
            ("builtins", "__import__"),
            ("__builtin__", "apply"),
            ("builtins", "set.__init__"),
            ("collections", "OrderedDict.__init__.__globals__"),
            ("collections", "namedtuple"),
            ("functools", "partial"),
            ("operator", "attrgetter"),
            ("copyreg", "__newobj__"),
            ("torch.storage", "_load_from_bytes"),
            ("torch", "load"),
            ("torch", "hub"),
            ("torch", "bytes"),
            ("torch.cuda", "float32"),
            ("torch.jit._pickle", "x"),
            ("torch.nn.modules.linear", "Linear"),
            ("numpy", "load"),
            ("numpy.dtypes", "DType"),
            ("numpy.dtypes", "x.DType"),
            ("numpy.core.multiarray", "fromfile"),
            ("joblib.numpy_pickle", "NumpyArrayWrapper"),
            ("collections ", "OrderedDict"),
            ("", ""),
        ] {
            assert!(!is_harmless(module, name), "{module}.{name}");
        }
    }
}
