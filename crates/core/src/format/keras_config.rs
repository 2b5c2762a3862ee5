//! The configuration of a Keras model, in JSON: which layers run code of their own.
//!
//! A configuration is objects in objects, each with a `class_name`; Keras 3 says a `module` too, and a `registered_name` for
//! classes that somebody registered. What is not of Keras by these is somebody's own. Strings that stand where a function may
//! (`"loss": "mine"`) bring nothing along: whoever loads the model has to give the function.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{DeserializeSeed, Error as _, MapAccess, SeqAccess, Visitor};

use super::CodeOnLoad;
use super::bytes::Stop;
use super::cursor::shown;
use super::keras_classes::CLASSES;

/// The most that is said of one model.
const MOST_FOUND: usize = 4096;

/// Parts of Keras whose classes a model is made of.
const MODULES: [&str; 17] = [
    "activations",
    "applications",
    "backend",
    "constraints",
    "dtype_policies",
    "engine",
    "initializers",
    "layers",
    "losses",
    "metrics",
    "mixed_precision",
    "models",
    "ops",
    "optimizers",
    "quantizers",
    "random",
    "regularizers",
];

/// Parts of Keras whose functions compute. Others, such as `keras.utils.get_file`, do more.
const FUNCTIONS: [&str; 9] =
    ["activations", "constraints", "initializers", "losses", "metrics", "ops", "quantizers", "random", "regularizers"];

/// Layers of Keras that run what a model brings along: other frameworks' modules, other models, single operations.
const WRAPPERS: [&str; 7] =
    ["ClassMethod", "FlaxLayer", "InstanceMethod", "JaxLayer", "TFSMLayer", "TensorFlowOpLayer", "TorchModuleWrapper"];

/// Names that stand for a value instead of an object. With a module they are names as any other.
const VALUES: [&str; 12] = [
    "CompositeTensor",
    "Dimension",
    "TensorShape",
    "TypeSpec",
    "__bytes__",
    "__ellipsis__",
    "__keras_tensor__",
    "__numpy__",
    "__slice__",
    "__tensor__",
    "__tuple__",
    "__typespec__",
];

/// What stands before the names of classes that Keras registers itself.
const REGISTERED_BY_KERAS: &str = "Keras>";

/// The modules of TensorFlow whose functions a layer may call.
const TENSORFLOW: [&str; 15] = [
    "__operators__",
    "audio",
    "bitwise",
    "dtypes",
    "image",
    "linalg",
    "math",
    "nn",
    "quantization",
    "ragged",
    "random",
    "sets",
    "signal",
    "sparse",
    "strings",
];

/// What a configuration says.
#[derive(Debug, Default)]
pub(super) struct KerasConfig {
    /// The class of the model, such as `Sequential`.
    pub(super) class_name: Option<String>,
    /// Layers and objects that run code of their maker's choice.
    pub(super) code: Vec<CodeOnLoad>,
}

/// Reads the text of `config.json`, or of the attribute `model_config`.
pub(super) fn read(json: &[u8]) -> Result<KerasConfig, Stop> {
    let mut found = Found::default();
    let mut reader = serde_json::Deserializer::from_slice(json);
    let outcome = Look(&mut found).deserialize(&mut reader);
    let node = outcome.and_then(|node| reader.end().map(|()| node));
    let node = node.map_err(|error| Stop::malformed(format!("the configuration of the model is not JSON: {error}")))?;
    let class_name = match node {
        Node::Object(object) => object.class_name.map(|name| shown(name.as_bytes())),
        Node::Text(_) | Node::Other => None,
    };
    if found.functions > 0 {
        found.code.insert(CodeOnLoad::LambdaLayer("__lambda__".to_owned()));
    }
    Ok(KerasConfig { class_name, code: found.code.into_iter().collect() })
}

#[derive(Default)]
struct Found {
    code: BTreeSet<CodeOnLoad>,
    /// Functions of bytecode that no object has claimed yet.
    functions: usize,
}

