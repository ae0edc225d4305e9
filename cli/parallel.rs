//! Work side by side on all cores, for compiling; training has its own pool.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Calls `task` with every number below `count`; returns when all are done.
pub fn side_by_side(count: usize, task: &(dyn Fn(usize) + Sync)) {
    let next = AtomicUsize::new(0);
    let work = || {
        loop {
            let k = next.fetch_add(1, Ordering::Relaxed);
            if k >= count {
                return;
            }
            task(k);
        }
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        (1..cores.min(count)).for_each(|_| drop(scope.spawn(work)));
        work();
    });
}
