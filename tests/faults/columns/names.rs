//! Names decide which column is which, in every file and for every command; what could be meant in two ways is refused.

use super::{call, class, field, load, text, values};
use crate::common::{Folder, fail, read_arrays, succeed};
use runtime::data::{Call, Value};

fn csv(file: &str) -> Call {
    call("csv", file, &[])
}

/// The training values of `features` and `label` in a table, or why there are none.
fn read(table: &str, how: &[(&str, Value)], width: usize) -> Result<(Vec<f64>, Vec<f64>), String> {
    let folder = Folder::new("names");
    folder.write("t.csv", table);
    let fields = [field("x", &[width], &["features"], &[]), field("y", &[], &["label"], &[])];
    let set = load(&folder, &[("train", call("csv", "t.csv", how))], &fields)?;
    Ok((values(&set, "train", 0), values(&set, "train", 1)))
}

#[test]
fn a_column_called_label_is_the_label() {
    // Two features, which are all but the label, wherever it stands.
    let right = Ok((vec![3.0, 5.0, 4.0, 6.0], vec![0.0, 1.0]));
    assert_eq!(read("label,a,b\n0,3,5\n1,4,6\n", &[], 2), right);
    assert_eq!(read("a,label,b\n3,0,5\n4,1,6\n", &[], 2), right);
    assert_eq!(read("a,b,label\n3,5,0\n4,6,1\n", &[], 2), right);
    assert_eq!(read("\u{feff}label,a,b\r\n0,3,5\r\n1,4,6\r\n", &[], 2), right);
    // Without such a column the last one is; the one that the data block names goes before both.
    assert_eq!(read("a,b,kind\n3,5,0\n4,6,1\n", &[], 2), right);
    assert_eq!(read("kind,a,b\n0,3,5\n1,4,6\n", &[("label", text("kind"))], 2), right);
}

#[test]
fn words_with_two_meanings_are_refused() {
    let refused = |table: &str, how: &[(&str, Value)], width: usize, words: &[&str]| {
        let said = read(table, how, width).expect_err(table);
        words.iter().for_each(|word| assert!(said.contains(word), "`{word}` in: {said}"));
    };
    refused("features,a,y\n1,2,0\n", &[], 2, &["t.csv", "is called `features`", "rename"]);
    refused("a,features,b,y\n1,2,3,0\n", &[], 3, &["is called `features`"]);
    refused("label,a,kind\n1,2,0\n", &[("label", text("kind"))], 2, &["is called `label`", "write `kind`"]);
    refused("Label,a,b\n0,1,2\n", &[], 2, &["`Label` looks like the label", "label = \"Label\""]);
    refused("a,b,a,y\n1,2,3,0\n", &[], 3, &["two columns are called `a`, number 1 and number 3"]);
    refused("a, a ,y\n1,2,0\n", &[], 2, &["two columns are called `a`, number 1 and number 2"]);
    // What pandas and R write for the numbers of rows.
    refused(",a,b,y\n0,1,2,0\n1,3,4,1\n", &[], 3, &["column 1 has no name", "index=False"]);
    refused("a,b\n1,0\n", &[("label", text("kind"))], 1, &["no column `kind`", "`a`, `b`"]);
}

/// What a field reads by name is not among `features` of another: the network would be given the answer.
#[test]
fn the_answer_is_not_given_away() {
    let folder = Folder::new("answer");
    folder.write("t.csv", "price,a,b\n10,1,2\n20,3,4\n");
    let fields = [field("x", &[2], &["features"], &[]), field("y", &[], &["price"], &[])];
    let said = load(&folder, &[("train", csv("t.csv"))], &fields).expect_err("price is a feature");
    assert!(said.contains("`y` reads the column `price`, which is among the `features` of `x`"), "{said}");
    assert!(said.contains("label = \"price\""), "{said}");
    let set = load(&folder, &[("train", call("csv", "t.csv", &[("label", text("price"))]))], &fields).expect("named");
    assert_eq!(values(&set, "train", 0), [1.0, 2.0, 3.0, 4.0]);
    let listed = [field("x", &[3], &["a", "price", "b"], &[]), field("y", &[], &["price"], &[])];
    let set = load(&folder, &[("train", csv("t.csv"))], &listed).expect("written out, it is meant");
    assert_eq!(values(&set, "train", 0), [1.0, 10.0, 2.0, 3.0, 20.0, 4.0]);
}

