//! What the user of a running node holds.

use std::sync::{Arc, Mutex, PoisonError};

use overlays::{Addr, Footprint, Item, Key, OpId, Outcome, Profile, Query, Reason};
use tokio::sync::{mpsc, oneshot};

use super::counters::Counters;
use crate::sim::Request;

/// What a handle asks of its node's task.
#[derive(Debug)]
pub(super) enum Command {
    /// Call a verb.
    Ask(Request, oneshot::Sender<(OpId, Outcome)>),
    /// What does the node keep?
    Footprint(oneshot::Sender<Footprint>),
    /// Whom does it know?
    Neighbours(oneshot::Sender<Vec<Addr>>),
    /// Stop at once, without leaving politely.
    Stop,
}

/// A running node: the five verbs as calls that return when the operation has
/// ended. Cheap to clone; the node stops when its last handle is gone.
///
/// Each call ends exactly once. A node that stops, or has stopped, ends it with
/// `Failed(NodeDown)`. Dropping a call's future does not withdraw the call.
#[derive(Clone, Debug)]
pub struct NodeHandle {
    pub(super) commands: mpsc::Sender<Command>,
    pub(super) counters: SharedCounters,
    pub(super) profile: Profile,
}

impl NodeHandle {
    /// Where the node listens.
    pub const fn addr(&self) -> Addr {
        self.profile.addr
    }

    /// What the node is like.
    pub const fn profile(&self) -> &Profile {
        &self.profile
    }

    /// Enters the network through `via`, known members.
    pub async fn join(&self, via: &[Addr]) -> Outcome {
        self.ask(Request::Join(via.to_vec())).await.1
    }

    /// Leaves politely, after which the node stops.
    pub async fn leave(&self) -> Outcome {
        self.ask(Request::Leave).await.1
    }

    /// Shares `item`.
    pub async fn insert(&self, item: Arc<Item>) -> Outcome {
        self.ask(Request::Insert(item)).await.1
    }

    /// Stops sharing the item with this key.
    pub async fn delete(&self, key: Key) -> Outcome {
        self.ask(Request::Delete(key)).await.1
    }

    /// Looks for items and their providers.
    pub async fn search(&self, query: Query) -> Outcome {
        self.ask(Request::Search(query)).await.1
    }

    /// Finds the node responsible for `key`.
    pub async fn locate(&self, key: Key) -> Outcome {
        self.ask(Request::Locate(key)).await.1
    }

    /// Calls a verb and waits for its outcome. Also tells the operation's
    /// number, or [`OpId::NONE`] if it never got one.
    pub async fn ask(&self, request: Request) -> (OpId, Outcome) {
        self.order(|reply| Command::Ask(request, reply))
            .await
            .unwrap_or((OpId::NONE, Outcome::Failed(Reason::NodeDown)))
    }

    /// What the node keeps; `None` once it has stopped.
    pub async fn footprint(&self) -> Option<Footprint> {
        self.order(Command::Footprint).await
    }

    /// The nodes it keeps contact details of; `None` once it has stopped.
    pub async fn neighbours(&self) -> Option<Vec<Addr>> {
        self.order(Command::Neighbours).await
    }

    /// What went wrong at the node so far; works after it has stopped, too.
    pub fn counters(&self) -> Counters {
        self.counters.read()
    }

    /// Stops the node at once, as a crash would: operations under way end in
    /// `Failed(NodeDown)`, streams are cut. Returns when its sockets are
    /// closed and its tasks have ended.
    pub async fn stop(&self) {
        // An error means that the node has stopped already.
        let _ = self.commands.send(Command::Stop).await;
        self.commands.closed().await;
    }

    async fn order<T>(&self, command: impl FnOnce(oneshot::Sender<T>) -> Command) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).await.ok()?;
        answer.await.ok()
    }
}

/// A node's counters, written by its task and read by its handles.
#[derive(Clone, Debug, Default)]
pub(super) struct SharedCounters(Arc<Mutex<Counters>>);

impl SharedCounters {
    /// Changes the counters.
    pub(super) fn count(&self, change: impl FnOnce(&mut Counters)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// The counters as they are.
    pub(super) fn read(&self) -> Counters {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