/// A value of the configuration, as far as its parent needs it.
enum Node {
    Text(String),
    Object(Box<Object>),
    Other,
}

#[derive(Default)]
struct Object {
    class_name: Option<String>,
    module: Option<String>,
    registered_name: Option<String>,
    name: Option<String>,
    function: Option<String>,
    vocabulary: Option<String>,
    config: Option<Node>,
}

impl Object {
    fn keep(&mut self, key: &str, node: Node) {
        let place = match key {
            "config" => {
                self.config = Some(node);
                return;
            }
            "class_name" => &mut self.class_name,
            "module" => &mut self.module,
            "registered_name" => &mut self.registered_name,
            "name" => &mut self.name,
            "function" => &mut self.function,
            "vocabulary" => &mut self.vocabulary,
            _ => return,
        };
        // Of members that stand twice, Python takes the last.
        *place = match node {
            Node::Text(text) => Some(text),
            Node::Object(_) | Node::Other => None,
        };
    }

    fn config(&self) -> Option<&Self> {
        match &self.config {
            Some(Node::Object(config)) => Some(config),
            Some(Node::Text(_) | Node::Other) | None => None,
        }
    }
}

impl Found {
    /// Looks at an object, all of whose members have been looked at. `functions` were unclaimed before it.
    fn judge(&mut self, object: &Object, functions: usize) {
        let Some(class) = object.class_name.as_deref() else { return };
        let class = class.strip_prefix(REGISTERED_BY_KERAS).unwrap_or(class);
        if class == "__lambda__" {
            self.functions += 1;
            return;
        }
        let config = object.config();
        let name = config.and_then(|config| config.name.as_deref()).or(object.name.as_deref()).unwrap_or(class);
        if class == "Lambda" || self.functions > functions {
            self.functions = functions;
            self.code.insert(CodeOnLoad::LambdaLayer(shown(name.as_bytes())));
        }
        let operation = match class {
            _ if WRAPPERS.contains(&class) => Some(format!("{class} `{name}`")),
            "TFOpLambda" | "SlicingOpLambda" => {
                let function = config.and_then(|config| config.function.as_deref()).unwrap_or_default();
                if is_computation(function) { None } else { Some(format!("{class} that calls `{function}`")) }
            }
            _ => {
                let vocabulary = config.and_then(|config| config.vocabulary.as_deref());
                vocabulary.map(|path| format!("{class} `{name}` that reads `{path}`"))
            }
        };
        if let Some(operation) = operation {
            self.code.insert(CodeOnLoad::Operation(shown(operation.as_bytes())));
        }
        if let Some(custom) = custom(object, class) {
            self.code.insert(CodeOnLoad::CustomObject(shown(custom.as_bytes())));
        }
    }
}

/// The name of an object, if it is not of Keras.
fn custom(object: &Object, class: &str) -> Option<String> {
    let registered = object.registered_name.as_deref().filter(|name| name.contains('>'));
    let registered = registered.or_else(|| class.contains('>').then_some(class));
    if let Some(registered) = registered.filter(|name| !name.starts_with(REGISTERED_BY_KERAS)) {
        return Some(registered.to_owned());
    }
    // Whatever is registered, Keras imports the module that is named.
    let is_known = match object.module.as_deref() {
        Some(module) if class == "__typespec__" => module == "tensorflow" || module.starts_with("tensorflow.python."),
        Some(module) => match keras_part(module) {
            Some("") => is_class(class),
            Some(part) if class == "function" => FUNCTIONS.contains(&part),
            Some(part) => MODULES.contains(&part),
            None => false,
        },
        None => is_class(class) || is_judged_by_name(class) || VALUES.contains(&class),
    };
    if is_known {
        return None;
    }
    let name = match &object.config {
        Some(Node::Text(function)) if class == "function" => function,
        _ => class,
    };
    Some(match object.module.as_deref() {
        Some(module) => format!("{module}>{name}"),
        None => name.to_owned(),
    })
}