#[test]
fn every_split_is_read_by_the_names_of_the_training_table() {
    let folder = Folder::new("splits");
    folder.write("train.csv", "a,b,c,y\n1,2,3,0\n4,5,6,1\n");
    let fields = [field("x", &[3], &["features"], &[]), class("y", 2, "label")];
    let test = |table: &str, how: &[(&str, Value)]| {
        folder.write("test.csv", table);
        let splits = [("train", csv("train.csv")), ("test", call("csv", "test.csv", how))];
        load(&folder, &splits, &fields).map(|set| (values(&set, "test", 0), values(&set, "test", 1)))
    };
    let right = Ok((vec![7.0, 8.0, 9.0], vec![1.0]));
    assert_eq!(test("c,b,a,y\n9,8,7,1\n", &[]), right);
    assert_eq!(test("y,a,b,c\n1,7,8,9\n", &[]), right);
    assert_eq!(test("c,kind,b,a\n9,1,8,7\n", &[("label", text("kind"))]), right);
    // Without names it goes by position, and there must be as many.
    assert_eq!(test("7,8,9,1\n", &[("header", Value::Bool(false))]), right);
    let refused = |table: &str, how: &[(&str, Value)], words: &[&str]| {
        let said = test(table, how).expect_err(table);
        words.iter().for_each(|word| assert!(said.contains(word), "`{word}` in: {said}"));
    };
    refused("a,b,y\n7,8,1\n", &[], &["test.csv", "`c` is missing", "train.csv", "`a`, `b`, `c`"]);
    refused("a,b,c,d,y\n7,8,9,9,1\n", &[], &["test.csv", "`d` is not among the features of train.csv"]);
    refused("a,b,c,z\n7,8,9,1\n", &[], &["`z` is not among the features"]);
    refused("7,8,9,9,1\n", &[("header", Value::Bool(false))], &["5 columns here, but 4 in train.csv"]);
    refused("a,b,c\n7,8,9\n", &[], &["`y` is missing, the label of train.csv"]);
    // A training table without a header is read by position as well.
    folder.write("bare.csv", "1,2,3,0\n4,5,6,1\n");
    folder.write("test.csv", "p,q,r,s\n7,8,9,1\n");
    let splits = [("train", call("csv", "bare.csv", &[("header", Value::Bool(false))])), ("test", csv("test.csv"))];
    let set = load(&folder, &splits, &fields).expect("as many columns");
    assert_eq!((values(&set, "test", 0), values(&set, "test", 1)), (vec![7.0, 8.0, 9.0], vec![1.0]));
}

/// The table of the tests of formats has the columns size, count, gap and kind; one cell of `gap` is empty.
#[cfg(feature = "parquet")]
#[test]
fn columns_of_parquet_go_by_their_names() {
    let folder = Folder::new("parquet");
    folder.write("test.parquet", include_bytes!("../../../runtime/src/data/tests/table.parquet"));
    let parquet = |named: &[(&str, Value)]| call("parquet", "test.parquet", named);
    folder.write("train.csv", "kind,count,size\nsetosa,1,10\niris,2,20\n");
    let listed = [field("x", &[2], &["count", "size"], &[]), class("y", 2, "kind")];
    let splits = [("train", call("csv", "train.csv", &[("label", text("kind"))])), ("test", parquet(&[]))];
    let set = load(&folder, &splits, &listed).expect("both have the columns");
    assert_eq!(values(&set, "train", 0), [1.0, 10.0, 2.0, 20.0]);
    assert_eq!(values(&set, "test", 0), [3.0, 0.5, 0.0, 1.5, 70_000.0, -2.0]);
    assert_eq!(values(&set, "test", 1), [1.0, 0.0, 1.0], "classes are numbered as in the training table");
    let features = [field("x", &[2], &["features"], &[]), class("y", 2, "label")];
    let said = load(&folder, &splits, &features).expect_err("a column more");
    assert!(said.contains("`gap` is not among the features of train.csv"), "{said}");
    let said = load(&folder, &[("train", parquet(&[("label", text("sort"))]))], &features).expect_err("no such label");
    assert!(said.contains("no column `sort`"), "{said}");
}

