//! Means over a split are taken in 64 bits, of what the network gives for each sample in 32.

use super::{evaluated, event, train};
use crate::common::{Folder, read_arrays, succeed};

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

/// A line whose slope and offset are kept, and targets near 10^6 that lie almost on it.
fn line_near_a_million(metrics: &str, more: &str) -> String {
    format!(
        "data d {{\n train = csv(\"x.csv\")\n test = csv(\"x.csv\")\n x: [1] = a |> reshape\n t: [1] = b |> reshape\n}}\n\
         model Net(x: [1]) -> [1] {{\n param w: [] ~ ones\n param c: [] ~ constant(1000000)\n w * x + c\n}}\n{more}\
         train t {{\n data = d\n out = Net(x)\n objective = squared_error(out, t)\n optimizer = sgd(lr = 0)\n\
         metrics = {{ {metrics} }}\n batch = 16\n epochs = 1\n}}\n"
    )
}

/// The samples of such a line: x in steps, and t = 10^6 + x + noise, which 32 bits hold in steps of 1/16.
fn million() -> (String, Vec<f64>) {
    let pairs: Vec<(f64, f64)> = (0..50)
        .map(|n| (f64::from(n * 37 % 50) / 16.0, f64::from(n * 7919 % 1009 - 504) / 1600.0))
        .map(|(x, noise)| (x, 1e6 + x + noise))
        .collect();
    let lines: String = pairs.iter().map(|(x, t)| format!("{x},{t}\n")).collect();
    (format!("a,b\n{lines}"), pairs.iter().map(|p| f64::from(p.1 as f32)).collect())
}

/// What the network gives for the samples, as `predict` says it.
fn predicted(folder: &Folder, program: &std::path::Path, output: &str) -> Vec<f64> {
    let (out, run) = (folder.path("out.npz"), folder.path("run"));
    let inputs = folder.path("x.csv");
    let (program, out_path) = (program.display(), out.display());
    succeed(&format!("predict {program} --weights {} --inputs {} -o {out_path}", run.display(), inputs.display()));
    read_arrays(&out)[output].values.clone()
}

fn mean(values: impl Iterator<Item = f64> + Clone) -> f64 {
    values.clone().sum::<f64>() / values.count() as f64
}

/// The figures of such a program on training and on test data, which are the same samples, and `eval`'s.
fn figures(folder: &Folder, metrics: &str, more: &str, flags: &str) -> (std::path::PathBuf, [serde_json::Value; 3]) {
    let program = folder.write("p.nn", line_near_a_million(metrics, more));
    let lines = train(folder, &program, flags);
    let done = event(&lines, "done");
    let trained = event(&lines, "epoch")["train"].clone();
    let seen = evaluated(folder, &program, "test");
    (program, [trained, done["test"].clone(), seen])
}

#[test]
fn r2_of_targets_near_a_million() {
    let folder = Folder::new("sums-million");
    let (csv, targets) = million();
    folder.write("x.csv", csv);
    for flags in ["", "--set batch=50", "--set batch=7 --set accumulate=3"] {
        let _ = std::fs::remove_dir_all(folder.path("run"));
        let (program, found) = figures(&folder, "r2 = r2(out[0], t[0])", "", flags);
        let out = predicted(&folder, &program, "out");
        let error = mean(targets.iter().zip(&out).map(|(t, p)| (t - p).powi(2)));
        let centre = mean(targets.iter().copied());
        let r2 = 1.0 - error / mean(targets.iter().map(|t| (t - centre).powi(2)));
        assert!(r2 > 0.9 && r2 < 1.0, "{r2}");
        // The difference of mean t^2 and (mean t)^2, both 10^12, is within 10^12 * 50 * 2^-53 = 0.006 of the variance,
        // which is about 0.85.
        for found in found {
            let said = found["r2"].as_f64().expect("a figure");
            assert!((said - r2).abs() < 0.006 / 0.85 * (1.0 - r2) + 1e-12, "{flags}: {said}, not {r2}");
        }
    }
}

