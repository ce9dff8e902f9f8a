//! The overlays of the lab. To add one, write its module and add its line.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use overlays::{About, Overlay, Parameter, ParameterError, Parameters, SearchPower, Wire};

use crate::conformance::{self, LawReport};
use crate::experiment::{self, Measures, Plan, RunError, Watch};
use crate::net;

macro_rules! register {
    ($($overlay:ty),* $(,)?) => {
        /// All overlays, in the order of reports.
        pub fn all() -> &'static [&'static dyn Entry] {
            &[$(&Registered::<$overlay>(PhantomData)),*]
        }

        /// Shows `visitor` the type of every overlay, in the order of reports.
        pub fn visit(visitor: &mut impl Visitor) {
            $(visitor.visit::<$overlay>();)*
        }
    };
}

register! {
    overlays::napster::Napster,
    overlays::gnutella::Gnutella,
    overlays::gnutella06::Gnutella06,
    overlays::fasttrack::FastTrack,
    overlays::chord::Chord,
    overlays::can::Can,
    overlays::pastry::Pastry,
    overlays::kademlia::Kademlia,
    overlays::mainline::Mainline,
    overlays::kad::Kad,
    overlays::bittorrent::BitTorrent,
    overlays::client_server::ClientServer,
    overlays::replication::Replication,
}

/// Whoever does the same with every overlay and needs its type, such as a
/// bench that drives a simulation itself.
pub trait Visitor {
    /// It is the turn of `O`.
    fn visit<O: Overlay>(&mut self);
}

/// One value for one parameter of an overlay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// The parameter's name.
    pub name: String,
    /// Its value.
    pub value: String,
}

/// What the lab can do with an overlay without knowing its type.
pub trait Entry: Send + Sync {
    /// What it says of itself.
    fn about(&self) -> &'static About;

    /// Its parameters after these assignments.
    ///
    /// # Errors
    /// When a parameter is unknown or a value out of range.
    fn parameters(&self, set: &[Assignment]) -> Result<Vec<Parameter>, ParameterError>;

    /// Which searches it answers after these assignments.
    ///
    /// # Errors
    /// When a parameter is unknown or a value out of range.
    fn search_power(&self, set: &[Assignment]) -> Result<SearchPower, ParameterError>;

    /// What each of its servers is, after these assignments.
    ///
    /// # Errors
    /// When a parameter is unknown or a value out of range.
    fn servers(&self, set: &[Assignment]) -> Result<Vec<&'static str>, ParameterError>;

    /// The kinds of its messages.
    fn message_kinds(&self) -> &'static [&'static str];

    /// Carries out a simulated run.
    ///
    /// # Errors
    /// When the parameters or the plan cannot be followed.
    fn simulate(
        &self,
        set: &[Assignment],
        plan: &Plan,
        watch: &Watch<'_>,
    ) -> Result<Measures, EntryError>;

    /// Carries out the same plan over sockets on this machine.
    ///
    /// # Errors
    /// When the parameters cannot be followed, or sockets cannot be had.
    fn live(
        &self,
        set: &[Assignment],
        plan: &Plan,
        watch: &Watch<'_>,
    ) -> Result<Measures, EntryError>;

    /// Tries the laws of conformance on it, each with each seed.
    ///
    /// # Errors
    /// When a parameter is unknown or a value out of range.
    fn laws(&self, set: &[Assignment], seeds: &[u64]) -> Result<Vec<LawReport>, ParameterError>;
}

/// Why an overlay could not be run.
#[derive(Debug)]
pub enum EntryError {
    /// A parameter is unknown or a value out of range.
    Parameter(&'static str, ParameterError),
    /// The run could not be carried out.
    Run(RunError),
}

impl fmt::Display for EntryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Parameter(overlay, error) => write!(f, "{overlay}: {error}"),
            Self::Run(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for EntryError {}

/// An overlay type as an entry of the registry.
pub struct Registered<O>(pub PhantomData<fn() -> O>);

impl<O> Default for Registered<O> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

/// What each server of `O` is, as configured.
pub fn server_kinds<O: Overlay>(config: &O::Config) -> Vec<&'static str> {
    (0..O::servers(config)).map(|place| O::server_kind(config, place)).collect()
}

/// The configuration after these assignments to the defaults.
///
/// # Errors
/// When a parameter is unknown or a value out of range.
pub fn configure<O: Overlay>(set: &[Assignment]) -> Result<Arc<O::Config>, ParameterError> {
    let mut config = O::Config::default();
    for Assignment { name, value } in set {
        config.set(name, value)?;
    }
    Ok(Arc::new(config))
}

impl<O: Overlay> Entry for Registered<O> {
    fn about(&self) -> &'static About {
        &O::ABOUT
    }

    fn parameters(&self, set: &[Assignment]) -> Result<Vec<Parameter>, ParameterError> {
        Ok(configure::<O>(set)?.list())
    }

    fn search_power(&self, set: &[Assignment]) -> Result<SearchPower, ParameterError> {
        Ok(O::search_power(&*configure::<O>(set)?))
    }

    fn servers(&self, set: &[Assignment]) -> Result<Vec<&'static str>, ParameterError> {
        Ok(server_kinds::<O>(&*configure::<O>(set)?))
    }

    fn message_kinds(&self) -> &'static [&'static str] {
        O::Message::KINDS
    }

    fn simulate(
        &self,
        set: &[Assignment],
        plan: &Plan,
        watch: &Watch<'_>,
    ) -> Result<Measures, EntryError> {
        let config = configure::<O>(set).map_err(|e| EntryError::Parameter(O::ABOUT.name, e))?;
        experiment::run::<O>(&config, plan, watch).map_err(EntryError::Run)
    }

    fn live(
        &self,
        set: &[Assignment],
        plan: &Plan,
        watch: &Watch<'_>,
    ) -> Result<Measures, EntryError> {
        let config = configure::<O>(set).map_err(|e| EntryError::Parameter(O::ABOUT.name, e))?;
        net::run::<O>(&config, plan, watch).map_err(EntryError::Run)
    }

    fn laws(&self, set: &[Assignment], seeds: &[u64]) -> Result<Vec<LawReport>, ParameterError> {
        Ok(conformance::check::<O>(&configure::<O>(set)?, seeds))
    }
}

/// The overlay called `name`.
pub fn find(name: &str) -> Option<&'static dyn Entry> {
    all().iter().copied().find(|entry| entry.about().name == name)
}

/// The word of `known` that is nearest to `word`, if any is near.
pub fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|k| (strsim::damerau_levenshtein(word, k), k))
        .filter(|(distance, k)| *distance <= 1 + k.len() / 3)
        .min()
        .map(|(_, k)| k)
}