/// A trained program in a folder: the sum of three features, each times another weight, is what it predicts.
struct Trained(Folder);

const HOW: &str = "csv(\"train.csv\")";

impl Trained {
    fn new(name: &str, train: &str, how: &str) -> Self {
        let folder = Folder::new(name);
        folder.write("train.csv", train);
        let test = how.replace("train.csv", "test.csv");
        let program = format!(
            "data d {{\n    train = {how}\n    test  = {test}\n    x: [3] = features |> standardize\n    y: [1] = label |> reshape\n}}\n\
             model Net(x: [3]) -> [1] {{ x |> dense(1) as fc }}\n\
             train net {{\n    data = d\n    z = Net(x)\n    objective = squared_error(z, y)\n    optimizer = sgd(lr = 0.01)\n    \
             batch = 2\n    epochs = 3\n}}\n"
        );
        folder.write("net.nn", program);
        folder.write("test.csv", train);
        let trained = Self(folder);
        succeed(&format!("run {} --out {}", trained.path("net.nn"), trained.path("run")));
        trained
    }

    fn path(&self, name: &str) -> String {
        self.0.path(name).display().to_string()
    }

    fn line(&self, flags: &str) -> String {
        let (net, run) = (self.path("net.nn"), self.path("run"));
        format!("predict {net} --weights {run} --inputs {} -o {} {flags}", self.path("in.csv"), self.path("out.npz"))
    }

    fn predicted(&self, table: &str, flags: &str) -> Vec<f64> {
        self.0.write("in.csv", table);
        succeed(&self.line(flags));
        read_arrays(&self.0.path("out.npz"))["z"].values.clone()
    }

    fn refuses(&self, table: &str, flags: &str, words: &[&str]) {
        self.0.write("in.csv", table);
        let said = fail(&self.line(flags), 3);
        words.iter().for_each(|word| assert!(said.contains(word), "`{word}` in: {said}"));
    }
}

const TRAIN: &str = "a,b,c,y\n1,20,300,0\n4,50,100,1\n2,10,200,3\n5,30,700,2\n";

#[test]
fn predictions_go_by_names() {
    let net = Trained::new("predict", TRAIN, HOW);
    let right = net.predicted("a,b,c,y\n1,20,300,0\n4,50,100,1\n", "");
    for same in ["c,b,a\n300,20,1\n100,50,4\n", "y,a,c,b\n0,1,300,20\n1,4,100,50\n", "b,a,c\n20,1,300\n50,4,100\n"] {
        assert_eq!(net.predicted(same, ""), right, "{same}");
    }
    net.refuses("a,b,y\n1,20,0\n", "", &["in.csv", "`c` is missing"]);
    net.refuses("a,b,c,d,y\n1,20,300,4,0\n", "", &["in.csv", "`d` is not among"]);
    net.refuses("a,b,d\n1,20,300\n", "", &["`c` is missing"]);
    // What the network sees, without the training data at hand: the run keeps the names.
    let seen = net.predicted("a,b,c\n0.1,0.2,0.3\n", "--as-is");
    std::fs::remove_file(net.0.path("train.csv")).expect("the training table");
    assert_eq!(net.predicted("c,a,b\n0.3,0.1,0.2\n", "--as-is"), seen);
    net.refuses("a,b,d\n1,20,300\n", "--as-is", &["`c` is missing", "the run "]);
    // Without the names of a run nothing says which column is which.
    std::fs::remove_file(net.0.path("run/columns.json")).expect("the names");
    net.refuses("c,a,b\n0.3,0.1,0.2\n", "--as-is", &["nothing says in which order"]);
}

