//! The thread pool: runs the tasks of a parallel region on a fixed set of threads.
//!
//! A region is a count of tasks and a body. Workers, the caller among them, take tasks from one
//! atomic counter until none is left; which worker does a task must not matter to the result. The caller
//! never waits for a thread that has not begun: what nobody else takes it does itself, and at the end
//! it waits for tasks already taken. So more threads than cores is slow at worst, never stuck.
//!
//! Between regions workers spin for some microseconds, because in a training step the next region is
//! near, and then sleep; the time shrinks while it proves useless. Starting a region allocates
//! nothing and makes no system call unless a worker sleeps.
//!
//! # What holds
//! Only the caller opens a region, by raising `open` from 0 after publishing `region`. A worker lowers
//! `open` by one before it looks at `region`, and reports the task in `finished` when it is done; the
//! caller returns once all tasks are reported. So whoever has taken a task and not reported it may use `region`.

use crate::thread::started;
use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// The longest a worker spins for the next region, and a caller for the last task.
const LONGEST_SPIN: Duration = Duration::from_micros(40);
/// The shortest, reached after several regions that came too late.
const SHORTEST_SPIN: Duration = Duration::from_micros(2);

/// A fixed set of threads, of which the calling one is the first.
pub struct Pool {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
}

/// Why a region did not run to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RegionError {
    /// A task panicked, with this message; tasks not yet begun were left out.
    Panicked(String),
    /// The pool was running another region, perhaps the one that asked.
    Busy,
}

impl fmt::Display for RegionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Panicked(message) => write!(f, "a parallel task panicked: {message}"),
            Self::Busy => f.write_str("the thread pool is already running a region"),
        }
    }
}

impl std::error::Error for RegionError {}

/// What the tasks of a region have in common; lives on the caller's stack.
struct Region<'a> {
    tasks: usize,
    /// Called with a task and the worker that does it.
    body: &'a (dyn Fn(usize, usize) + Sync),
}

/// An atomic on cache lines of its own, so that polling one does not slow writing another.
#[repr(align(128))]
#[derive(Default)]
struct Apart<T>(T);

#[derive(Default)]
struct Shared {
    /// Tasks of the region that nobody has taken.
    open: Apart<AtomicUsize>,
    /// Tasks of the region that are done.
    finished: Apart<AtomicUsize>,
    /// The region, while tasks of it are taken and unfinished; only then may it be looked at.
    region: Apart<AtomicPtr<Region<'static>>>,
    /// Someone runs a region.
    busy: AtomicBool,
    stopping: AtomicBool,
    /// Workers asleep or about to be.
    sleeping: AtomicUsize,
    /// The caller is asleep or about to be.
    caller_sleeps: AtomicBool,
    /// The first panic of the region; also guards both condition variables.
    panic: Mutex<Option<String>>,
    wake_workers: Condvar,
    wake_caller: Condvar,
    /// There is a core for every thread, so spinning can help.
    may_spin: bool,
    /// How many workers can help the caller at the same time.
    helpers: usize,
}

impl Pool {
    /// A pool of `threads` threads, the caller included; fewer if the system refuses to start them.
    #[must_use]
    pub fn new(threads: usize) -> Self {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let helpers = threads.min(cores).saturating_sub(1).max(1);
        let shared = Arc::new(Shared { may_spin: threads <= cores, helpers, ..Shared::default() });
        let start = |worker| {
            let shared = Arc::clone(&shared);
            started(|begin| {
                let serve = move || {
                    drop(begin);
                    shared.serve(worker);
                };
                thread::Builder::new().name(format!("nnc-{worker}")).spawn(serve)
            })
        };
        let workers: Vec<_> = (1..threads).map_while(start).collect();
        let pool = Self { shared, workers };
        if pool.threads() == threads.max(1) {
            return pool;
        }
        // The system has nothing left: half of what it gave goes back, for all else that the process needs.
        let fewer = pool.threads() / 2;
        drop(pool);
        Self::new(fewer)
    }

    /// How many threads there are, the caller included: workers are numbered from 0 to one less.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.workers.len() + 1
    }

    /// Calls `body(task, worker)` once for each task below `tasks`, and returns when all are done. No
    /// two calls with the same worker overlap; worker 0 is the calling thread.
    ///
    /// # Errors
    /// If a task panics, or if the pool is in use: by another thread, or by a region whose body this is called from.
    pub fn run(&self, tasks: usize, body: &(dyn Fn(usize, usize) + Sync)) -> Result<(), RegionError> {
        if self.shared.busy.swap(true, Ordering::Acquire) {
            return Err(RegionError::Busy);
        }
        let region = Region { tasks, body };
        let outcome =
            if self.workers.is_empty() || tasks <= 1 { region.run_alone() } else { self.shared.run_together(&region) };
        self.shared.busy.store(false, Ordering::Release);
        outcome.map_err(RegionError::Panicked)
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        drop(self.shared.lock());
        self.shared.wake_workers.notify_all();
        for worker in self.workers.drain(..) {
            // A worker catches the panics of its tasks, so it has nothing to tell.
            drop(worker.join());
        }
    }
}

