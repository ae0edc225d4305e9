//! Means over a split are taken in 64 bits, of what the network gives for each sample in 32.

use super::{evaluated, event, train};
use crate::common::Folder;

fn program(metrics: &str) -> String {
    format!(
        "data d {{\n train = csv(\"x.csv\")\n test = csv(\"x.csv\")\n x: [1] = a |> reshape\n}}\n\
         model Net(x: [1]) -> [1] {{\n param w: [] ~ ones\n w * x\n}}\n\
         train t {{\n data = d\n out = Net(x)\n objective = out[0]\n optimizer = sgd(lr = 0)\n metrics = {{ {metrics} }}\n\
         batch = 8\n epochs = 1\n}}\n"
    )
}

#[test]
fn a_loss_of_very_different_samples_loses_none_of_them() {
    let folder = Folder::new("sums");
    folder.write("x.csv", "a\n100000000\n1\n1\n1\n1\n1\n1\n1\n");
    let program = folder.write("p.nn", program("twice = 2 * out[0]"));
    let lines = train(&folder, &program, "");
    // (10^8 + 7) / 8 and its double; in 32 bits the ones vanish beside 10^8, whose neighbours are 8 away.
    let test = &event(&lines, "done")["test"];
    assert_eq!(test["loss"].as_f64(), Some(100_000_007.0 / 8.0));
    assert_eq!(test["twice"].as_f64(), Some(100_000_007.0 / 4.0));
    assert_eq!(&evaluated(&folder, &program, "test"), test);
}

#[test]
fn a_mean_does_not_depend_on_the_size_of_the_minibatch() {
    let folder = Folder::new("sums-batch");
    let numbers: String = (0..50).map(|n| format!("{}\n", f64::from(n * 7919 % 1009) / 7.0)).collect();
    folder.write("x.csv", format!("a\n{numbers}"));
    let program = folder.write("p.nn", program("half = 0.5 * out[0]"));
    // The parameter stays 1, so each sample's value is its number rounded to 32 bits; fifty of them add up in 64 bits to
    // within 50 roundings of 2^-53 of the exact sum.
    let exact: f64 = (0..50).map(|n| f64::from((f64::from(n * 7919 % 1009) / 7.0) as f32)).sum::<f64>() / 50.0;
    for batch in [1, 7, 50] {
        let _ = std::fs::remove_dir_all(folder.path("run"));
        let lines = train(&folder, &program, &format!("--set batch={batch}"));
        let loss = event(&lines, "done")["test"]["loss"].as_f64().expect("a loss");
        assert!((loss - exact).abs() < 1e-12, "{batch}: {loss}, not {exact}");
    }
}
