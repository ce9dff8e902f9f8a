//! Scripts of calls, and running one on a live network.

use std::io;
use std::ops::Range;
use std::sync::Arc;

use overlays::{Addr, Outcome, Overlay, Reason};
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::network::{LiveMeasures, LiveNetwork, LiveOptions};
use crate::sim::Request;

/// A call on one node.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// The node's index in the network.
    pub node: u32,
    /// What it is asked. Contacts of a join are written as
    /// [`Addr::from_index`] and stand for the node with that index: a script
    /// does not depend on which ports the nodes get, and the simulator takes
    /// the same requests.
    pub request: Request,
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

    /// Brings up a network whose nodes are `servers` servers and then `peers`
    /// peers: the servers join, each through those before it, then each peer in
    /// turn through all servers, or, in an overlay without any, through peers
    /// that are in already.
    pub fn bring_up(servers: u32, peers: u32) -> Self {
        let via = |nodes: Range<u32>| {
            Request::Join(nodes.take(Self::MAX_CONTACTS).map(Addr::from_index).collect())
        };
        let step = |node| {
            let contacts = if node < servers || servers == 0 { 0..node } else { 0..servers };
            Step { node, request: via(contacts) }
        };
        Self::default().then(1, (0..servers + peers).map(step).collect())
    }

    /// Adds a phase: at most `parallel` of its steps run at once, started in
    /// their order; the next phase starts when all have ended.
    #[must_use]
    pub fn then(mut self, parallel: usize, steps: Vec<Step>) -> Self {
        self.phases.push(Phase { parallel: parallel.max(1), steps });
        self
    }

    /// All steps in order.
    pub fn steps(&self) -> impl Iterator<Item = &Step> {
        self.phases.iter().flat_map(|phase| &phase.steps)
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
    /// Runs the script to its end and returns the outcomes in its order, with
    /// nodes given by their indices as the simulator does. A step for a node
    /// that does not exist ends in `Failed(NodeDown)`.
    ///
    /// Between phases it waits until the messages of the last one have died
    /// down, so that each phase finds a network at rest.
    pub async fn play(&self, script: &Script) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        for Phase { parallel, steps } in &script.phases {
            outcomes.extend(self.play_phase(*parallel, steps, |_| ()).await);
        }
        outcomes
    }

    /// Runs steps, at most `parallel` at once, and waits until their messages
    /// have died down. `progress` is told how many have ended.
    pub(super) async fn play_phase(
        &self,
        parallel: usize,
        steps: &[Step],
        progress: impl Fn(usize),
    ) -> Vec<Outcome> {
        let mut outcomes = vec![Outcome::Failed(Reason::NodeDown); steps.len()];
        let mut running = JoinSet::new();
        let mut waiting = steps.iter().enumerate();
        let mut ended = 0;
        loop {
            while running.len() < parallel
                && let Some((i, step)) = waiting.next()
            {
                if let Some(asked) = self.ask(step.node, &step.request) {
                    running.spawn(async move { (i, asked.await) });
                }
            }
            match running.join_next().await {
                Some(Ok((i, outcome))) => outcomes[i] = outcome,
                // It would be a panic in `ask`, which has none.
                Some(Err(_)) => {}
                None => break,
            }
            ended += 1;
            progress(ended);
        }
        self.quiesce().await;
        outcomes
    }
}