impl Region<'_> {
    fn run_alone(&self) -> Result<(), String> {
        (0..self.tasks).try_for_each(|task| self.run_task(task, 0))
    }

    fn run_task(&self, task: usize, worker: usize) -> Result<(), String> {
        catch_unwind(AssertUnwindSafe(|| (self.body)(task, worker))).map_err(|payload| message(&*payload))
    }
}

/// The text of a panic.
fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| payload.downcast_ref::<&str>().copied());
    text.unwrap_or("no message").to_owned()
}

impl Shared {
    /// The caller's side of a region: open it, work, wait for the others, close it.
    fn run_together(&self, region: &Region<'_>) -> Result<(), String> {
        self.finished.0.store(0, Ordering::Relaxed);
        self.region.0.store(ptr::from_ref(region).cast_mut().cast(), Ordering::Relaxed);
        self.open.0.store(region.tasks, Ordering::SeqCst);
        self.wake(region.tasks - 1);
        self.work(0);
        self.await_finish(region.tasks);
        match self.lock().take() {
            Some(message) => Err(message),
            None => Ok(()),
        }
    }

    /// Wakes as many workers as have tasks to do and cores to run on.
    fn wake(&self, wanted: usize) {
        let sleeping = self.sleeping.load(Ordering::SeqCst);
        if sleeping == 0 {
            return;
        }
        // Whoever is still on the way to sleep holds the lock: let it get there.
        drop(self.lock());
        let wanted = wanted.min(self.helpers);
        if wanted >= sleeping {
            self.wake_workers.notify_all();
        } else {
            (0..wanted).for_each(|_| self.wake_workers.notify_one());
        }
    }

    /// Takes tasks until none is open, then reports them all.
    fn work(&self, worker: usize) {
        let mut done = 0;
        while let Some(left) = self.take() {
            // SAFETY: a task is taken and not reported, so the caller is still inside `run_together` and
            // its region alive; taking it acquired what the caller wrote before opening the region.
            let region = unsafe { &*self.region.0.load(Ordering::Relaxed) };
            done += 1;
            if let Err(message) = region.run_task(region.tasks - left, worker) {
                self.lock().get_or_insert(message);
                // The tasks that nobody has begun count as done.
                done += self.open.0.swap(0, Ordering::Relaxed);
            }
        }
        if done > 0 {
            self.finished.0.fetch_add(done, Ordering::SeqCst);
            if self.caller_sleeps.load(Ordering::SeqCst) {
                drop(self.lock());
                self.wake_caller.notify_one();
            }
        }
    }

    /// Takes a task of the open region: says how many were open, this one included.
    fn take(&self) -> Option<usize> {
        self.open.0.fetch_update(Ordering::Acquire, Ordering::Relaxed, |open| open.checked_sub(1)).ok()
    }

    /// Waits until `tasks` tasks are reported.
    fn await_finish(&self, tasks: usize) {
        let all_done = || self.finished.0.load(Ordering::SeqCst) == tasks;
        if self.spin(LONGEST_SPIN, all_done) {
            return;
        }
        let mut guard = self.lock();
        self.caller_sleeps.store(true, Ordering::SeqCst);
        while !all_done() {
            guard = self.wake_caller.wait(guard).unwrap_or_else(PoisonError::into_inner);
        }
        self.caller_sleeps.store(false, Ordering::SeqCst);
    }

    /// The life of a worker.
    fn serve(&self, worker: usize) {
        let mut patience = LONGEST_SPIN;
        while !self.stopping.load(Ordering::SeqCst) {
            self.work(worker);
            if self.spin(patience, || self.is_called()) {
                patience = (patience * 2).min(LONGEST_SPIN);
            } else {
                patience = (patience / 2).max(SHORTEST_SPIN);
                self.sleep();
            }
        }
    }

    /// Whether a worker has something to do.
    fn is_called(&self) -> bool {
        self.open.0.load(Ordering::SeqCst) > 0 || self.stopping.load(Ordering::SeqCst)
    }

