//! `nnc lr-find`: the losses are those of updates at the rates told, the suggestion lies where they fall.

mod common;

use common::{Folder, bytes, fail, succeed, text};
use serde_json::Value;

fn found(line: &str) -> Value {
    serde_json::from_str(&succeed(line)).expect("one JSON object")
}

fn column(of: &Value, name: &str) -> Vec<f64> {
    of["points"].as_array().expect("points").iter().map(|p| p[name].as_f64().expect("a number")).collect()
}

/// Descent on p^2 from 1: every update multiplies p by 1 - 2 lr. The rate is given by place, by name and not at all.
#[test]
fn every_update_is_made_at_its_rate() {
    let folder = Folder::new("rates");
    let rules =
        ["sgd(0.5)", "sgd(lr = cosine(0.1))", "sgd", "heavy_ball(alpha = 0, lr = 7) on params(Point), sgd on rest"];
    for (number, rule) in rules.iter().enumerate() {
        let text = format!(
            "model Point() -> [] {{\n    param p: [] ~ ones\n    p\n}}\n\nmodel Other() -> [] {{\n    param q: [] ~ zeros\n    q\n}}\n\n\
             train t {{\n    objective = Point()^2 + Other()^2\n    optimizer = {rule}\n    steps = 7\n}}\n"
        );
        let program = folder.write(&format!("{number}.nn"), text);
        let line = format!(
            "lr-find {} --from 1e-3 --to 0.4 --steps 50 --precision f64 --json -o {}",
            program.display(),
            folder.path("rate").display()
        );
        let found = found(&line);
        let (rates, losses) = (column(&found, "rate"), column(&found, "loss"));
        assert_eq!(rates.len(), 50, "{rule}");
        let mut p: f64 = 1.0;
        for (k, (rate, loss)) in rates.iter().zip(&losses).enumerate() {
            let wanted = 1e-3 * 400f64.powf(k as f64 / 49.0);
            assert!((rate - wanted).abs() < 1e-12 * wanted, "{rule}: rate {k} is {rate}");
            assert!((loss - p * p).abs() < 1e-9, "{rule}: loss {k} is {loss}, not {}", p * p);
            p *= 1.0 - 2.0 * rate;
        }
        let suggestion = found["suggestion"].as_f64().expect("the loss falls");
        // The loss (1 - 2 lr)^2 .. falls fastest in the middle of its way down.
        let at = rates.iter().position(|r| *r == suggestion).expect("one of the rates");
        assert!(losses[at] < 0.95 && losses[at] > 0.05, "{rule}: {suggestion} at {}", losses[at]);
    }
}

/// On data: the suggestion is a rate at which the program trains, the end of the search is not.
#[test]
fn a_rate_is_found_and_drawn() {
    let folder = Folder::new("found");
    let stem = folder.path("rate");
    let line = format!("lr-find examples/moons.nn --steps 120 --to 100 --threads 1 -o {}", stem.display());
    let found = found(&format!("{line} --json"));
    let losses = column(&found, "smoothed");
    let suggestion = found["suggestion"].as_f64().expect("the loss falls");
    let lowest = found["lowest"].as_f64().expect("a lowest loss");
    assert!(suggestion > 1e-4 && suggestion <= lowest && lowest < 100.0, "{suggestion}, {lowest}");
    let least = losses.iter().copied().fold(f64::INFINITY, f64::min);
    assert!(least < 0.8 * losses[0], "{losses:?}");
    assert!(losses[losses.len() - 1] > 2.0 * least, "the search goes on until it is too much");
    let svg = text(&stem.with_extension("svg"));
    for shown in ["smoothed", "lr = ", "moons"] {
        assert!(svg.contains(shown), "no `{shown}`");
    }
    assert!(bytes(&stem.with_extension("png")).starts_with(b"\x89PNG"));
    let said = succeed(&line);
    assert!(said.contains("the loss falls fastest at lr = ") && said.contains("rate.svg"), "{said}");
    // Nothing of a run is left.
    let left: Vec<_> = std::fs::read_dir(&folder.0)
        .expect("a folder")
        .filter_map(|e| e.ok()?.file_name().into_string().ok())
        .collect();
    assert!(left.iter().all(|name| name.starts_with("rate.")), "{left:?}");
}

#[test]
fn what_cannot_be_searched_is_said() {
    let said = fail("lr-find examples/moons.nn --setting rate", 2);
    assert!(said.contains("no setting `rate`") && said.contains("lr, beta1"), "{said}");
    assert!(fail("lr-find examples/moons.nn --from 1 --to 0.1", 2).contains("--from"));
    assert!(fail("lr-find examples/moons.nn --steps 3", 2).contains("--steps"));
}
