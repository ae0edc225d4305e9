//! Batches put together ahead of time: worker threads gather samples, convert them and apply what their transforms left to
//! do, while the training thread computes. A batch is a small split of its own, whose samples are numbered from 0.
//!
//! Which samples a batch has is a function of the seed and its number, and a worker only copies: any number of workers gives
//! the same batches, and none at all does, too. Once every place has been filled, nothing is allocated.

use crate::data::{Split, order_epoch};
use crate::thread::started;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Bytes of a batch from which on a worker is worth its while; smaller ones are put together faster than a thread wakes up.
const WORTHWHILE: usize = 64 << 10;
/// Batches that a worker may be ahead.
const AHEAD: usize = 2;

/// Which batches there will be.
#[derive(Clone, Copy, Debug)]
pub struct Course {
    /// Seed of the order of samples.
    pub seed: u64,
    /// Whether the order changes from epoch to epoch.
    pub shuffle: bool,
    /// Samples in a batch.
    pub batch: usize,
    /// The first epoch, and the sample in it to begin with.
    pub from: (u64, usize),
    /// The epoch to end before.
    pub until: u64,
}

/// Batches in their order, as long as the workers live.
pub struct Feed {
    places: Vec<Place>,
    closed: AtomicBool,
}

/// Room for one batch at a time.
struct Place {
    content: Mutex<Content>,
    changed: Condvar,
}

struct Content {
    batch: Split,
    full: bool,
}

/// How many workers a run has unless told otherwise.
#[must_use]
pub fn usual_workers(split: &Split, batch: usize) -> usize {
    usize::from(batch * split.sample_bytes() >= WORTHWHILE)
}

/// Bytes that the batches of `workers` threads take.
#[must_use]
pub fn bytes(split: &Split, batch: usize, workers: usize) -> usize {
    AHEAD * workers * batch * split.sample_bytes()
}

/// Calls `body` with a feed of a split's batches that `workers` threads put together; without workers, with none.
pub fn with<R>(split: &Split, course: Course, workers: usize, body: impl FnOnce(Option<&Feed>) -> R) -> R {
    if workers == 0 {
        return body(None);
    }
    let place = || Place {
        content: Mutex::new(Content { batch: split.room(course.batch), full: false }),
        changed: Condvar::new(),
    };
    let places = (0..AHEAD * workers).map(|_| place()).collect();
    let feed = Feed { places, closed: AtomicBool::new(false) };
    std::thread::scope(|scope| {
        let feed = &feed;
        let _closing = Closing(feed);
        for worker in 0..workers {
            let fill = move || {
                // Ends the wait of the training thread, should this one fail.
                let closing = Closing(feed);
                feed.fill(split, course, worker, workers);
                std::mem::forget(closing);
            };
            let start = |begin| {
                let body = move || {
                    drop(begin);
                    fill();
                };
                std::thread::Builder::new().spawn_scoped(scope, body)
            };
            if started(start).is_none() {
                // The system starts no more threads: the training thread gathers its batches itself.
                feed.closed.store(true, Ordering::Release);
                return body(None);
            }
        }
        body(Some(feed))
    })
}

/// Tells everybody to stop waiting when it goes.
struct Closing<'a>(&'a Feed);

impl Drop for Closing<'_> {
    fn drop(&mut self) {
        self.0.closed.store(true, Ordering::Release);
        for place in &self.0.places {
            // With the lock taken, nobody is between looking and waiting.
            drop(place.lock());
            place.changed.notify_all();
        }
    }
}

impl Feed {
    /// Waits for batch number `number`, counted from the first of the course, and uses it. `None` if the workers have
    /// stopped.
    pub fn with_batch<R>(&self, number: usize, body: impl FnOnce(&Split) -> R) -> Option<R> {
        let place = &self.places[number % self.places.len()];
        let mut content = place.wait(true, &self.closed)?;
        let result = body(&content.batch);
        content.full = false;
        drop(content);
        place.changed.notify_one();
        Some(result)
    }

