//! The binary `nnc`; everything is in the library beside it, but for what happens when there is no more memory.

use std::alloc::{GlobalAlloc, Layout, System};
use std::io::Write;

fn main() -> std::process::ExitCode {
    spare_addresses();
    nnc::main()
}

/// The C library keeps a region of 64 MiB of addresses for each of many threads. Where addresses are limited, one has to do:
/// the rest is for the run.
fn spare_addresses() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
        // SAFETY: the call writes the limit into the struct given, and no thread but this one runs yet.
        unsafe {
            if libc::getrlimit(libc::RLIMIT_AS, &raw mut limit) == 0 && limit.rlim_cur != libc::RLIM_INFINITY {
                libc::mallopt(libc::M_ARENA_MAX, 1);
            }
        }
    }
}

#[global_allocator]
static ALLOCATOR: Telling = Telling;

/// The system's allocator. Where it has nothing left, Rust would abort the process, which tells a user nothing; this ends it
/// with a sentence and the status of trouble with memory. The buffers of a run alone are asked for by a caller that can do
/// without, and says what for: they begin at a page.
struct Telling;

/// The alignment of what is asked for by such a caller.
const PAGE: usize = 4096;

fn told(start: *mut u8, layout: Layout) -> *mut u8 {
    if start.is_null() && layout.align() < PAGE {
        // Nothing is allocated from here on.
        let _ = writeln!(
            std::io::stderr(),
            "error: the system has no memory left for {} bytes more; take smaller minibatches or a smaller network, or \
             allow the process more memory (`ulimit -v`)",
            layout.size()
        );
        std::process::exit(3);
    }
    start
}

// SAFETY: every call is passed on to the system's allocator with what the caller has promised; what comes back is passed
// back, or the process ends.
unsafe impl GlobalAlloc for Telling {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise.
        told(unsafe { System.alloc(layout) }, layout)
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise.
        told(unsafe { System.alloc_zeroed(layout) }, layout)
    }

    unsafe fn realloc(&self, start: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller's promise.
        let moved = unsafe { System.realloc(start, layout, size) };
        // SAFETY: the size is one that the caller may ask for with this alignment.
        told(moved, unsafe { Layout::from_size_align_unchecked(size, layout.align()) })
    }

    unsafe fn dealloc(&self, start: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(start, layout) };
    }
}