/// Which part of Keras a module is in: empty for Keras as a whole, none for other packages.
fn keras_part(module: &str) -> Option<&str> {
    let mut parts = module.split('.');
    if !matches!(parts.next(), Some("keras" | "tf_keras")) {
        return None;
    }
    match parts.next() {
        Some("src") => Some(parts.next().unwrap_or("src")),
        part => Some(part.unwrap_or("")),
    }
}

fn is_judged_by_name(class: &str) -> bool {
    matches!(class, "Lambda" | "TFOpLambda" | "SlicingOpLambda") || WRAPPERS.contains(&class)
}

/// Whether a function of TensorFlow only computes. Those at the top do, but for a few.
fn is_computation(function: &str) -> bool {
    let function = function.strip_prefix("compat.v1.").unwrap_or(function);
    match function.split_once('.') {
        Some((module, _)) => TENSORFLOW.contains(&module),
        None => {
            let reaches = ["py_func", "numpy_function", "load", "file", "print", "import", "eval", "function"];
            !function.is_empty() && !reaches.iter().any(|word| function.contains(word))
        }
    }
}

fn is_class(name: &str) -> bool {
    CLASSES.binary_search(&name).is_ok()
}

/// Looks at a value and all that is in it. How deep that may be, `serde_json` limits.
struct Look<'a>(&'a mut Found);

