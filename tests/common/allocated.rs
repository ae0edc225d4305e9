//! How much a thread has had allocated: a measure of work that is the same on every machine, however fast and busy, for
//! tests that bound what a text may cost. Work without memory does not show in it.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static BYTES: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: passes everything on to the system's allocator; counting itself allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        BYTES.set(BYTES.get() + layout.size() as u64);
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

/// The bytes that this thread has allocated while `f` ran, freed ones among them.
pub fn allocated<T>(f: impl FnOnce() -> T) -> (T, u64) {
    let before = BYTES.get();
    let result = f();
    (result, BYTES.get() - before)
}
