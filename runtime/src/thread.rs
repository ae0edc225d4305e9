//! Starting threads where the system may refuse them: in comes what starts one, out goes the thread, or nothing.
//!
//! A thread takes memory of its own after the system has agreed to start it, and a process that has none left then ends
//! without a word. So there has to be room for that first, and whoever starts a thread waits until it runs.

use std::alloc::{Layout, alloc, dealloc};
use std::io;
use std::sync::mpsc::{Sender, channel};

/// A stack, the signal stack, what the allocator keeps for a thread, and something for everybody else: generous.
const ROOM: Layout = match Layout::from_size_align(16 << 20, 4096) {
    Ok(layout) => layout,
    Err(_) => unreachable!(),
};

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

fn is_room() -> bool {
    // SAFETY: the layout's size is not zero; what was allocated goes back with the same layout, unread.
    unsafe {
        let start = std::hint::black_box(alloc(ROOM));
        if !start.is_null() {
            dealloc(start, ROOM);
        }
        !start.is_null()
    }
}
