//! What a train block is set to: the precision it says, what the command line says instead, its parameters; and that a
//! run's folder holds all that running it again needs.

mod common;

use common::{Folder, bytes, nnc, succeed, text};
use serde_json::Value;

const PROGRAM: &str = "
use \"parts/layers.nn\"

data points {
    x: [3]      = random_normal(24, [3], seed = 1)
    y: class(2) = random_class(24, 2, seed = 2)
}

model Net(x: [3], width: dim) -> [2] { x |> wide(width) |> dense(2) as top }

train net(width: dim) {
    data      = points
    logits    = Net(x, width)
    objective = cross_entropy(logits, y)
    optimizer = sgd(lr = 0.1)
    batch     = 8
    epochs    = 2
    precision = f64
}

sweep widths {
    width in [4, 6]
    train = net(width)
    plot train.loss against width
}
";

const LAYERS: &str = "layer wide[n](x: [n], width: dim) -> [width] { x |> dense(width) |> tanh }\n";

/// The program with its module, in a folder.
fn program(name: &str) -> (Folder, String) {
    let folder = Folder::new(name);
    std::fs::create_dir_all(folder.path("parts")).expect("a folder");
    folder.write("parts/layers.nn", LAYERS);
    let file = folder.write("net.nn", PROGRAM).display().to_string();
    (folder, file)
}

/// How often a word stands in the head of a file.
fn holds(file: &[u8], word: &str) -> usize {
    file[..file.len().min(2000)].windows(word.len()).filter(|w| *w == word.as_bytes()).count()
}

#[test]
fn a_block_says_its_precision_and_the_command_line_another() {
    let (folder, file) = program("precision");
    let at = folder.0.display();
    let mut planned = vec![];
    for (flag, saved, wide, array) in [("", "F64", true, "<f8"), ("--precision f32", "F32", false, "<f4")] {
        succeed(&format!("run {file} {flag} --out {at}/run"));
        let weights = bytes(&folder.path("run/weights.safetensors"));
        assert_eq!(holds(&weights, saved), 4, "every tensor of a run {flag} is {saved}");
        let clif = succeed(&format!("emit {file} {flag} --stage clif"));
        assert_eq!(clif.contains("fadd") && clif.contains("f64x2"), wide, "the code of {flag}");
        succeed(&format!("emit {file} {flag} --stage obj -o {at}/net.o"));
        assert_eq!(text(&folder.path("net.h")).contains("double *results"), wide, "the header of {flag}");
        let timed = succeed(&format!("bench {file} {flag} --steps 2 --json"));
        let timed: Value = serde_json::from_str(&timed).expect("one object");
        planned.push(timed["planned_bytes"].as_u64());
        let inputs = folder.path("x.npy");
        std::fs::write(&inputs, npy(&[1.0, 2.0, 3.0])).expect("written");
        succeed(&format!(
            "predict {file} {flag} --weights {at}/run/weights.safetensors --inputs {} --as-is -o {at}/out.npz",
            inputs.display()
        ));
        assert!(holds(&bytes(&folder.path("out.npz")), array) > 0, "what {flag} predicts");
    }
    assert!(planned[0] > planned[1], "bytes of 64 and of 32 bits: {planned:?}");
}

/// One sample as NumPy writes it.
fn npy(numbers: &[f64]) -> Vec<u8> {
    let mut head = format!("{{'descr': '<f8', 'fortran_order': False, 'shape': (1, {}), }}", numbers.len());
    head.push_str(&" ".repeat(117 - head.len()));
    head.push('\n');
    let mut file = b"\x93NUMPY\x01\x00\x76\x00".to_vec();
    file.extend(head.bytes());
    numbers.iter().for_each(|x| file.extend(x.to_le_bytes()));
    file
}

#[test]
fn a_parameter_of_a_block_can_be_set() {
    let (folder, file) = program("parameter");
    let parameters = |more: &str| {
        let said = succeed(&format!("run {file} --json --out {}/run {more}", folder.0.display()));
        let start: Value = said.lines().next().and_then(|l| serde_json::from_str(l).ok()).expect("a start");
        start["parameters"].as_u64()
    };
    let of_width = |n: u64| Some(4 * n + 2 * n + 2);
    assert_eq!(parameters(""), of_width(4), "what a sweep tries first");
    assert_eq!(parameters("--set width=5"), of_width(5));
}

#[test]
fn a_run_folder_is_enough_to_run_again() {
    let (folder, file) = program("again");
    let at = folder.0.display();
    succeed(&format!("run {file} --set width=5 --epochs 3 --out {at}/first"));
    std::fs::remove_dir_all(folder.path("parts")).expect("removed");
    succeed(&format!("run {at}/first/source.nn --set width=5 --epochs 3 --out {at}/second"));
    let weights = |run: &str| bytes(&folder.path(&format!("{run}/weights.safetensors")));
    assert!(weights("first") == weights("second"), "the same weights again");
    let environment: Value = serde_json::from_str(&text(&folder.path("first/environment.json"))).expect("JSON");
    assert_eq!(environment["set"], serde_json::json!({"width": "5", "epochs": "3"}));
    // A program of one file is kept as it is.
    succeed(&format!("run examples/xor.nn --set steps=2 --out {at}/xor"));
    assert_eq!(bytes(&folder.path("xor/source.nn")), bytes(&common::repository("examples/xor.nn")));
}

#[test]
fn a_reader_that_goes_away_is_no_fault() {
    let folder = Folder::new("pipes");
    let wrong = folder.write("wrong.nn", "train t { steps = 1; objective = nothing; optimizer = sgd() }\n");
    let ends: [(&[&str], i32); 3] =
        [(&["check", "examples/xor.nn"], 0), (&["check", &wrong.display().to_string()], 1), (&["explain"], 141)];
    // The reader has gone before anything is written: else what a pipe holds would pass as read.
    let unread = || std::io::pipe().expect("a pipe").1;
    for (arguments, status) in ends {
        let ended = nnc().args(arguments).stdout(unread()).stderr(unread()).status().expect("the command starts");
        assert_eq!(ended.code(), Some(status), "{arguments:?}");
    }
}
