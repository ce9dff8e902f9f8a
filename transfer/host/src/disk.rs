//! The thread that hashes and writes whole pieces.
//!
//! One thread for the process: with the event loop's that makes one per core of
//! a small machine, and more only take the processor from the peers. A piece
//! crosses between the two threads twice, not once per block.
//!
//! The thread also reads what is to be sent and is not in memory, so that the
//! event loop never waits for a disk.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;

use mio::Waker;
use sha1::{Digest, Sha1};
use transfer::BLOCK_LEN;

use crate::pool::PieceBuffer;
use crate::shared::lock;
use crate::store::Store;

/// A SHA-1 digest.
pub type Digest20 = [u8; 20];

/// A piece to hash, compare and write.
#[derive(Debug)]
pub struct Job {
    /// Which torrent of the process.
    pub torrent: u32,
    /// Which piece of it.
    pub piece: u32,
    /// Where the piece lies in the torrent's content.
    pub offset: u64,
    /// What the piece must hash to.
    pub expected: Digest20,
    /// Whether the digests of its blocks are wanted, to find out who lied.
    pub digests: bool,
    /// The piece.
    pub buffer: PieceBuffer,
    /// Where it is written.
    pub store: Arc<dyn Store>,
    /// Whether the hash was found right already, by the event loop or before a
    /// write that failed.
    pub is_good: bool,
    /// How often the torrent had been resumed when the job was given.
    pub resumed: u32,
}

/// Bytes to read so that they are in memory when the event loop reads them.
#[derive(Debug)]
pub struct Fetch {
    /// The connection that waits for them.
    pub link: u32,
    /// Where they begin in the torrent's content, and how many they are.
    pub ranges: Vec<(u64, u32)>,
    /// Where they are kept.
    pub store: Arc<dyn Store>,
}

/// What became of a piece.
#[derive(Debug)]
pub enum Outcome {
    /// Hashed and written.
    Stored,
    /// It does not have the hash that it must have; nothing was written.
    Bad,
    /// Its hash is right but it could not be written: the job can be given again.
    Failed(io::Error),
}

/// A job that is done.
#[derive(Debug)]
pub struct Done {
    /// The job, with its buffer.
    pub job: Job,
    /// What became of it.
    pub outcome: Outcome,
    /// The digests of its blocks, if they were wanted.
    pub digests: Vec<Digest20>,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    fetches: VecDeque<Fetch>,
    is_closed: bool,
    /// Whether the thread waits for a job, so that it must be called.
    is_waiting: bool,
}

struct Shared {
    queue: Mutex<Queue>,
    more: Condvar,
    done: Mutex<Vec<Done>>,
    /// The connections whose bytes were read.
    fetched: Mutex<Vec<u32>>,
    /// Whether the event loop sleeps, so that it must be woken.
    loop_sleeps: AtomicBool,
    waker: Arc<Waker>,
}

/// The queue to the thread.
pub struct Disk {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Disk {
    /// Starts the thread; `waker` wakes the event loop when a job is done.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn start(waker: Arc<Waker>) -> io::Result<Self> {
        let shared = Arc::new(Shared {
            queue: Mutex::default(),
            more: Condvar::new(),
            done: Mutex::default(),
            fetched: Mutex::default(),
            loop_sleeps: AtomicBool::new(false),
            waker,
        });
        let worker = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("hash-and-write".into())
            .spawn(move || work(&worker))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Gives a job. The queue is bounded by the pool that the buffers are from.
    ///
    /// When the thread is behind, the piece is hashed here: its last blocks have
    /// just come, so it lies in this core's cache, and writing is work enough for
    /// the thread.
    pub fn give(&mut self, mut job: Job) {
        let is_behind = !lock(&self.shared.queue).jobs.is_empty();
        if is_behind && !job.is_good && !job.digests {
            job.is_good = Digest20::from(Sha1::digest(job.buffer.bytes())) == job.expected;
        }
        let mut queue = lock(&self.shared.queue);
        queue.jobs.push_back(job);
        if queue.is_waiting {
            self.shared.more.notify_one();
        }
    }

    /// Has bytes read. Each connection waits for one such at most, which bounds
    /// them.
    pub fn fetch(&mut self, fetch: Fetch) {
        let mut queue = lock(&self.shared.queue);
        queue.fetches.push_back(fetch);
        if queue.is_waiting {
            self.shared.more.notify_one();
        }
    }

    /// A connection that waited is gone: what was to be read for it is not, so
    /// that strangers who come and go do not fill the queue.
    pub fn forget(&mut self, link: u32) {
        lock(&self.shared.queue).fetches.retain(|fetch| fetch.link != link);
    }

