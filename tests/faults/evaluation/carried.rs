//! States in evaluation: one whose next value stands outside `if training` is carried from minibatch to minibatch, from
//! its initial value in every split, and training finds it as it left it; one that training alone changes is read.

use super::{evaluated, event, train};
use crate::common::{Folder, read_arrays, succeed};

/// Each sample less the mean of the minibatch before; the parameter stays 1, for the rate is 0.
fn program(body: &str, loss: &str) -> String {
    format!(
        "data d {{\n train = csv(\"train.csv\")\n test = csv(\"test.csv\")\n x: [1] = a |> reshape\n}}\n\
         layer lagged(x: [1]) -> [1] {{\n state h: [1] = 0\n{body}\n}}\n\
         model Net(x: [1]) -> [1] {{\n param w: [] ~ ones\n w * lagged(x)\n}}\n\
         train t {{\n data = d\n out = Net(x)\n objective = {loss}\n optimizer = sgd(lr = 0)\n shuffle = false\n batch = 2\n epochs = 2\n}}\n"
    )
}

const TRAIN: &str = "a\n1\n3\n5\n7\n9\n";
const TEST: &str = "a\n2\n4\n8\n6\n1\n";

fn run(body: &str, loss: &str) -> (Folder, std::path::PathBuf, Vec<serde_json::Value>) {
    let folder = Folder::new("carried");
    folder.write("train.csv", TRAIN);
    folder.write("test.csv", TEST);
    let program = folder.write("p.nn", program(body, loss));
    let lines = train(&folder, &program, "");
    (folder, program, lines)
}

#[test]
fn a_state_outside_if_training_is_carried_through_a_split() {
    let body = " if training {\n h' = mean[batch] x\n } else {\n h' = mean[batch] x\n }\n x - h";
    let (folder, program, lines) = run(body, "squared_error(out, [0])");
    // test: minibatches (2, 4), (8, 6), (1), of which the means are 3, 7 and 1, so that h is 0, 3, 7:
    // (4 + 16 + 25 + 9 + 36) / 5 = 18. train: (1, 3), (5, 7), (9) and h = 0, 2, 6: (1 + 9 + 9 + 25 + 9) / 5 = 10.6.
    let done = event(&lines, "done");
    assert!((done["test"]["loss"].as_f64().expect("a loss") - 18.0).abs() < 1e-9, "{done}");
    assert!((done["train"]["loss"].as_f64().expect("a loss") - 10.6).abs() < 1e-9, "{done}");
    assert_eq!(event(&lines, "start")["carried"], serde_json::json!(["lagged.h"]));
    // Training is not disturbed: its last minibatch was 9 alone, and its second epoch began with h = 9:
    // (64 + 36 + 9 + 25 + 9) / 5 = 28.6.
    let state = &read_arrays(&folder.path("run/weights.safetensors"))["lagged.h"];
    assert_eq!(state.values, [9.0]);
    let epochs: Vec<f64> =
        lines.iter().filter_map(|l| (l["event"] == "epoch").then(|| l["train"]["loss"].as_f64())?).collect();
    assert!((epochs[0] - 10.6).abs() < 1e-5 && (epochs[1] - 28.6).abs() < 1e-5, "{epochs:?}");
    assert_eq!(evaluated(&folder, &program, "test"), done["test"]);
    // What is predicted is what was evaluated.
    let inputs = folder.write("inputs.csv", TEST);
    let out = folder.path("out.npz");
    succeed(&format!(
        "predict {} --weights {} --inputs {} -o {}",
        program.display(),
        folder.path("run").display(),
        inputs.display(),
        out.display()
    ));
    assert_eq!(read_arrays(&out)["out"].values, [2.0, 4.0, 5.0, 3.0, -6.0]);
}

#[test]
fn a_state_under_if_training_is_read_as_training_left_it() {
    let (_folder, _, lines) = run(" if training {\n h' = mean[batch] x\n }\n x - h", "squared_error(out, [0])");
    // h = 9 throughout: (49 + 25 + 1 + 9 + 64) / 5 = 29.6.
    let done = event(&lines, "done");
    assert!((done["test"]["loss"].as_f64().expect("a loss") - 29.6).abs() < 1e-9, "{done}");
    assert!(event(&lines, "start").get("carried").is_none());
}

#[test]
fn a_state_within_a_scan_goes_on_in_the_next_minibatch() {
    let body = " total = scan e in x {\n count(e)\n }\n x + h + total";
    let layer = "layer count(e: []) -> [] {\n state n = 0\n n' = n + 1\n n + 0 * e\n}\n";
    let folder = Folder::new("carried-scan");
    folder.write("train.csv", TRAIN);
    folder.write("test.csv", TEST);
    let program = folder.write("p.nn", format!("{layer}{}", program(body, "squared_error(out, [0])")));
    let lines = train(&folder, &program, "");
    // One turn a minibatch: n is 0, 1, 2 in the three of them, from 0 in every split.
    // test: 2, 4, 9, 7, 3, whose squares have the mean (4 + 16 + 81 + 49 + 9) / 5 = 31.8.
    let done = event(&lines, "done");
    assert!((done["test"]["loss"].as_f64().expect("a loss") - 31.8).abs() < 1e-9, "{done}");
    assert_eq!(evaluated(&folder, &program, "test"), done["test"]);
}

#[test]
fn a_file_that_cannot_carry_a_state_is_refused() {
    let (folder, program, _) =
        run(" if training {\n h' = mean[batch] x\n } else {\n h' = mean[batch] x\n }\n x - h", "mse(out, [0])");
    let said = crate::common::fail(
        &format!("export {} --onnx --batch 2 -o {}", program.display(), folder.path("net.onnx").display()),
        2,
    );
    assert!(said.contains("`lagged.h` from minibatch to minibatch"), "{said}");
}
