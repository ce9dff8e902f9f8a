//! Scripts of calls, and running one on a live network.

use std::io;
use std::sync::Arc;

use overlays::{Addr, Item, Key, Outcome, Overlay, Query, Reason};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::network::{LiveMeasures, LiveNetwork, LiveOptions};

/// One call of a verb.
#[derive(Clone, Debug, PartialEq)]
pub enum Call {
    /// Enter the network through these members.
    Join(Vec<Addr>),
    /// Leave it politely.
    Leave,
    /// Share an item.
    Insert(Arc<Item>),
    /// Stop sharing the item with this key.
    Delete(Key),
    /// Look for items and their providers.
    Search(Query),
    /// Find the node responsible for a key.
    Locate(Key),
}

/// A call on one node.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The node's index in the network.
    pub node: usize,
    /// What it is asked. Contacts of a join are written as
    /// [`Addr::from_index`] and stand for the node with that index, so that a
    /// script does not depend on which ports the nodes get.
    pub call: Call,
}

/// What is done to a network: phases of steps, one phase after the other.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Script {
    phases: Vec<Phase>,
}

/// Steps of which some run at the same time.
#[derive(Clone, Debug, PartialEq)]
struct Phase {
    parallel: usize,
    steps: Vec<Step>,
}

impl Script {
    /// The most contacts that a peer is given to join through.
    const MAX_CONTACTS: usize = 10;

    /// Brings up a network whose peers come first and whose servers come
    /// after them: the servers, then each peer in turn through all servers, or,
    /// in an overlay without any, through peers that are in already.
    pub fn bring_up(peers: usize, servers: usize) -> Self {
        let contacts = |range: std::ops::Range<usize>| {
            let addr = |i| Addr::from_index(u32::try_from(i).unwrap_or(u32::MAX));
            Call::Join(range.take(Self::MAX_CONTACTS).map(addr).collect())
        };
        let all = peers..peers + servers;
        let servers = all.clone().map(|i| Step { node: i, call: contacts(all.start..i) });
        let peers = (0..peers).map(|i| {
            let via = if all.is_empty() { 0..i } else { all.clone() };
            Step { node: i, call: contacts(via) }
        });
        Self::default().then(1, servers.chain(peers).collect())
    }

    /// Adds a phase: at most `parallel` of its steps run at once, started in
    /// their order; the next phase starts when all have ended.
    #[must_use]
    pub fn then(mut self, parallel: usize, steps: Vec<Step>) -> Self {
        self.phases.push(Phase { parallel: parallel.max(1), steps });
        self
    }

    /// How many steps there are.
    pub fn len(&self) -> usize {
        self.phases.iter().map(|phase| phase.steps.len()).sum()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Starts a network, runs the script on it and shuts it down. When `cancel`
/// becomes true, the script is cut short and the measures so far are returned,
/// marked as interrupted.
///
/// # Errors
/// When sockets cannot be bound.
pub async fn live<O: Overlay>(
    config: &Arc<O::Config>,
    options: &LiveOptions,
    script: &Script,
    cancel: watch::Receiver<bool>,
) -> io::Result<LiveMeasures> {
    let network = LiveNetwork::<O>::start(config, options).await?;
    let interrupted = tokio::select! {
        _ = network.play(script) => false,
        () = cancelled(cancel) => true,
    };
    Ok(network.close(interrupted).await)
}

/// Waits until the value is true; for ever if its sender is gone.
async fn cancelled(mut cancel: watch::Receiver<bool>) {
    if cancel.wait_for(|&yes| yes).await.is_err() {
        std::future::pending::<()>().await;
    }
}

impl<O: Overlay> LiveNetwork<O> {
    /// Runs the script to its end and returns the outcomes in its order. A
    /// step for a node that does not exist ends in `Failed(NodeDown)`.
    ///
    /// Between phases it waits until the messages of the last one have died
    /// down, so that each phase finds a network at rest.
    pub async fn play(&self, script: &Script) -> Vec<Outcome> {
        let mut outcomes = vec![Outcome::Failed(Reason::NodeDown); script.len()];
        let mut first = 0;
        for phase in &script.phases {
            let slots = Arc::new(Semaphore::new(phase.parallel));
            let mut running = JoinSet::new();
            for (i, step) in phase.steps.iter().enumerate() {
                let Some(node) = self.nodes().get(step.node).cloned() else { continue };
                let call = self.with_addresses(&step.call);
                let slot = Arc::clone(&slots).acquire_owned().await;
                running.spawn(async move {
                    let outcome = node.call(call).await;
                    drop(slot);
                    (first + i, outcome)
                });
            }
            while let Some(ended) = running.join_next().await {
                // An error would be a panic in `call`, which has none.
                if let Ok((i, outcome)) = ended {
                    outcomes[i] = outcome;
                }
            }
            first += phase.steps.len();
            self.quiesce().await;
        }
        outcomes
    }

    /// The call with node indices replaced by addresses. Contacts that do not
    /// exist are left out.
    fn with_addresses(&self, call: &Call) -> Call {
        let Call::Join(via) = call else { return call.clone() };
        let addr = |index: &Addr| self.nodes().get(index.index() as usize).map(|n| n.addr());
        Call::Join(via.iter().filter_map(addr).collect())
    }
}