    /// The connections whose bytes were read.
    pub fn take_fetched(&mut self) -> Vec<u32> {
        std::mem::take(&mut lock(&self.shared.fetched))
    }

    /// Moves all jobs that are done to `into`.
    pub fn take_done(&mut self, into: &mut Vec<Done>) {
        let mut done = lock(&self.shared.done);
        into.append(&mut done);
    }

    /// Hashes one of the waiting pieces here, which the thread then only writes.
    ///
    /// When the pool is empty the event loop has nothing to receive into, and the
    /// thread is what all wait for: so the loop's core takes a share of its work.
    /// Returns whether there was such a piece.
    pub fn help(&self) -> bool {
        let taken = {
            let mut queue = lock(&self.shared.queue);
            // The last one: the thread is about to take the first.
            let at = queue.jobs.iter().rposition(|job| !job.is_good && !job.digests);
            at.filter(|&at| at > 0).and_then(|at| queue.jobs.remove(at))
        };
        let Some(mut job) = taken else { return false };
        job.is_good = Digest20::from(Sha1::digest(job.buffer.bytes())) == job.expected;
        let mut queue = lock(&self.shared.queue);
        queue.jobs.push_front(job);
        if queue.is_waiting {
            self.shared.more.notify_one();
        }
        true
    }

    /// To be called before the event loop sleeps: returns whether it may, that
    /// is, whether no job has come back meanwhile.
    pub fn may_sleep(&self) -> bool {
        self.shared.loop_sleeps.store(true, Ordering::SeqCst);
        if lock(&self.shared.done).is_empty() && lock(&self.shared.fetched).is_empty() {
            return true;
        }
        self.woke();
        false
    }

    /// To be called when the event loop no longer sleeps.
    pub fn woke(&self) {
        self.shared.loop_sleeps.store(false, Ordering::SeqCst);
    }

    /// Waits until the thread has done all jobs, and ends it.
    pub fn finish(&mut self) {
        lock(&self.shared.queue).is_closed = true;
        self.shared.more.notify_one();
        if let Some(thread) = self.thread.take() {
            // It only ends in a panic by a bug, which has been printed then.
            let _ = thread.join();
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        self.finish();
    }
}

/// What the thread does next.
enum Task {
    Check(Job),
    Fetch(Fetch),
}

impl Queue {
    /// The next task; one kind does not keep the other waiting.
    fn next(&mut self, after_job: bool) -> Option<Task> {
        if (after_job || self.jobs.is_empty())
            && let Some(fetch) = self.fetches.pop_front()
        {
            return Some(Task::Fetch(fetch));
        }
        self.jobs.pop_front().map(Task::Check)
    }
}

fn work(shared: &Shared) {
    let mut after_job = false;
    loop {
        let task = {
            let mut queue = lock(&shared.queue);
            loop {
                if let Some(task) = queue.next(after_job) {
                    break task;
                }
                if queue.is_closed {
                    return;
                }
                queue.is_waiting = true;
                queue = shared.more.wait(queue).unwrap_or_else(PoisonError::into_inner);
                queue.is_waiting = false;
            }
        };
        after_job = matches!(task, Task::Check(_));
        match task {
            Task::Check(job) => {
                let done = run(job);
                lock(&shared.done).push(done);
            }
            Task::Fetch(fetch) => {
                read(&fetch);
                lock(&shared.fetched).push(fetch.link);
            }
        }
        if shared.loop_sleeps.swap(false, Ordering::SeqCst) {
            // Without a waker the loop still finds the job at its next timer.
            let _ = shared.waker.wake();
        }
    }
}

/// Reads what the event loop will read. An error shows there.
fn read(fetch: &Fetch) {
    let mut bytes = [0; BLOCK_LEN as usize];
    for (offset, len) in &fetch.ranges {
        let Some(into) = bytes.get_mut(..*len as usize) else { return };
        if fetch.store.read_at(*offset, into).is_err() {
            return;
        }
    }
}

fn run(mut job: Job) -> Done {
    let bytes = job.buffer.bytes();
    job.is_good = job.is_good || Digest20::from(Sha1::digest(bytes)) == job.expected;
    // Of a bad piece they are always needed: they tell who sent what.
    let digests = if job.digests || !job.is_good {
        bytes.chunks(BLOCK_LEN as usize).map(|block| Sha1::digest(block).into()).collect()
    } else {
        Vec::new()
    };
    let outcome = if job.is_good {
        match job.store.write_at(job.offset, bytes) {
            Ok(()) => Outcome::Stored,
            Err(error) => Outcome::Failed(error),
        }
    } else {
        Outcome::Bad
    };
    Done { job, outcome, digests }
}