    /// Fills every batch whose number is `worker` after a division by `workers`.
    fn fill(&self, split: &Split, course: Course, worker: usize, workers: usize) {
        let (first, mut from) = course.from;
        let mut number = 0;
        let mut order = vec![0; split.count];
        for epoch in first..course.until {
            order_epoch(&mut order, course.seed, epoch, course.shuffle);
            for samples in order[from.min(split.count)..].chunks(course.batch.max(1)) {
                if number % workers == worker {
                    let place = &self.places[number % self.places.len()];
                    let Some(mut content) = place.wait(false, &self.closed) else { return };
                    split.gather(samples, &mut content.batch);
                    content.full = true;
                    drop(content);
                    place.changed.notify_one();
                }
                number += 1;
            }
            from = 0;
        }
    }
}

impl Place {
    fn lock(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The content once it is full or empty, as wanted; `None` once the feed is closed.
    fn wait(&self, full: bool, closed: &AtomicBool) -> Option<MutexGuard<'_, Content>> {
        let mut content = self.lock();
        loop {
            if closed.load(Ordering::Acquire) {
                return None;
            }
            if content.full == full {
                return Some(content);
            }
            content = self.changed.wait(content).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Bytes, Rows, epoch_order};

    /// 23 samples of bytes with two channels, of numbers, and of classes in overlapping windows.
    fn split() -> Split {
        let tables = vec![std::array::from_fn(|i| i as f64 / 8.0), std::array::from_fn(|i| -(i as f64))];
        let bytes = Bytes { codes: (0..23 * 6).map(|i| (i * 7 % 256) as u8).collect(), tables, inner: 3 };
        Split {
            name: "train".to_string(),
            count: 23,
            columns: vec![
                Rows::Bytes(bytes),
                Rows::Numbers((0..46).map(|i| i as f32).collect()),
                Rows::Classes { values: (0..23 + 3).collect(), stride: 1 },
            ],
            widths: vec![6, 2, 4],
            double: false,
        }
    }

    fn values(split: &Split, samples: &[u32]) -> (Vec<f32>, Vec<f64>, Vec<i32>) {
        let n = samples.len();
        let mut out = (vec![0.0; 6 * n], vec![0.0; 2 * n], vec![0; 4 * n]);
        split.numbers(0, samples, &mut out.0);
        split.numbers(1, samples, &mut out.1);
        split.classes(2, samples, &mut out.2);
        out
    }

    #[test]
    fn any_number_of_workers_gives_the_same_batches() {
        let split = split();
        let course = Course { seed: 5, shuffle: true, batch: 4, from: (2, 8), until: 5 };
        let mut expected = vec![];
        for epoch in 2..5 {
            let order = epoch_order(5, epoch, 23, true);
            let from = if epoch == 2 { 8 } else { 0 };
            expected.extend(order[from..].chunks(4).map(|samples| values(&split, samples)));
        }
        for workers in 0..=8 {
            let got: Vec<_> = with(&split, course, workers, |feed| match feed {
                None => expected.clone(),
                Some(feed) => (0..expected.len())
                    .filter_map(|k| feed.with_batch(k, |b| values(b, &(0..b.count as u32).collect::<Vec<_>>())))
                    .collect(),
            });
            assert!(got == expected, "{workers} workers");
        }
    }

    #[test]
    fn a_feed_may_be_left_at_any_time() {
        let split = split();
        let course = Course { seed: 5, shuffle: false, batch: 4, from: (0, 0), until: 1 << 40 };
        for taken in 0..10 {
            with(&split, course, 3, |feed| {
                (0..taken).for_each(|k| {
                    assert_eq!(feed.and_then(|f| f.with_batch(k, |b| b.count)), Some([4, 4, 4, 4, 4, 3][k % 6]))
                });
            });
        }
    }
}
