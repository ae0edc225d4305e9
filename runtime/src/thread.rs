//! Starting threads where the system may refuse them: in comes what starts one, out goes the thread, or nothing.
//!
//! A thread takes memory of its own after the system has agreed to start it, and a process that has none left then ends
//! without a word. So there has to be room for that first, and whoever starts a thread waits until it runs.

use std::io;
use std::sync::mpsc::{Sender, channel};

/// Starts a thread with `spawn`, whose body drops what it is given first; `None` where the system refuses.
pub(crate) fn started<T>(spawn: impl FnOnce(Sender<()>) -> io::Result<T>) -> Option<T> {
    if !is_room() {
        return None;
    }
    let (begin, begun) = channel();
    let thread = spawn(begin).ok()?;
    // An error is what tells that the sender was dropped.
    let _ = begun.recv();
    Some(thread)
}

/// Whether there are addresses for a stack, the signal stack, what the allocator keeps for a thread, and something for
/// everybody else: generous. The system itself is asked, since an allocator learns from what it is asked for.
fn is_room() -> bool {
    #[cfg(unix)]
    {
        const ROOM: usize = 16 << 20;
        let (access, kind) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        // SAFETY: new pages wherever the system likes, which nobody looks at and which go back at once.
        unsafe {
            let start = libc::mmap(std::ptr::null_mut(), ROOM, access, kind, -1, 0);
            start != libc::MAP_FAILED && libc::munmap(start, ROOM) == 0
        }
    }
    #[cfg(not(unix))]
    true
}