#[test]
fn predictions_read_tables_as_the_program_does() {
    let net = Trained::new(
        "bare",
        "0,1,20,300\n1,4,50,100\n3,2,10,200\n2,5,30,700\n",
        "csv(\"train.csv\", header = false, label = \"c1\")",
    );
    let right = net.predicted("0,1,20,300\n1,4,50,100\n", "");
    assert_eq!(right.len(), 2, "the first line is a sample");
    assert_eq!(net.predicted("1,20,300\n4,50,100\n", ""), right, "without the label");
    net.refuses("1,20\n4,50\n", "", &["in.csv", "2 columns here, but 4 in train.csv"]);
    net.refuses("0,1,20,300,5\n", "", &["5 columns here, but 4 in train.csv"]);
    let seen = net.predicted("1,20,300\n", "--as-is");
    assert_eq!(net.predicted("9,1,20,300\n", "--as-is"), seen);
}

#[test]
fn weights_are_evaluated_on_the_columns_they_were_trained_on() {
    let net = Trained::new("eval", TRAIN, HOW);
    let line = format!("eval {} --weights {} --split test", net.path("net.nn"), net.path("run"));
    let right = succeed(&line);
    let turned = "y,c,b,a\n0,300,20,1\n1,100,50,4\n3,200,10,2\n2,700,30,5\n";
    net.0.write("test.csv", turned);
    assert_eq!(succeed(&line), right, "the test table in another order");
    net.0.write("train.csv", turned);
    assert_eq!(succeed(&line), right, "and the training table, since the run");
    for (table, words) in [
        ("a,b,y\n1,20,0\n4,50,1\n", ["`c` is missing", "train.csv"]),
        ("a,b,c,d,y\n1,20,300,4,0\n4,50,100,4,1\n", ["`d` is not among", "the run "]),
    ] {
        net.0.write("train.csv", table);
        let said = fail(&line, 3);
        words.iter().for_each(|word| assert!(said.contains(word), "`{word}` in: {said}"));
    }
}

#[test]
fn a_run_goes_on_with_the_columns_it_began_with() {
    let net = Trained::new("resume", TRAIN, HOW);
    let turned = "c,b,a,y\n300,20,1,0\n100,50,4,1\n200,10,2,3\n700,30,5,2\n";
    let folder = net.path("run");
    let go_on = |table: &str| {
        net.0.write("train.csv", table);
        net.0.write("test.csv", table);
        succeed(&format!("run {} --resume {folder} --epochs 6", net.path("net.nn")));
        crate::common::bytes(&net.0.path("run/weights.safetensors"))
    };
    let checkpoint = crate::common::bytes(&net.0.path("run/checkpoint/state.safetensors"));
    let right = go_on(TRAIN);
    net.0.write("run/checkpoint/state.safetensors", checkpoint);
    assert!(go_on(turned) == right, "the same bits, whatever the order in the file");
}

/// The arrays of a file have names, too.
#[test]
fn arrays_are_taken_by_their_names() {
    let net = Trained::new("arrays", TRAIN, HOW);
    let array = |values: &[f64]| runtime::arrays::Array { shape: vec![1, 3], values: values.to_vec() };
    let write = |name: &str, arrays: &[(&str, &[f64])]| {
        let arrays = arrays.iter().map(|(n, v)| ((*n).to_string(), array(v))).collect();
        runtime::arrays::write(&net.0.path(name), &arrays, true).expect("written");
    };
    let line = |file: &str| net.line("").replace("in.csv", file);
    let right = net.predicted("a,b,c\n1,20,300\n", "");
    for (file, name) in [("in.npz", "x"), ("in.npz", "arr_0"), ("in.npy", "anything")] {
        write(file, &[(name, &[1.0, 20.0, 300.0])]);
        succeed(&line(file));
        assert_eq!(read_arrays(&net.0.path("out.npz"))["z"].values, right, "{file} {name}");
    }
    write("in.npz", &[("labels", &[1.0, 20.0, 300.0])]);
    let said = fail(&line("in.npz"), 3);
    assert!(said.contains("no array `x`") && said.contains("`labels`"), "{said}");
}
