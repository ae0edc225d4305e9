//! What the words of a `data` block mean: every loader, source and transform with its parameters. The compiler's checker
//! refuses by it what is misspelt before anything is read, and the runtime binds by it the arguments of what it reads.

use Takes::{Extents, NotNegative, Number, Order, Part, Share, Size, Text, Truth, Whole};

/// A plain value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A number.
    Number(f64),
    /// A truth value.
    Bool(bool),
    /// A text.
    Text(String),
    /// A list.
    List(Vec<Value>),
}

/// A loader, source or transform that a data block may call.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// As written in a program.
    pub name: &'static str,
    /// Parameters in order; a required one has no default.
    pub params: &'static [Param],
    /// For loaders with fixed columns, their names; empty where the file decides (CSV headers).
    pub columns: &'static [&'static str],
    /// One line for messages and `nnc explain`.
    pub about: &'static str,
}

/// A parameter of an [`Entry`].
#[derive(Clone, Copy, Debug)]
pub struct Param {
    /// Its name.
    pub name: &'static str,
    /// Whether it must be given.
    pub required: bool,
    /// What it takes.
    pub takes: Takes,
}

/// What a parameter takes.
#[derive(Clone, Copy, Debug)]
pub enum Takes {
    /// A text, such as a file's name.
    Text,
    /// `"train"` or `"test"`.
    Part,
    /// `true` or `false`.
    Truth,
    /// A finite number.
    Number,
    /// A finite number that is 0 or more.
    NotNegative,
    /// A number from 0 to 1.
    Share,
    /// A whole number, this one or a larger one of 32 bits.
    Whole(usize),
    /// A list of extents.
    Extents,
    /// The axes of a sample, each once, at most [`MOST_AXES`].
    Order,
    /// Height and width, none of them more than [`LARGEST_SIDE`].
    Size,
}

/// The most axes that are moved.
const MOST_AXES: usize = 8;

/// The most pixels that an image may be high or wide.
const LARGEST_SIDE: usize = 1 << 14;

impl Takes {
    /// Whether the value is one of these.
    #[must_use]
    pub fn admits(self, value: &Value) -> bool {
        match (self, value) {
            (Self::Text, Value::Text(_)) | (Self::Truth, Value::Bool(_)) => true,
            (Self::Part, Value::Text(part)) => matches!(part.as_str(), "train" | "test"),
            (Self::Number, Value::Number(x)) => x.is_finite(),
            (Self::NotNegative, Value::Number(x)) => x.is_finite() && *x >= 0.0,
            (Self::Share, Value::Number(x)) => (0.0..=1.0).contains(x),
            (Self::Whole(least), Value::Number(x)) => as_whole(*x, least).is_some(),
            (Self::Extents, Value::List(items)) => items.iter().all(|i| Self::Whole(1).admits(i)),
            (Self::Order, Value::List(items)) => {
                let has = |axis: usize| items.iter().any(|i| matches!(i, Value::Number(x) if *x == axis as f64));
                (1..=MOST_AXES).contains(&items.len()) && (0..items.len()).all(has)
            }
            (Self::Size, Value::List(items)) => {
                items.len() == 2 && items.iter().all(|i| matches!(i, Value::Number(x) if side(*x)))
            }
            _ => false,
        }
    }

    /// In words, for a message.
    #[must_use]
    pub fn words(self) -> String {
        match self {
            Self::Text => "a text".into(),
            Self::Part => "\"train\" or \"test\"".into(),
            Self::Truth => "true or false".into(),
            Self::Number => "a number".into(),
            Self::NotNegative => "a number that is not negative".into(),
            Self::Share => "a share from 0 to 1".into(),
            Self::Whole(least) => format!("a whole number from {least} to {}", u32::MAX),
            Self::Extents => "a list of extents, such as [3, 8]".into(),
            Self::Order => "a list that names each axis once, such as [2, 0, 1]".into(),
            Self::Size => format!("[height, width], up to {LARGEST_SIDE}"),
        }
    }
}

fn side(x: f64) -> bool {
    as_whole(x, 1).is_some_and(|n| n <= LARGEST_SIDE)
}

/// The whole number that `x` is, if it is one from `least` to 2^32 - 1.
#[must_use]
pub fn as_whole(x: f64, least: usize) -> Option<usize> {
    (x.fract() == 0.0 && x >= least as f64 && x <= f64::from(u32::MAX)).then_some(x as usize)
}

const fn required(name: &'static str, takes: Takes) -> Param {
    Param { name, required: true, takes }
}

const fn optional(name: &'static str, takes: Takes) -> Param {
    Param { name, required: false, takes }
}

/// Columns of the made-up problems in the plane.
const PLANE: &[&str] = &["point", "label"];

