//! What of a session can be set.

use crate::identity::PeerId;

/// One second in the unit of all times here.
pub const SECOND_US: u64 = 1_000_000;

/// Which missing piece is begun next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum PieceOrder {
    /// The one that the fewest connected peers have, after a few random ones
    /// (Cohen 2003).
    #[default]
    RarestFirst,
    /// The one that the most have; to compare with.
    MostFrequentFirst,
    /// Any; to compare with.
    Random,
    /// The one with the lowest index.
    Sequential,
}

/// When blocks that were requested of one peer are requested of another too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Endgame {
    /// Never; to compare with.
    Off,
    /// When every missing block that somebody has is requested; and then only
    /// of peers who are expected to be sooner.
    #[default]
    WhenAllRequested,
    /// Every missing block of everybody who has it, from the beginning; to
    /// compare with.
    Always,
}

/// Whom a peer that still downloads unchokes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum LeechChoking {
    /// Those from whom most was received (BEP 3).
    #[default]
    TitForTat,
    /// Nobody, ever, also when it has all: a free rider.
    FreeRider,
}

/// Whom a seed unchokes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum SeedChoking {
    /// Those who receive fastest (BEP 3).
    #[default]
    FastestReceivers,
    /// Those who were unchoked last, but one at random: each gets its turn
    /// (mainline 4.0; Legout et al. 2006).
    RoundRobin,
}

/// Who may have more than one connection from one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum PerAddress {
    /// Nobody.
    One,
    /// This machine.
    #[default]
    ManyOnLoopback,
    /// Everybody.
    Many,
}

/// The parameters of a session, with the defaults of the specification where it
/// has one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionConfig {
    /// Our own name.
    pub peer_id: PeerId,
    /// What the extension handshake calls our software (BEP 10, `v`).
    pub client: String,
    /// The port on which we accept connections; 0 if on none.
    pub listen_port: u16,
    /// The UDP port of our DHT node, if there is one (BEP 5).
    pub dht_port: Option<u16>,

    /// Which piece is begun next.
    pub order: PieceOrder,
    /// Pieces that are chosen at random before `order` holds, so that there is
    /// soon something to give (4).
    pub random_first: u32,
    /// When blocks are requested twice.
    pub endgame: Endgame,
    /// How often one block may be requested at a time in the endgame (3).
    pub endgame_copies: u8,
    /// Bytes of all pieces that have been begun and are not yet stored; but
    /// always two pieces (32 MiB). No more than this lies in the buffers of
    /// the host.
    pub open_bytes: u64,
    /// Requests that are outstanding at a peer whose rate is not yet known (4).
    pub initial_depth: u16,
    /// Requests that are outstanding at the slowest peer (2).
    pub min_depth: u16,
    /// Requests that are outstanding at the fastest peer, if it allows it (512).
    pub max_depth: u16,
    /// How much of a peer's rate is outstanding, in microseconds (3 s).
    pub depth_us: u64,
    /// Requests of one peer that are kept; more are refused (512). The peer is
    /// told so (BEP 10, `reqq`).
    pub reqq: u16,

    /// Whom we unchoke while we download.
    pub leech_choking: LeechChoking,
    /// Whom we unchoke when we have all.
    pub seed_choking: SeedChoking,
    /// Peers that are unchoked at a time, the optimistic one among them (4).
    pub upload_slots: u16,
    /// Pieces that a newcomer may have although it is choked (10: BEP 6).
    pub allowed_fast: u16,
    /// How often it is decided anew who is unchoked, in microseconds (10 s).
    pub choke_interval_us: u64,
    /// How long the optimistic unchoke stays, in microseconds (30 s).
    pub optimistic_interval_us: u64,
    /// After this long without a block a peer is snubbing us, in microseconds
    /// (60 s).
    pub snub_us: u64,
    /// Whether peers on this machine and in private networks are unchoked beside
    /// the slots (yes).
    pub local_beside_slots: bool,

    /// Connections of this torrent (200).
    pub max_links: u16,
    /// Connections that are being opened at a time (20).
    pub max_half_open: u16,
    /// Addresses of peers that are remembered (1,000).
    pub max_known: u16,
    /// Below this many connections we open more ourselves (40).
    pub wanted_links: u16,
    /// Who may be connected more than once.
    pub per_address: PerAddress,
    /// Whether connections of two peers who have all are closed (yes).
    pub close_between_seeds: bool,
    /// Whether peers are told of other peers (BEP 11) (yes; never for a private
    /// torrent).
    pub peer_exchange: bool,
    /// After this long without a byte from us a keep-alive is sent, in
    /// microseconds (110 s: BEP 3 says that two minutes are common).
    pub keep_alive_us: u64,
    /// After this long without a message from the peer the connection is
    /// closed, in microseconds (150 s).
    pub idle_us: u64,
    /// The longest `info` dictionary that is fetched, in bytes (8 MiB).
    pub max_metadata_len: u32,
}

impl Default for SessionConfig {
    fn default() -> Self {
        Self {
            peer_id: PeerId(*b"-OL0100-000000000000"),
            client: format!("overlab {}", env!("CARGO_PKG_VERSION")),
            listen_port: 0,
            dht_port: None,
            order: PieceOrder::default(),
            random_first: 4,
            endgame: Endgame::default(),
            endgame_copies: 3,
            open_bytes: 32 << 20,
            initial_depth: 4,
            min_depth: 2,
            max_depth: 512,
            depth_us: 3 * SECOND_US,
            reqq: 512,
            leech_choking: LeechChoking::default(),
            seed_choking: SeedChoking::default(),
            upload_slots: 4,
            allowed_fast: 10,
            choke_interval_us: 10 * SECOND_US,
            optimistic_interval_us: 30 * SECOND_US,
            snub_us: 60 * SECOND_US,
            local_beside_slots: true,
            max_links: 200,
            max_half_open: 20,
            max_known: 1_000,
            wanted_links: 40,
            per_address: PerAddress::default(),
            close_between_seeds: true,
            peer_exchange: true,
            keep_alive_us: 110 * SECOND_US,
            idle_us: 150 * SECOND_US,
            max_metadata_len: 8 << 20,
        }
    }
}