#[test]
fn a_variance_of_what_the_network_gives() {
    let folder = Folder::new("sums-variance");
    folder.write("x.csv", million().0);
    let more = "metric spread(p: []) lower is better {\n m = mean[sample] p\n (mean[sample] p^2) - m^2\n}\n";
    let (program, found) = figures(&folder, "spread = spread(out[0])", more, "");
    let out = predicted(&folder, &program, "out");
    let centre = mean(out.iter().copied());
    let variance = mean(out.iter().map(|p| (p - centre).powi(2)));
    for found in found {
        let said = found["spread"].as_f64().expect("a figure");
        assert!((said - variance).abs() < 0.006, "{said}, not {variance}");
    }
}

#[test]
fn formulas_of_single_samples_in_functions_choices_and_products() {
    let folder = Folder::new("sums-formula");
    let (csv, targets) = million();
    folder.write("x.csv", csv);
    // Values near 10^7, in a function and a local of the block, whose last digits are what is left over: whole numbers of
    // 2^-4 times 10 and 3, so that 64 bits hold every sum exactly.
    let more = "fn tenfold(p: []) = 10 * p\n\
                metric left(p: [], t: []) lower is better {\n\
                far = tenfold(p) + 3 * t\n (sum[sample] (if far > 13000000 then far else 0)) - sum[sample] 13000000\n}\n";
    let metrics = "left = left(out[0], t[0]), direct = sum[sample] (10 * (w_of(x)[0] + 1000000) - 10000000)";
    let layer = "fn w_of[n](x: [n]) -> [n] = 3 * x\n";
    let (program, found) = figures(&folder, metrics, &format!("{more}{layer}"), "");
    let out = predicted(&folder, &program, "out");
    let far = |(p, t): (&f64, &f64)| if 10.0 * p + 3.0 * t > 13e6 { 10.0 * p + 3.0 * t } else { 0.0 };
    let left = out.iter().zip(&targets).map(far).sum::<f64>() - 50.0 * 13e6;
    let direct: f64 = (0..50).map(|n| 30.0 * f64::from(n) / 16.0).sum();
    for found in found {
        assert_eq!(found["left"].as_f64(), Some(left));
        assert_eq!(found["direct"].as_f64(), Some(direct));
    }
}

#[test]
fn what_evaluation_carries_draws_and_averages_is_handed_on() {
    // A model that gives a single number, one in a record, draws and a carried state, with parameters in whose place
    // evaluation takes their averages; beside each, what `predict` says of it in the minibatches of evaluation.
    let folder = Folder::new("sums-handed");
    folder.write("x.csv", million().0);
    let text = "data d {\n train = csv(\"x.csv\")\n test = csv(\"x.csv\")\n x: [1] = a |> reshape\n t: [1] = b |> reshape\n}\n\
        metric spread(p: []) {\n m = mean[sample] p\n (mean[sample] p^2) - m^2\n}\n\
        layer noisy(x: [1]) -> [1] {\n state h: [1] = 0\n h' = mean[batch] x\n z: [1] ~ normal(0, 1)\n x + h + z + 1000000\n}\n\
        model One(x: [1]) -> [] {\n param w: [] ~ ones\n w * x[0] + 1000000\n}\n\
        model Two(x: [1]) -> { a: [1], b: [] } {\n h = x |> dense(1, init = ones) as fc\n { a = h + 1000000, b = sum[i] h[i] }\n}\n\
        train t {\n data = d\n one = One(x)\n two = Two(x)\n noise = noisy(x)\n\
        objective = squared_error(two.a, t) + (one - t[0])^2\n optimizer = averaged_adam(lr = 0.5, keep = 0.5)\n\
        metrics = { one = spread(one), direct = spread(One(x)), a = spread(two.a[0]), b = spread(two.b), noise = spread(noise[0]) }\n\
        batch = 16\n epochs = 2\n}\n";
    let program = folder.write("p.nn", text);
    let lines = train(&folder, &program, "");
    let done = &event(&lines, "done")["test"];
    assert_eq!(&evaluated(&folder, &program, "test"), done);
    predicted(&folder, &program, "one");
    let arrays = read_arrays(&folder.path("out.npz"));
    for (metric, output) in [("one", "one"), ("direct", "one"), ("a", "two.a"), ("b", "two.b"), ("noise", "noise")] {
        let values = &arrays[output].values;
        let centre = mean(values.iter().copied());
        let variance = mean(values.iter().map(|p| (p - centre).powi(2)));
        let said = done[metric].as_f64().expect("a figure");
        assert!((said - variance).abs() < 0.006, "{metric}: {said}, not {variance}");
    }
}
