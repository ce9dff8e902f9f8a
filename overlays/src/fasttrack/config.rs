//! The parameters of FastTrack, with the figures measured on Kazaa where there
//! are any.

use crate::seam::Span;

crate::parameters! {
    /// Parameters of FastTrack. Figures of the real network are from Liang,
    /// Kumar and Ross (2004) and from the giFT-FastTrack description.
    pub struct Config {
        /// How many list servers there are, which hand out supernodes.
        pub servers: u32 = 1, in 1..=32;
        /// How many ordinary nodes make a supernode promote one of them and
        /// send half of the others away.
        pub children_split: u32 = 100, in 2..=100_000;
        /// The most ordinary nodes that a supernode takes; it refuses more
        /// (Kazaa: 100 to 160).
        pub children_max: u32 = 160, in 2..=100_000;
        /// A supernode with fewer ordinary nodes than this becomes an ordinary
        /// node again when another has room for all of them.
        pub children_min: u32 = 12, in 0..=100_000;
        /// How many links to other supernodes a supernode keeps (Kazaa: 30 to
        /// 60).
        pub links: u16 = 40, in 1..=200;
        /// How long a link between supernodes is kept on average before it is
        /// exchanged for another (Kazaa: 23 min).
        pub link_lifetime: Span = Span::from_s(23 * 60);
        /// How many candidate supernodes a node probes to choose the nearest.
        pub candidates: u16 = 5, in 1..=50;
        /// How long a node waits for the answers to its probes.
        pub probe_timeout: Span = Span::from_s(1);
        /// How long a node waits for a list or for a supernode's answer.
        pub answer_timeout: Span = Span::from_s(10);
        /// The most entries of a list of supernodes (Kazaa: 200).
        pub list_entries: u16 = 200, in 1..=1_000;
        /// How many supernodes an ordinary node remembers, to find another when
        /// its own is gone and no list server answers.
        pub cache: u16 = 20, in 1..=200;
        /// How often a supernode registers anew at the list server, tells its
        /// links its load and looks after itself.
        pub upkeep_every: Span = Span::from_s(60);
        /// How long a list server keeps a supernode that no longer registers.
        pub list_expiry: Span = Span::from_s(300);
        /// How often a supernode sends its ordinary nodes the statistics of the
        /// network, which also shows it who is gone.
        pub stats_every: Span = Span::from_s(600);
        /// The least upstream capacity of a supernode, in kilobits per second.
        pub min_upload_kbps: u32 = 1_000, in 0..=100_000_000;
        /// How long a node must have been with its supernode to be promoted;
        /// one that has not is taken only if nobody else is capable.
        pub promote_uptime: Span = Span::from_s(600);
        /// How many matches are enough: with fewer, a supernode asks others.
        pub enough: u16 = 100, in 1..=100;
        /// How many supernodes are asked in the first stage of a search.
        pub stage_first: u16 = 6, in 1..=200;
        /// By how much each further stage is wider.
        pub stage_growth: u16 = 2, in 1..=10;
        /// The most supernodes that a search asks beside its own; 0 keeps it
        /// there.
        pub reach: u16 = 100, in 0..=1_000;
        /// How long a supernode waits for the others before it goes on to the
        /// next stage without them.
        pub stage_timeout: Span = Span::from_s(5);
        /// How long a user waits for the end of a search.
        pub search_timeout: Span = Span::from_s(60);
        /// How many firewalled providers of a search are asked to call back
        /// before it ends; further ones are taken on trust.
        pub callbacks: u16 = 5, in 0..=100;
        /// How long a user waits for firewalled providers to call.
        pub callback_timeout: Span = Span::from_s(5);
        /// How long a node waits after it lost its supernode, give or take
        /// half; doubles with each failure.
        pub rehome_after: Span = Span::from_s(2);
        /// The longest such wait.
        pub rehome_max: Span = Span::from_s(300);
        /// The most files a node shares.
        pub max_shared: u32 = 5_000, in 1..=1_000_000;
    }
}
