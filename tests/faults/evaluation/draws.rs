//! A draw in evaluation is a function of seed, place, step and the sample's number in the split, wherever minibatches are
//! cut, and whichever command evaluates.

use super::{evaluated, event, train};
use crate::common::{Folder, read_arrays, succeed};

const PROGRAM: &str = "data d {
 train = csv(\"same.csv\")
 test = csv(\"same.csv\")
 x: [2] = [a, b]
}
layer noisy[n](x: [n]) -> [n] {
 e: [n] ~ normal(0, 1)
 x + e
}
model Net(x: [2]) -> [2] { x |> noisy |> dense(2) as fc }
train t {
 data = d
 out = Net(x)
 objective = squared_error(out, [1, 2])
 optimizer = sgd(lr = 0.01)
 metrics = { size = norm(out), most = max[i] out[i] }
 valid = split(0.25)
 batch = 3
 epochs = 2
 seed = 7
}
";

#[test]
fn equal_samples_get_draws_of_their_own_wherever_minibatches_are_cut() {
    let folder = Folder::new("draws");
    let same = folder.write("same.csv", format!("a,b\n{}", "1,2\n".repeat(8)));
    let program = folder.write("p.nn", PROGRAM);
    train(&folder, &program, "");
    let predicted = |batch: usize| {
        let out = folder.path(&format!("out{batch}.npz"));
        succeed(&format!(
            "predict {} --set batch={batch} --weights {} --inputs {} -o {}",
            program.display(),
            folder.path("run").display(),
            same.display(),
            out.display()
        ));
        read_arrays(&out)["out"].values.clone()
    };
    let whole = predicted(8);
    for (n, a) in whole.chunks(2).enumerate() {
        assert!(whole.chunks(2).take(n).all(|b| a != b), "samples {n} and another have the same draws: {whole:?}");
    }
    for batch in [1, 2, 3, 5] {
        assert_eq!(predicted(batch), whole, "in minibatches of {batch}");
    }
}

#[test]
fn eval_says_what_the_run_said_to_the_bit() {
    let folder = Folder::new("draws-eval");
    folder.write("same.csv", format!("a,b\n{}", "1,2\n0.5,-1\n".repeat(6)));
    let program = folder.write("p.nn", PROGRAM);
    for seed in ["", "--seed 5"] {
        let _ = std::fs::remove_dir_all(folder.path("run"));
        let lines = train(&folder, &program, seed);
        for split in ["train", "valid", "test"] {
            assert_eq!(evaluated(&folder, &program, split), event(&lines, "done")[split], "{split} {seed}");
        }
    }
}

#[test]
fn eval_stands_where_the_run_ended() {
    // What evaluation computes may depend on the number of updates.
    let folder = Folder::new("draws-schedule");
    folder.write("same.csv", format!("a,b\n{}", "1,2\n0.5,-1\n".repeat(6)));
    let text = PROGRAM.replace("squared_error(out, [1, 2])", "linear_decay(1, 0.1, 100) * squared_error(out, [1, 2])");
    let program = folder.write("p.nn", text);
    let lines = train(&folder, &program, "");
    assert_eq!(evaluated(&folder, &program, "test"), event(&lines, "done")["test"]);
}