    /// Sleeps until called. One call ends it, even if others have done the work by then: the next is near.
    fn sleep(&self) {
        let guard = self.lock();
        self.sleeping.fetch_add(1, Ordering::SeqCst);
        if !self.is_called() {
            drop(self.wake_workers.wait(guard).unwrap_or_else(PoisonError::into_inner));
        }
        self.sleeping.fetch_sub(1, Ordering::SeqCst);
    }

    /// Polls for at most `patience`; whether `happened` did.
    fn spin(&self, patience: Duration, happened: impl Fn() -> bool) -> bool {
        if !self.may_spin {
            return happened();
        }
        let start = Instant::now();
        loop {
            for _ in 0..16 {
                if happened() {
                    return true;
                }
                std::hint::spin_loop();
            }
            if start.elapsed() > patience {
                return false;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<String>> {
        self.panic.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;
    use std::sync::atomic::AtomicU32;

    /// Runs a region and checks that every task ran once, on a worker that exists.
    fn check_region(pool: &Pool, tasks: usize) {
        let counts: Vec<AtomicU32> = (0..tasks).map(|_| AtomicU32::new(0)).collect();
        let outcome = pool.run(tasks, &|task, worker| {
            assert!(worker < pool.threads());
            counts[task].fetch_add(1, Ordering::Relaxed);
        });
        assert_eq!(outcome, Ok(()));
        assert!(counts.iter().all(|count| count.load(Ordering::Relaxed) == 1), "{tasks} tasks");
    }

    #[test]
    fn every_task_runs_once() {
        for threads in [1, 2, 3, 16] {
            let pool = Pool::new(threads);
            for tasks in [0, 1, 2, 3, 7, 64, 1000] {
                check_region(&pool, tasks);
            }
        }
    }

    #[test]
    fn many_short_regions_on_more_threads_than_cores() {
        let pool = Pool::new(16);
        for round in 0..3000 {
            check_region(&pool, round % 40);
        }
    }

    #[test]
    fn regions_after_a_pause_find_sleeping_workers() {
        let pool = Pool::new(3);
        for _ in 0..20 {
            check_region(&pool, 10);
            while pool.shared.sleeping.load(Ordering::SeqCst) < 2 {
                thread::yield_now();
            }
        }
    }

    #[test]
    fn a_worker_does_one_task_at_a_time() {
        let pool = Pool::new(4);
        let inside: Vec<AtomicBool> = (0..4).map(|_| AtomicBool::new(false)).collect();
        for _ in 0..500 {
            let outcome = pool.run(20, &|_, worker| {
                assert!(!inside[worker].swap(true, Ordering::SeqCst));
                std::hint::spin_loop();
                inside[worker].store(false, Ordering::SeqCst);
            });
            assert_eq!(outcome, Ok(()));
        }
    }

    #[test]
    fn two_threads_work_at_the_same_time() {
        let pool = Pool::new(2);
        // Neither task ends before the other has begun: on one thread this would not end.
        let met = Barrier::new(2);
        let outcome = pool.run(2, &|_, _| {
            met.wait();
        });
        assert_eq!(outcome, Ok(()));
    }

    #[test]
    fn a_panic_becomes_an_error_and_the_pool_goes_on() {
        for threads in [1, 2, 8] {
            let pool = Pool::new(threads);
            for round in 0..20 {
                let outcome = pool.run(100, &|task, _| assert!(task != 37, "task {task} fails"));
                assert_eq!(outcome, Err(RegionError::Panicked("task 37 fails".to_owned())), "round {round}");
                check_region(&pool, 50);
            }
        }
    }

    #[test]
    fn a_region_within_a_region_is_refused() {
        for threads in [1, 2] {
            let pool = Pool::new(threads);
            let refused = AtomicUsize::new(0);
            let outcome = pool.run(5, &|_, _| {
                if pool.run(2, &|_, _| {}) == Err(RegionError::Busy) {
                    refused.fetch_add(1, Ordering::Relaxed);
                }
            });
            assert_eq!((outcome, refused.into_inner()), (Ok(()), 5));
        }
    }

    /// Prints what an empty region costs: `cargo test --release -p nnc-runtime region_costs -- --ignored --nocapture`.
    #[test]
    #[ignore = "a measurement"]
    fn region_costs() {
        for threads in [1, 2, 4, 16] {
            let pool = Pool::new(threads);
            let rounds = 100_000;
            let start = Instant::now();
            for _ in 0..rounds {
                assert_eq!(pool.run(threads, &|_, _| {}), Ok(()));
            }
            println!("{threads:2} threads: {:?} a region", start.elapsed() / rounds);
        }
    }
}