/// Sources of samples: `train = idx("a", "b")`.
pub const LOADERS: &[Entry] = &[
    Entry {
        name: "idx",
        params: &[required("images", Text), required("labels", Text)],
        columns: &["image", "label"],
        about: "images and labels from two IDX files, such as MNIST's, compressed or not",
    },
    Entry {
        name: "csv",
        params: &[required("file", Text), optional("header", Truth), optional("label", Text)],
        columns: &[],
        about: "a sample a line, parted by commas; columns by their names in the header, `features` for all but the label",
    },
    Entry {
        name: "npy",
        params: &[required("x", Text), optional("y", Text)],
        columns: &["x", "y"],
        about: "arrays saved by NumPy, whose first dimension counts samples",
    },
    Entry {
        name: "npz",
        params: &[required("file", Text), optional("part", Text)],
        columns: &[],
        about: "arrays saved by NumPy in one file, columns by their names; with part = \"train\", `x_train` is the column `x`",
    },
    Entry {
        name: "images",
        params: &[required("folder", Text), optional("size", Size), optional("background", Number)],
        columns: &["image", "label"],
        about: "PNG and JPEG files in a folder for each class, also inside an archive: images(\"pets.tar.gz/train\")",
    },
    Entry {
        name: "cifar10",
        params: &[required("folder", Text), required("part", Part)],
        columns: &["image", "label"],
        about: "CIFAR-10's binary version, a folder or archive; part \"train\" or \"test\"",
    },
    Entry {
        name: "cifar100",
        params: &[required("folder", Text), required("part", Part)],
        columns: &["image", "coarse", "label"],
        about: "CIFAR-100's binary version, a folder or archive; part \"train\" or \"test\"",
    },
    Entry {
        name: "text",
        params: &[
            required("file", Text),
            required("context", Whole(1)),
            optional("stride", Whole(1)),
            optional("from", Number),
            optional("to", Number),
        ],
        columns: &["text", "next"],
        about: "windows of a text; its characters are the classes, `next` is the window one character further on",
    },
    Entry {
        name: "parquet",
        params: &[required("file", Text), optional("label", Text)],
        columns: &[],
        about: "a table in Parquet's format; columns by their names, `features` for all but the label",
    },
    Entry {
        name: "digits",
        params: &[required("part", Part)],
        columns: &["image", "label"],
        about: "1,797 handwritten digits of 8 x 8 pixels that come with nnc; part \"train\" or \"test\"",
    },
    Entry {
        name: "mnist1d",
        params: &[required("part", Part), optional("seed", Whole(0))],
        columns: &["signal", "label"],
        about: "MNIST-1D: ten shapes as noisy signals of 40 values, made by rule; 4,000 \"train\", 1,000 \"test\"",
    },
    Entry {
        name: "moons",
        params: &[required("count", Whole(1)), optional("noise", NotNegative), optional("seed", Whole(0))],
        columns: PLANE,
        about: "two interleaved half circles in the plane",
    },
    Entry {
        name: "spirals",
        params: &[
            required("count", Whole(1)),
            optional("classes", Whole(2)),
            optional("turns", NotNegative),
            optional("noise", NotNegative),
            optional("seed", Whole(0)),
        ],
        columns: PLANE,
        about: "spiral arms in the plane, one a class",
    },
    Entry {
        name: "blobs",
        params: &[
            required("count", Whole(1)),
            optional("classes", Whole(2)),
            optional("noise", NotNegative),
            optional("seed", Whole(0)),
        ],
        columns: PLANE,
        about: "clouds in the plane around centres on a circle, one a class",
    },
    Entry {
        name: "xor",
        params: &[required("count", Whole(1)), optional("noise", NotNegative), optional("seed", Whole(0))],
        columns: PLANE,
        about: "the four corners of the unit square; the label is the exclusive or of the coordinates",
    },
];

/// Sources of a single field, without a split: `x: [784] = random_normal(1024, [784], seed = 1)`.
pub const SOURCES: &[Entry] = &[
    Entry {
        name: "random_normal",
        params: &[required("count", Whole(1)), required("shape", Extents), optional("seed", Whole(0))],
        columns: &[],
        about: "that many samples of standard normal numbers",
    },
    Entry {
        name: "random_class",
        params: &[
            required("count", Whole(1)),
            required("classes", Whole(1)),
            optional("seed", Whole(0)),
            optional("shape", Extents),
        ],
        columns: &[],
        about: "that many classes, or tensors of classes, all equally likely",
    },
];

/// Steps of a field's pipeline: `image |> standardize |> reshape`.
pub const TRANSFORMS: &[Entry] = &[
    Entry {
        name: "standardize",
        params: &[],
        columns: &[],
        about: "mean 0, deviation 1, per channel (per feature for vectors), by the training split",
    },
    Entry { name: "reshape", params: &[], columns: &[], about: "the same elements in the field's declared shape" },
    Entry {
        name: "permute",
        params: &[required("order", Order)],
        columns: &[],
        about: "the axes of a sample in another order: permute([2, 0, 1]) puts the last one first",
    },
    Entry { name: "scale", params: &[required("by", Number)], columns: &[], about: "every element times a number" },
    Entry { name: "shift", params: &[required("by", Number)], columns: &[], about: "every element plus a number" },
    Entry {
        name: "one_hot",
        params: &[],
        columns: &[],
        about: "a class as a vector with a one in its place, as long as the field's last extent",
    },
];

/// Settings of a data block beside its splits.
pub const SETTINGS: &[Param] = &[
    // How many samples the training split has, before validation is set aside; checked when loaded.
    optional("samples", Whole(1)),
    // The share of training labels that are drawn anew, all classes equally likely.
    optional("noise", Share),
    // How many training samples to keep, or which share if below one.
    optional("subset", Number),
];
