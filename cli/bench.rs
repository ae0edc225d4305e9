//! `nnc bench`: time and memory of the training step. A timed step does all that a step of `run`
//! does: choosing the samples, filling the inputs, the compiled step, reading the loss.

use crate::args;
use crate::load;
use crate::output::Printed;
use crate::say;
use driver::bind::{self, Bound};
use driver::compile;
use driver::fault::Fault;
use driver::machine;
use driver::steps::Steps;
use runtime::file;
use serde_json::json;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Measures the step and prints its figures.
pub fn bench(options: &args::Bench) -> Result<(), Fault> {
    let loaded = load::load(&options.program, options.json)?;
    let train = load::choose(&loaded, &options.program)?;
    let mut bound = bind::bind(train, &options.program.file, &options.machine.plain(), None, &mut Printed)?;
    bound.session.initialise().map_err(Fault::internal)?;
    let mut steps = Steps::new(&bound);
    steps.next(&mut bound)?;
    let first_step_s = since_process_start();
    if options.profile {
        return profile(&mut bound, &mut steps, options);
    }
    let (times, loss) = measure(&mut bound, &mut steps, options)?;
    let at = |share: f64| percentile(&times, share);
    let threads = machine::threads(options.machine.resources.threads);
    let mut line = json!({
        "ms_per_step": {"median": at(0.5), "p10": at(0.1), "p90": at(0.9)},
        "first_step_s": first_step_s, "compile_s": bound.compile_s, "planned_bytes": bound.planned_bytes,
        "peak_rss_bytes": peak_rss(), "threads": threads, "target": "cpu", "steps": times.len(),
    });
    if options.steps.is_some() {
        line["loss"] = json!(loss);
    }
    if options.json {
        say!("{line}");
        return Ok(());
    }
    say!("{} on {threads} thread{}", train.name, if threads == 1 { "" } else { "s" });
    say!("  step          {:.4} ms  (10 %: {:.4}, 90 %: {:.4}, {} steps)", at(0.5), at(0.1), at(0.9), times.len());
    say!(
        "  first step    {:.1} ms after process start, {:.1} ms of it compiling",
        first_step_s * 1e3,
        bound.compile_s * 1e3
    );
    say!("  memory        {} planned, {} at the peak", compile::size(bound.planned_bytes), compile::size(peak_rss()));
    if options.steps.is_some() {
        say!("  loss          {loss} at step {}", steps.at.step);
    }
    Ok(())
}

/// Milliseconds of each step, sorted, after a short warm-up; and the last loss.
fn measure(bound: &mut Bound, steps: &mut Steps, options: &args::Bench) -> Result<(Vec<f64>, f64), Fault> {
    let warm = Instant::now() + Duration::from_secs_f64((options.seconds * 0.2).min(0.7));
    while options.steps.is_none() && Instant::now() < warm {
        steps.next(bound)?;
    }
    let mut times = Vec::with_capacity(20_000);
    let end = Instant::now() + Duration::from_secs_f64(options.seconds);
    let wanted = options.steps.map(|n| n.saturating_sub(steps.at.step as usize));
    while wanted.map_or(times.len() < 15 || (Instant::now() < end && times.len() < 20_000), |n| times.len() < n) {
        let start = Instant::now();
        steps.next(bound)?;
        times.push(start.elapsed().as_secs_f64() * 1e3);
    }
    times.sort_by(f64::total_cmp);
    Ok((times, steps.loss(bound)))
}

fn percentile(sorted: &[f64], share: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return 0.0 };
    let place = last as f64 * share;
    let (low, part) = (place.floor() as usize, place.fract());
    sorted[low] + (sorted[(low + 1).min(last)] - sorted[low]) * part
}

/// Where the time of a step goes, by launch.
fn profile(bound: &mut Bound, steps: &mut Steps, options: &args::Bench) -> Result<(), Fault> {
    let mut spent: BTreeMap<String, (f64, u64)> = BTreeMap::new();
    let end = Instant::now() + Duration::from_secs_f64(options.seconds);
    let mut count = 0u64;
    while Instant::now() < end {
        steps.next(bound)?;
        let Some(program) = bound.session.training.first().and_then(|t| t.minibatch.of(bound.batch)).map(|b| b.program)
        else {
            break;
        };
        let clock = runtime::execute::Clock { seed: bound.session.seed, step: steps.at.step, sample: 0 };
        let observe = &mut |label: &str, seconds: f64| {
            let entry = spent.entry(label.to_string()).or_default();
            entry.0 += seconds;
            entry.1 += 1;
        };
        bound.session.executor.profile(program, clock, observe).map_err(Fault::internal)?;
        count += 1;
    }
    let total: f64 = spent.values().map(|(s, _)| s).sum();
    let mut rows: Vec<_> = spent.into_iter().collect();
    rows.sort_by(|a, b| b.1.0.total_cmp(&a.1.0));
    say!("{:>10}  {:>6}  launch", "us/step", "share");
    for (label, (seconds, _)) in rows {
        say!("{:>10.2}  {:>5.1}%  {label}", seconds * 1e6 / count as f64, 100.0 * seconds / total);
    }
    say!("{:>10.2}  {:>5.1}%  all", total * 1e6 / count as f64, 100.0);
    Ok(())
}

/// Seconds since the kernel started this process; resolution 10 ms, so it is an upper bound to that.
pub fn since_process_start() -> f64 {
    let started = || -> Option<f64> {
        let stat = file::of_the_system("/proc/self/stat")?;
        let ticks: f64 = stat.rsplit(')').next()?.split_whitespace().nth(19)?.parse().ok()?;
        let up: f64 = file::of_the_system("/proc/uptime")?.split_whitespace().next()?.parse().ok()?;
        Some(up - ticks / 100.0)
    };
    started().unwrap_or(0.0)
}

/// The largest resident memory this process had, in bytes.
fn peak_rss() -> usize {
    let status = file::of_the_system("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    line.and_then(|l| l.split_whitespace().next()?.parse::<usize>().ok()).unwrap_or(0) * 1024
}
