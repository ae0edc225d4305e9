//! What the words of a `data` block mean: every loader, source and transform with its parameters,
//! so that the checker can refuse a misspelt one before anything is read.

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
}

const fn required(name: &'static str) -> Param {
    Param { name, required: true }
}

const fn optional(name: &'static str) -> Param {
    Param { name, required: false }
}

/// Columns of the made-up problems in the plane.
const PLANE: &[&str] = &["point", "label"];

/// Sources of samples: `train = idx("a", "b")`.
pub const LOADERS: &[Entry] = &[
    Entry {
        name: "idx",
        params: &[required("images"), required("labels")],
        columns: &["image", "label"],
        about: "images and labels from two IDX files, such as MNIST's, compressed or not",
    },
    Entry {
        name: "csv",
        params: &[required("file"), optional("header"), optional("label")],
        columns: &[],
        about: "numbers, a sample a line; columns by their names in the header, `features` for all but the label",
    },
    Entry {
        name: "npy",
        params: &[required("x"), optional("y")],
        columns: &["x", "y"],
        about: "arrays saved by NumPy, whose first dimension counts samples",
    },
    Entry {
        name: "npz",
        params: &[required("file"), optional("part")],
        columns: &[],
        about: "arrays saved by NumPy in one file, columns by their names; with part = \"train\", `x_train` is the column `x`",
    },
    Entry {
        name: "images",
        params: &[required("folder"), optional("size")],
        columns: &["image", "label"],
        about: "PNG and JPEG files in a folder for each class, also inside an archive: images(\"pets.tar.gz/train\")",
    },
    Entry {
        name: "cifar10",
        params: &[required("folder"), required("part")],
        columns: &["image", "label"],
        about: "CIFAR-10's binary version, a folder or archive; part \"train\" or \"test\"",
    },
    Entry {
        name: "cifar100",
        params: &[required("folder"), required("part")],
        columns: &["image", "coarse", "label"],
        about: "CIFAR-100's binary version, a folder or archive; part \"train\" or \"test\"",
    },
    Entry {
        name: "text",
        params: &[required("file"), required("context"), optional("stride"), optional("from"), optional("to")],
        columns: &["text", "next"],
        about: "windows of a text; its characters are the classes, `next` is the window one character further on",
    },
    Entry {
        name: "parquet",
        params: &[required("file"), optional("label")],
        columns: &[],
        about: "a table in Parquet's format; columns by their names, `features` for all but the label",
    },
    Entry {
        name: "digits",
        params: &[required("part")],
        columns: &["image", "label"],
        about: "1,797 handwritten digits of 8 x 8 pixels that come with nnc; part \"train\" or \"test\"",
    },
    Entry {
        name: "mnist1d",
        params: &[required("part"), optional("seed")],
        columns: &["signal", "label"],
        about: "MNIST-1D: ten shapes as noisy signals of 40 values, made by rule; 4,000 \"train\", 1,000 \"test\"",
    },
    Entry {
        name: "moons",
        params: &[required("count"), optional("noise"), optional("seed")],
        columns: PLANE,
        about: "two interleaved half circles in the plane",
    },
    Entry {
        name: "spirals",
        params: &[required("count"), optional("classes"), optional("turns"), optional("noise"), optional("seed")],
        columns: PLANE,
        about: "spiral arms in the plane, one a class",
    },
    Entry {
        name: "blobs",
        params: &[required("count"), optional("classes"), optional("noise"), optional("seed")],
        columns: PLANE,
        about: "clouds in the plane around centres on a circle, one a class",
    },
    Entry {
        name: "xor",
        params: &[required("count"), optional("noise"), optional("seed")],
        columns: PLANE,
        about: "the four corners of the unit square; the label is the exclusive or of the coordinates",
    },
];

/// Sources of a single field, without a split: `x: [784] = random_normal(1024, [784], seed = 1)`.
pub const SOURCES: &[Entry] = &[
    Entry {
        name: "random_normal",
        params: &[required("count"), required("shape"), optional("seed")],
        columns: &[],
        about: "that many samples of standard normal numbers",
    },
    Entry {
        name: "random_class",
        params: &[required("count"), required("classes"), optional("seed"), optional("shape")],
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
    Entry { name: "scale", params: &[required("by")], columns: &[], about: "every element times a number" },
    Entry { name: "shift", params: &[required("by")], columns: &[], about: "every element plus a number" },
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
    optional("samples"),
    // The share of training labels that are drawn anew, all classes equally likely.
    optional("noise"),
    // How many training samples to keep, or which share if below one.
    optional("subset"),
];
