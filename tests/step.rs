//! A training step is machine code and nothing else: it allocates nothing, and no path leads from it to an interpreter.
//!
//! That no path leads there is shown in three steps. The runtime, which makes the step, depends on no crate of ours
//! (`Cargo.toml`), so it knows no interpreter. What it launches is a kernel, a contraction, a draw or a copy
//! (`nnc_core::plan::Work`); every kernel's entry lies in memory that belongs to no file, where only generated code is.
//! And that code calls nothing.

mod common;

use common::{repository, succeed, text};
use driver::bind::{self, Bound};
use driver::machine::{Machine, Resources};
use nnc::{args, load};
use nnc_core::plan::Work;
use runtime::session::Session;
use runtime::trainer::{self, Metrics, Monitor, Observer, Progress, Record, Settings};
use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Counts the allocations of the whole process, all threads together.
struct Counting;

static ALLOCATIONS: AtomicUsize = AtomicUsize::new(0);

// SAFETY: passes everything on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.fetch_add(1, Ordering::Relaxed);
        // SAFETY: the caller's promise.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(at, layout) };
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// One test at a time: the others' allocations would count as the step's.
fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

const PROGRAMS: [&str; 4] =
    ["examples/digits.nn", "examples/digits_mlp.nn", "tests/run/digits_bn_dropout.nn", "tests/run/whole_splits.nn"];

fn bound(program: &str, threads: usize) -> Bound {
    let options = args::Program { file: repository(program), ..args::Program::default() };
    let loaded = load::load(&options, false).unwrap_or_else(|e| panic!("{e}"));
    let train = load::choose(&loaded, &options).unwrap_or_else(|e| panic!("{e}"));
    let machine = Machine { resources: Resources { threads: Some(threads), ..Default::default() }, memory: None };
    bind::bind(train, &options.file, &machine, None, &mut ()).unwrap_or_else(|e| panic!("{e}"))
}

/// Looks at the count after every update, from the first of each epoch to its last; the first epoch warms up.
#[derive(Default)]
struct Watch {
    epoch: Option<u64>,
    before: usize,
    steps: usize,
    allocations: usize,
}

impl Observer for Watch {
    fn updated(&mut self, _: &Session, progress: &Progress, _: f64) -> Result<(), String> {
        let now = ALLOCATIONS.load(Ordering::Relaxed);
        if self.epoch == Some(progress.at.epoch) && progress.at.epoch > 0 {
            self.steps += 1;
            self.allocations += now - self.before;
        }
        (self.epoch, self.before) = (Some(progress.at.epoch), now);
        Ok(())
    }

    fn interim(&mut self, _: &Progress, _: &Metrics) -> Result<(), String> {
        Ok(())
    }

    fn epoch(&mut self, _: &Session, _: &Progress, _: &Record, _: bool) -> Result<(), String> {
        Ok(())
    }
}

#[test]
fn a_step_allocates_nothing() {
    let _turn = alone();
    for program in PROGRAMS {
        for (threads, workers) in [(1, 0), (2, 0), (1, 1), (1, 3)] {
            let mut bound = bound(program, threads);
            bound.session.initialise().unwrap_or_else(|e| panic!("{e}"));
            let settings = Settings {
                accumulate: 1,
                figures: vec![],
                batch: bound.batch,
                epochs: 5,
                steps: bound.steps_per_epoch,
                limit: u64::MAX,
                shuffle: true,
                monitor: Monitor { split: "train".into(), metric: "loss".into(), rising: false },
                patience: None,
                pause: None,
                interval: 0,
                workers,
            };
            let (mut watch, mut progress) = (Watch::default(), Progress::default());
            let never = AtomicBool::new(false);
            let Bound { session, data, .. } = &mut bound;
            let end = trainer::train(session, data.as_ref(), &settings, &mut progress, &never, &mut watch);
            assert!(end.is_ok(), "{end:?}");
            // Choosing the samples, filling the inputs, the step, its results; a short last batch among them.
            assert!(watch.steps > 100, "{}", watch.steps);
            assert_eq!(
                watch.allocations, 0,
                "{program} on {threads} threads, {workers} workers, in {} steps",
                watch.steps
            );
        }
    }
}

/// Address ranges of memory that may be executed and belongs to no file.
fn generated_code() -> Vec<std::ops::Range<usize>> {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap_or_default();
    let executable = maps.lines().filter(|l| {
        let words: Vec<&str> = l.split_whitespace().collect();
        words.get(1).is_some_and(|w| w.contains('x')) && words.len() == 5
    });
    let address = |s: &str| usize::from_str_radix(s, 16).ok();
    executable
        .filter_map(|l| {
            let (start, end) = l.split_whitespace().next()?.split_once('-')?;
            Some(address(start)?..address(end)?)
        })
        .collect()
}

#[test]
#[cfg(target_os = "linux")]
fn kernels_are_generated_code() {
    let _turn = alone();
    for program in PROGRAMS {
        let bound = bound(program, 1);
        let ranges = generated_code();
        let report = bound.session.report.iter().flat_map(|r| &r.executor.bundle().programs);
        let programs = bound.session.executor.bundle().programs.iter().chain(report);
        let kernels = programs.flat_map(|p| &p.launches).filter_map(|l| match &l.work {
            Work::Kernel { entry, .. } => Some((&l.label, *entry as usize)),
            _ => None,
        });
        let mut count = 0;
        for (label, entry) in kernels {
            assert!(ranges.iter().any(|r| r.contains(&entry)), "{program}: {label} is no generated code");
            count += 1;
        }
        assert!(count > 10, "{program} has {count} kernels");
    }
}

#[test]
fn generated_code_calls_nothing() {
    let _turn = alone();
    for program in PROGRAMS {
        let code = succeed(&format!("emit {program} --stage clif"));
        assert!(code.contains("f32x4"));
        assert!(!code.contains("call"), "{program}");
    }
}

#[test]
fn the_runtime_knows_no_interpreter() {
    let dependencies = dependencies("runtime/Cargo.toml");
    let others = dependencies.replace("nnc_core.workspace = true", "");
    assert!(!["nnc", "compiler", "grammar", "path"].iter().any(|word| others.contains(word)), "{dependencies}");
}

#[test]
fn compiler_and_runtime_meet_in_a_crate_that_depends_on_nothing() {
    assert_eq!(dependencies("runtime/core/Cargo.toml"), "");
    let compiler = dependencies("compiler/Cargo.toml");
    assert!(compiler.contains("nnc_core.workspace = true") && !compiler.contains("runtime"), "{compiler}");
}

/// What a crate depends on outside of its tests.
fn dependencies(manifest: &str) -> String {
    let manifest = text(&repository(manifest));
    let (_, after) = manifest.split_once("\n[dependencies]\n").unwrap_or_default();
    after.split("\n[").next().unwrap_or_default().to_string()
}
