//! ONNX files: the few messages of its protocol-buffer schema that an exported network needs, written by hand.
//! Field numbers are those of `onnx.proto`.

/// A message under construction.
#[derive(Clone, Debug, Default)]
pub struct Message(Vec<u8>);

/// Element types of tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Type {
    /// 32-bit real numbers.
    Float = 1,
    /// 64-bit integers.
    Int = 7,
    /// Truth values.
    Bool = 9,
}

/// An attribute of a node.
#[derive(Clone, Debug)]
pub enum Attribute {
    /// A number.
    Int(i64),
    /// Several.
    Ints(Vec<i64>),
    /// A text.
    Text(&'static str),
    /// A text made on the way.
    Formula(String),
    /// A number as a type.
    To(Type),
}

/// One extent of a shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Known.
    Known(usize),
    /// Known when it runs.
    Named(&'static str),
}

impl Message {
    /// The bytes.
    #[must_use]
    pub fn bytes(self) -> Vec<u8> {
        self.0
    }

    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    /// An integer field.
    pub fn int(&mut self, field: u32, value: i64) {
        self.varint(u64::from(field) << 3);
        self.varint(value as u64);
    }

    /// A field of bytes: a text, raw data or a message.
    pub fn bytes_field(&mut self, field: u32, bytes: &[u8]) {
        self.varint(u64::from(field) << 3 | 2);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    /// A text field.
    pub fn text(&mut self, field: u32, text: &str) {
        self.bytes_field(field, text.as_bytes());
    }

    /// A message field.
    pub fn message(&mut self, field: u32, message: &Self) {
        self.bytes_field(field, &message.0);
    }
}

/// A node that computes one value.
#[must_use]
pub fn node(op: &str, inputs: &[&str], output: &str, attributes: &[(&str, Attribute)]) -> Message {
    let mut m = Message::default();
    inputs.iter().for_each(|i| m.text(1, i));
    m.text(2, output);
    m.text(3, output);
    m.text(4, op);
    for (name, value) in attributes {
        let mut a = Message::default();
        a.text(1, name);
        let kind = match value {
            Attribute::Int(i) => {
                a.int(3, *i);
                2
            }
            Attribute::To(t) => {
                a.int(3, *t as i64);
                2
            }
            Attribute::Text(t) => {
                a.text(4, t);
                3
            }
            Attribute::Formula(t) => {
                a.text(4, t);
                3
            }
            Attribute::Ints(list) => {
                list.iter().for_each(|i| a.int(8, *i));
                7
            }
        };
        a.int(20, kind);
        m.message(5, &a);
    }
    m
}

/// A constant tensor of little-endian bytes.
#[must_use]
pub fn tensor(name: &str, kind: Type, dims: &[usize], raw: &[u8]) -> Message {
    let mut m = Message::default();
    dims.iter().for_each(|d| m.int(1, *d as i64));
    m.int(2, kind as i64);
    m.text(8, name);
    m.bytes_field(9, raw);
    m
}

/// What an input or output is.
#[must_use]
pub fn value(name: &str, kind: Type, dims: &[Extent]) -> Message {
    let mut shape = Message::default();
    for dim in dims {
        let mut d = Message::default();
        match dim {
            Extent::Known(n) => d.int(1, *n as i64),
            Extent::Named(name) => d.text(2, name),
        }
        shape.message(1, &d);
    }
    let mut of_tensor = Message::default();
    of_tensor.int(1, kind as i64);
    of_tensor.message(2, &shape);
    let mut of_value = Message::default();
    of_value.message(1, &of_tensor);
    let mut m = Message::default();
    m.text(1, name);
    m.message(2, &of_value);
    m
}

/// A whole file.
#[must_use]
pub fn model(name: &str, nodes: &[Message], constants: &[Message], inputs: &[Message], outputs: &[Message]) -> Message {
    let mut graph = Message::default();
    nodes.iter().for_each(|n| graph.message(1, n));
    graph.text(2, name);
    constants.iter().for_each(|c| graph.message(5, c));
    inputs.iter().for_each(|v| graph.message(11, v));
    outputs.iter().for_each(|v| graph.message(12, v));
    let mut opset = Message::default();
    opset.text(1, "");
    opset.int(2, OPSET);
    let mut m = Message::default();
    m.int(1, 8);
    m.text(2, "nnc");
    m.text(3, env!("CARGO_PKG_VERSION"));
    m.message(7, &graph);
    m.message(8, &opset);
    m
}

/// The version of the operators used.
pub const OPSET: i64 = 18;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_and_texts_are_encoded_as_the_format_says() {
        let mut m = Message::default();
        m.int(1, 300);
        m.text(2, "ab");
        m.int(3, -1);
        let mut expected = vec![0x08, 0xac, 0x02, 0x12, 2, b'a', b'b', 0x18];
        expected.extend([0xff; 9]);
        expected.push(1);
        assert_eq!(m.bytes(), expected);
    }
}