impl<'de> DeserializeSeed<'de> for Look<'_> {
    type Value = Node;

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Look<'_> {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Node, E> {
        Ok(Node::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Node, E> {
        Ok(Node::Other)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Node, E> {
        Ok(Node::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Node, E> {
        Ok(Node::Other)
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Other)
    }

    fn visit_str<E>(self, text: &str) -> Result<Node, E> {
        Ok(Node::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Node, A::Error> {
        while elements.next_element_seed(Look(self.0))?.is_some() {}
        Ok(Node::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Node, A::Error> {
        let functions = self.0.functions;
        let mut object = Object::default();
        while let Some(key) = members.next_key::<String>()? {
            let node = members.next_value_seed(Look(self.0))?;
            object.keep(&key, node);
        }
        self.0.judge(&object, functions);
        if self.0.code.len() > MOST_FOUND {
            return Err(A::Error::custom(format!("more than {MOST_FOUND} objects run code of their own")));
        }
        // What is in it has been looked at, and its parent asks for no more than its own members.
        if let Some(Node::Object(config)) = &mut object.config {
            config.config = None;
        }
        Ok(Node::Object(Box::new(object)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(json: &str) -> Vec<String> {
        let config = read(json.as_bytes()).expect("a configuration");
        config.code.iter().map(ToString::to_string).collect()
    }

    /// A layer as Keras 3 writes it.
    fn layer(module: &str, class: &str, config: &str) -> String {
        format!(r#"{{"module": {module}, "class_name": "{class}", "config": {config}, "registered_name": null}}"#)
    }

    #[test]
    fn classes_are_sorted_for_the_search() {
        assert!(CLASSES.is_sorted());
    }

    #[test]
    fn layers_of_keras_are_no_code() {
        let dense = layer("\"keras.layers\"", "Dense", r#"{"name": "dense", "activation": "relu"}"#);
        let policy = layer("\"keras\"", "DTypePolicy", r#"{"name": "float32"}"#);
        for json in [
            &*dense,
            &policy,
            &layer("\"keras.src.models.functional\"", "Functional", &format!("{{\"layers\": [{dense}, {policy}]}}")),
            &layer("\"keras.layers\"", "TimeDistributed", &format!("{{\"layer\": {dense}}}")),
            r#"{"class_name": "Sequential", "config": {"layers": [{"class_name": "Dense", "config": {"name": "dense"}}]}}"#,
            r#"{"class_name": "__keras_tensor__", "config": {"shape": [null, 4]}}"#,
            r#"{"class_name": "TFOpLambda", "config": {"name": "tf.math.add", "function": "math.add"}}"#,
            r#"{"class_name": "SlicingOpLambda", "config": {"function": "__operators__.getitem"}}"#,
            r#"{"module": "keras.losses", "class_name": "function", "config": "mse", "registered_name": "mse"}"#,
            r#"{"class_name": "StringLookup", "config": {"vocabulary": ["a", "b"]}}"#,
            r#"{"class_name": "Keras>Dense", "config": {}}"#,
            r#"{"module": "keras.layers", "class_name": "Dense", "registered_name": "Keras>Dense"}"#,
            r#"{"class_name": "TensorShape", "items": [null, 4]}"#,
            r#"{"class_name": "__tuple__", "items": [1, 2]}"#,
            r#"{"class_name": "__typespec__", "module": "tensorflow.python.framework.tensor", "spec_name": "TensorSpec"}"#,
            r#"{"loss": "mine", "optimizer_config": {"class_name": "SGD", "config": {}}}"#,
            "[1, 2.5, -3, null, true, \"Lambda\"]",
        ] {
            assert_eq!(code(json), [""; 0], "{json}");
        }
    }

    #[test]
    fn bytecode_is_named_by_its_layer_wherever_that_is() {
        let bytecode = r#"{"class_name": "__lambda__", "config": {"code": "4wEA"}}"#;
        let lambda = format!(r#"{{"name": "doubles", "function": {bytecode}}}"#);
        let lambda = layer("\"keras.layers\"", "Lambda", &lambda);
        let wrapped =
            layer("\"keras.layers\"", "TimeDistributed", &format!(r#"{{"name": "outer", "layer": {lambda}}}"#));
        let nested = layer("\"keras\"", "Sequential", &format!(r#"{{"name": "model", "layers": [{wrapped}]}}"#));
        for json in [&lambda, &wrapped, &nested] {
            assert_eq!(code(json), ["Lambda layer `doubles`"], "{json}");
        }
        let dense = format!(r#"{{"class_name": "Dense", "config": {{"name": "dense_1", "activation": {bytecode}}}}}"#);
        assert_eq!(code(&dense), ["Lambda layer `dense_1`"]);
        assert_eq!(code(bytecode), ["Lambda layer `__lambda__`"]);
        let keras_2 = r#"{"class_name": "Lambda", "config": {"name": "l", "function": ["4wEA", null, null]}}"#;
        assert_eq!(code(keras_2), ["Lambda layer `l`"]);
        let registered = r#"{"class_name": "Keras>Lambda", "config": {"name": "l", "function": ["4wEA", null, null]}}"#;
        assert_eq!(code(registered), ["Lambda layer `l`"]);
        let foreign = r#"{"module": "mine", "class_name": "__lambda__", "config": {"code": "4wEA"}}"#;
        assert_eq!(code(foreign), ["Lambda layer `__lambda__`"]);
    }

    #[test]
    fn what_keras_does_not_have_is_custom() {
        for (json, expected) in [
            (r#"{"module": null, "class_name": "Scale", "registered_name": "examples>Scale"}"#, "examples>Scale"),
            (r#"{"module": "__main__", "class_name": "Scale", "registered_name": "Scale"}"#, "__main__>Scale"),
            (r#"{"module": "os", "class_name": "function", "config": "system"}"#, "os>system"),
            (r#"{"module": "builtins", "class_name": "function", "config": "eval"}"#, "builtins>eval"),
            (r#"{"module": "keras.utils", "class_name": "function", "config": "get_file"}"#, "keras.utils>get_file"),
            (r#"{"module": "keras.src.utils.torch_utils", "class_name": "Any"}"#, "keras.src.utils.torch_utils>Any"),
            (r#"{"module": "kerasx.layers", "class_name": "Dense"}"#, "kerasx.layers>Dense"),
            (r#"{"module": "keras", "class_name": "Unheard"}"#, "keras>Unheard"),
            (r#"{"module": "keras.layers", "class_name": "Dense", "registered_name": "mine>Dense"}"#, "mine>Dense"),
            (r#"{"class_name": "mine>Dense", "config": {}}"#, "mine>Dense"),
            (r#"{"class_name": "Unheard", "config": {}}"#, "Unheard"),
            (r#"{"class_name": "__typespec__", "module": "os", "spec_name": "x"}"#, "os>__typespec__"),
            (r#"{"class_name": "Dense", "class_name": "Unheard"}"#, "Unheard"),
            (
                r#"{"module": "os", "class_name": "function", "config": "system", "registered_name": "Keras>function"}"#,
                "os>system",
            ),
            (r#"{"module": "os", "class_name": "Keras>Dense", "config": {}}"#, "os>Dense"),
            (r#"{"module": "mine", "class_name": "Dense", "registered_name": "Keras>Dense"}"#, "mine>Dense"),
            (r#"{"class_name": "Keras>Unheard", "config": {}}"#, "Unheard"),
            (r#"{"module": "mine", "class_name": "TensorShape", "config": {}}"#, "mine>TensorShape"),
            (r#"{"module": "mine", "class_name": "__Evil", "config": {}}"#, "mine>__Evil"),
            (r#"{"module": "mine", "class_name": "__tensor__", "config": {}}"#, "mine>__tensor__"),
            (r#"{"module": "mine", "class_name": "Lambda>x", "registered_name": "Keras>x"}"#, "mine>Lambda>x"),
            (r#"{"class_name": "__Evil", "config": {}}"#, "__Evil"),
        ] {
            assert_eq!(code(json), [format!("custom object {expected}")], "{json}");
        }
    }

    #[test]
    fn layers_that_reach_beyond_keras_are_operations() {
        for (json, expected) in [
            (
                r#"{"module": "keras.layers", "class_name": "TorchModuleWrapper", "config": {"name": "t"}}"#,
                "TorchModuleWrapper `t`",
            ),
            (
                r#"{"module": "keras.layers", "class_name": "TFSMLayer", "config": {"filepath": "/x"}}"#,
                "TFSMLayer `TFSMLayer`",
            ),
            (
                r#"{"class_name": "TFOpLambda", "config": {"function": "io.write_file"}}"#,
                "TFOpLambda that calls `io.write_file`",
            ),
            (
                r#"{"class_name": "TFOpLambda", "config": {"function": "compat.v1.py_func"}}"#,
                "TFOpLambda that calls `compat.v1.py_func`",
            ),
            (r#"{"class_name": "TFOpLambda", "config": {}}"#, "TFOpLambda that calls ``"),
            (
                r#"{"class_name": "StringLookup", "config": {"name": "s", "vocabulary": "/etc/passwd"}}"#,
                "StringLookup `s` that reads `/etc/passwd`",
            ),
        ] {
            assert_eq!(code(json), [format!("operation {expected}")], "{json}");
        }
    }

    #[test]
    fn the_class_of_the_model_is_told() {
        let config =
            read(br#"{"config": {"class_name": "Dense"}, "class_name": "Sequential"}"#).expect("a configuration");
        assert_eq!(config.class_name.as_deref(), Some("Sequential"));
    }

    #[test]
    fn what_is_not_json_is_a_problem() {
        let deep = "[".repeat(100_000);
        let custom = |number| format!(r#"{{"class_name": "Unheard{number}"}}"#);
        let many = format!("[{}]", (0..5000).map(custom).collect::<Vec<_>>().join(","));
        for (json, expected) in [
            ("", "EOF"),
            ("{\"a\": ", "EOF"),
            ("{} {}", "trailing"),
            ("{\"a\": NaN}", "expected"),
            (&deep, "recursion limit"),
            (&many, "more than 4096 objects"),
        ] {
            let error = read(json.as_bytes()).expect_err(expected).to_string();
            assert!(
                error.contains("the configuration of the model is not JSON") && error.contains(expected),
                "{error}"
            );
        }
    }
}
