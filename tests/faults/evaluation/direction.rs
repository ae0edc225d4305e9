//! Which way of a watched figure is better is said by definitions, never by a name.

use super::{event, train};
use crate::common::{Folder, fail, succeed};

/// A line through points, whose error falls from epoch to epoch, so that the last epoch is the best.
fn program(metrics: &str, stop: &str, more: &str) -> String {
    format!(
        "{more}data d {{ x: [2] = random_normal(64, [2], seed = 1) }}\n\
         model Net(x: [2]) -> [1] {{ x |> dense(1, init = zeros) as fc }}\n\
         train t {{\n data = d\n out = Net(x)\n goal = [x[0] + 2 * x[1]]\n objective = squared_error(out, goal)\n\
         optimizer = sgd(lr = 0.02)\n metrics = {{ {metrics} }}\n valid = split(0.25)\n stop = early_stopping({stop})\n\
         batch = 16\n epochs = 12\n}}\n"
    )
}

/// The epochs made, whether the final figure is the least of all epochs, or the greatest, and what is announced.
fn watched(name: &str, metrics: &str, stop: &str, more: &str) -> (usize, bool, bool, serde_json::Value) {
    let folder = Folder::new("direction");
    let path = folder.write("p.nn", program(metrics, stop, more));
    let lines = train(&folder, &path, "");
    let epochs: Vec<f64> =
        lines.iter().filter_map(|l| (l["event"] == "epoch").then(|| l["valid"][name].as_f64())?).collect();
    let done = event(&lines, "done")["valid"][name].as_f64().expect("a figure");
    let (least, greatest) = epochs.iter().fold((f64::MAX, f64::MIN), |(l, g), v| (l.min(*v), g.max(*v)));
    (epochs.len(), done == least, done == greatest, event(&lines, "start")["stop"].clone())
}

#[test]
fn a_loss_among_the_metrics_is_better_when_lower() {
    for name in ["mse", "mae", "huber", "log_cosh"] {
        let (epochs, least, greatest, stop) =
            watched(name, &format!("{name} = {name}(out, goal)"), &format!("monitor = valid.{name}, patience = 2"), "");
        assert_eq!((epochs, least, greatest), (12, true, false), "{name}");
        assert_eq!(stop["better"], "lower");
    }
}

#[test]
fn a_metric_says_it_in_its_definition() {
    let gap = "metric gap[n](a: [n], b: [n]) lower is better = norm(a - b)\n";
    let (epochs, least, ..) = watched("error", "error = gap(out, goal)", "monitor = valid.error, patience = 2", gap);
    assert_eq!((epochs, least), (12, true));
    // The name says nothing: of a figure called `error`, higher values may be better.
    let nearness = "metric nearness[n](a: [n], b: [n]) higher is better = -norm(a - b)\n";
    let (epochs, _, greatest, stop) =
        watched("error", "error = nearness(out, goal)", "monitor = valid.error, patience = 2", nearness);
    assert_eq!((epochs, greatest), (12, true));
    assert_eq!(stop["better"], "higher");
}

#[test]
fn the_train_block_may_say_otherwise() {
    let stop = "monitor = valid.mse, patience = 2, better = higher";
    let (epochs, _, greatest, stop) = watched("mse", "mse = mse(out, goal)", stop, "");
    // The error falls, so that the first epoch has the highest, and two more are waited for.
    assert_eq!((epochs, greatest), (3, true));
    assert_eq!(stop["better"], "higher");
}

#[test]
fn a_run_says_what_it_waits_for() {
    let folder = Folder::new("direction-said");
    let path = folder.write("p.nn", program("mse = mse(out, goal)", "monitor = valid.mse, patience = 3", ""));
    let said = succeed(&format!("run {} --threads 1 --out {}", path.display(), folder.path("run").display()));
    assert!(said.contains("stops when valid.mse has not fallen for 3 epochs"), "{said}");
}

#[test]
fn an_expression_whose_direction_nobody_states_is_not_guessed() {
    let folder = Folder::new("direction-unknown");
    for (metrics, name) in [("error = 1 - mse(out, goal)", "error"), ("loss2 = 2 * mse(out, goal)", "loss2")] {
        let path = folder.write("p.nn", program(metrics, &format!("monitor = valid.{name}, patience = 3"), ""));
        let said = fail(&format!("check {}", path.display()), 1);
        assert!(said.contains(&format!("nothing says whether a higher or a lower `{name}` is better")), "{said}");
        assert!(said.contains("better = lower"), "{said}");
        let stop = format!("monitor = valid.{name}, patience = 3, better = lower");
        let path = folder.write("p.nn", program(metrics, &stop, ""));
        succeed(&format!("check {}", path.display()));
    }
    // A metric that does not say it, watched through a local.
    let more = "metric off[n](a: [n], b: [n]) = norm(a - b)\n";
    let path = folder.write("p.nn", program("far = off(out, goal)", "monitor = valid.far, patience = 3", more));
    let said = fail(&format!("check {}", path.display()), 1);
    assert!(said.contains("`off` does not say it in its definition"), "{said}");
}

#[test]
fn only_a_metric_says_it() {
    let folder = Folder::new("direction-wrong");
    let with =
        |item: &str| folder.write("p.nn", format!("{item}\n{}", program("m = mse(out, goal)", "patience = 1", "")));
    for (item, said) in [
        ("fn f(x) higher is better = x", "only a metric says which of its values are better"),
        ("loss l(x: []) lower is better = x", "of a loss the lower values are always the better ones"),
        ("metric m(x: []) bigger is better = x", "a metric may say `higher is better` or `lower is better`"),
    ] {
        let output = fail(&format!("check {}", with(item).display()), 1);
        assert!(output.contains(said), "{output}");
    }
}
