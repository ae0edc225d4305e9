//! `nnc doctor`: what this machine offers a training run.

use crate::say;
use driver::fault::Fault;
use driver::machine::said;
use serde_json::{Value, json};

/// Prints the facts as an aligned table, or as one JSON object.
pub fn doctor(as_json: bool) -> Result<(), Fault> {
    let facts = facts();
    if as_json {
        say!("{}", Value::Object(facts.into_iter().map(|(k, v)| (k.to_string(), v)).collect()));
        return Ok(());
    }
    let width = facts.iter().map(|(k, _)| k.len()).max().unwrap_or(0);
    for (name, value) in facts {
        let text = match value {
            Value::String(s) => s,
            Value::Array(list) => list.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "),
            other => other.to_string(),
        };
        say!("{name:width$}  {text}");
    }
    Ok(())
}

fn facts() -> Vec<(&'static str, Value)> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    vec![
        ("version", json!(env!("CARGO_PKG_VERSION"))),
        ("system", json!(format!("{} {}", std::env::consts::OS, std::env::consts::ARCH))),
        ("processor", json!(said("/proc/cpuinfo", "model name").unwrap_or_else(|| "unknown".into()))),
        ("cores", json!(cores)),
        ("memory", json!(said("/proc/meminfo", "MemTotal").unwrap_or_else(|| "unknown".into()))),
        ("vector units", json!(vector_units())),
        ("targets", json!(["cpu"])),
        ("data", json!(data_folder())),
    ]
}

/// Where large data sets are looked for, and whether the folder is there.
fn data_folder() -> String {
    match std::env::var("NNC_DATA") {
        Ok(folder) if std::path::Path::new(&folder).is_dir() => format!("{folder} (NNC_DATA)"),
        Ok(folder) => format!("{folder} (NNC_DATA, but there is no such folder)"),
        Err(_) => "NNC_DATA is not set; files are looked for beside the program and in --data-dir".into(),
    }
}

#[cfg(target_arch = "x86_64")]
fn vector_units() -> Vec<&'static str> {
    let has = [
        ("sse4.2", is_x86_feature_detected!("sse4.2")),
        ("avx", is_x86_feature_detected!("avx")),
        ("avx2", is_x86_feature_detected!("avx2")),
        ("fma", is_x86_feature_detected!("fma")),
        ("avx512f", is_x86_feature_detected!("avx512f")),
    ];
    has.into_iter().filter(|(_, there)| *there).map(|(name, _)| name).collect()
}

#[cfg(not(target_arch = "x86_64"))]
fn vector_units() -> Vec<&'static str> {
    vec!["128-bit"]
}
