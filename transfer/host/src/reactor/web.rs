//! Web seeds in the event loop.

use std::sync::Arc;
use std::sync::mpsc::{self, Sender};

use transfer::session::{Admission, CloseReason, LinkId};
use transfer::wire::{Handshake, Message, Reserved};
use transfer::{Block, Info, PieceSet};

use super::Reactor;
use super::links::vacant_id;
use crate::assembly::BlockState;
use crate::shared::{Command, Event};
use crate::web::{self, MAX_WEB_SEEDS, News, Order, WebKey, WebSeed};

/// After this long a web seed is tried again that the session did not want.
const UNWANTED_US: u64 = 60_000_000;
/// Below this many allowed bytes a limited web seed waits.
const LEAST_RUN_BYTES: u64 = 1024;

impl Reactor {
    /// Notes the web seeds of a torrent that has something to fetch.
    pub(super) fn add_web_seeds(&mut self, key: u32) {
        let Some(torrent) = self.torrents.get(&key).filter(|torrent| !torrent.is_finished) else {
            return;
        };
        let urls = torrent.setup.all_web_seeds();
        for (number, url) in (0..).zip(urls.iter().take(MAX_WEB_SEEDS)) {
            self.webs.seeds.entry((key, number)).or_insert_with(|| WebSeed::new(url));
        }
    }

    /// Forgets the web seeds of a torrent; their threads end.
    pub(super) fn remove_web_seeds(&mut self, key: u32) {
        self.webs.seeds.retain(|(torrent, _), _| *torrent != key);
    }

    /// Opens web seeds, and asks those for blocks who wait for nothing.
    pub(super) fn run_web_seeds(&mut self) {
        self.webs.next_us = u64::MAX;
        let keys: Vec<WebKey> = self.webs.seeds.keys().copied().collect();
        for key in keys {
            self.open_web_seed(key);
            self.order(key);
        }
    }

    /// Tells the session of a web seed, as of a peer that has all.
    fn open_web_seed(&mut self, key: WebKey) {
        let now_us = self.now_us;
        let Some(seed) = self.webs.seeds.get_mut(&key) else { return };
        if seed.link.is_some() || seed.is_retired || seed.is_busy {
            return;
        }
        let Some(torrent) = self.torrents.get_mut(&key.0) else { return };
        let (Some(session), Some(content)) = (torrent.session.as_mut(), &torrent.content) else {
            return;
        };
        if session.is_finished() || torrent.is_paused {
            return;
        }
        if seed.next_us > now_us {
            self.webs.next_us = self.webs.next_us.min(seed.next_us);
            return;
        }
        let id = vacant_id(&mut self.links, &mut self.free_links);
        seed.link = Some(id);
        self.webs.by_link.insert(id, key);
        let handshake = Handshake {
            reserved: Reserved::default(),
            info_hash: torrent.shared.info_hash,
            peer_id: web::name(key.1),
        };
        let all = PieceSet::full(content.info.layout().pieces());
        let link = LinkId(id);
        session.link_opened(link, web::address(key.1), true, &handshake, false, now_us);
        session.message(link, Message::Bitfield(all.to_bitfield()), now_us);
        session.message(link, Message::Unchoke, now_us);
        self.pending_effects.insert(key.0);
        self.run_pending_effects();
    }

    /// Asks a web seed for the next blocks.
    fn order(&mut self, key: WebKey) {
        let now_us = self.now_us;
        let Some(seed) = self.webs.seeds.get_mut(&key) else { return };
        let (Some(link), false, false) = (seed.link, seed.is_busy, seed.queue.is_empty()) else {
            return;
        };
        let Some(torrent) = self.torrents.get_mut(&key.0) else { return };
        let allowed = torrent.download.available(now_us).min(self.download.available(now_us));
        if allowed < LEAST_RUN_BYTES {
            let ready_us = self.download.ready_us().max(torrent.download.ready_us());
            self.webs.next_us = self.webs.next_us.min(ready_us);
            return;
        }
        let Some(content) = &torrent.content else { return };
        let order = Order { link, blocks: seed.next_run(&content.info, allowed) };
        seed.is_busy = true;
        if seed.orders.is_none() {
            match start(key, seed, &content.info, &self.mailbox) {
                Ok(orders) => seed.orders = Some(orders),
                Err(error) => return self.web_failed(key, &error.to_string(), false),
            }
        }
        if let Some(orders) = &seed.orders
            && orders.send(order).is_err()
        {
            self.web_failed(key, "its thread has ended", true);
        }
    }

    /// Carries out what a session wants of a web seed. Returns whether the
    /// connection is to one.
    pub(super) fn send_to_web_seed(&mut self, link: LinkId, message: &Message) -> bool {
        let Some(seed) = self.webs.of_link(link.0) else { return false };
        match message {
            Message::Request(block) => {
                seed.queue.push_back(*block);
                self.webs.next_us = self.now_us;
            }
            Message::Cancel(block) => seed.queue.retain(|waiting| waiting != block),
            _ => {}
        }
        true
    }

    /// The session closed the connection, or it is gone.
    pub(super) fn drop_web_link(&mut self, id: u32, reason: Option<CloseReason>) {
        let Some(key) = self.webs.by_link.remove(&id) else { return };
        self.free_links.push(id);
        let Some(seed) = self.webs.seeds.get_mut(&key) else { return };
        seed.link = None;
        seed.queue.clear();
        match reason {
            None => {}
            Some(CloseReason::Violation(_) | CloseReason::Banned) => seed.is_retired = true,
            Some(_) => seed.next_us = self.now_us + UNWANTED_US,
        }
        self.webs.next_us = self.webs.next_us.min(seed.next_us.max(self.now_us));
    }

    /// What the thread of a web seed says. An order that was given on an earlier
    /// connection counts no more.
    pub(super) fn web_news(&mut self, key: WebKey, link: u32, news: News) {
        let Some(seed) = self.webs.seeds.get_mut(&key) else { return };
        let is_current = seed.link == Some(link);
        match news {
            News::Block(block, bytes) if is_current => self.web_block(key, link, block, &bytes),
            News::Block(..) => {}
            News::Done => {
                seed.is_busy = false;
                seed.succeeded();
            }
            News::Failed(failure) => {
                self.web_failed(key, &failure.reason, failure.is_final);
            }
        }
        self.webs.next_us = self.now_us;
    }

    fn web_failed(&mut self, key: WebKey, reason: &str, is_final: bool) {
        let now_us = self.now_us;
        let Some(seed) = self.webs.seeds.get_mut(&key) else { return };
        seed.is_busy = false;
        seed.failed(is_final, now_us);
        let (url, link) = (Arc::clone(&seed.url), seed.link);
        let Some(torrent) = self.torrents.get_mut(&key.0) else { return };
        torrent.shared.tell(&Event::Warning(format!("web seed {url}: {reason}")));
        let Some(link) = link else { return };
        if let Some(session) = torrent.session.as_mut() {
            session.link_closed(LinkId(link), now_us);
        }
        self.drop_web_link(link, None);
        self.pending_effects.insert(key.0);
        self.run_pending_effects();
    }

    /// A block goes to its place, if it is still wanted.
    fn web_block(&mut self, key: WebKey, link: u32, block: Block, bytes: &[u8]) {
        let now_us = self.now_us;
        let Some(torrent) = self.torrents.get_mut(&key.0) else { return };
        let Some(session) = torrent.session.as_mut() else { return };
        torrent.download.spend(bytes.len() as u64);
        self.download.spend(bytes.len() as u64);
        self.pending_effects.insert(key.0);
        if session.block_begins(LinkId(link), block, now_us) == Admission::Receive
            && let Some(assembly) = torrent.assemblies.get_mut(block.piece)
            && assembly.contains(&block)
        {
            let from = block.begin as usize;
            let place = &mut assembly.buffer(&mut self.pool).bytes_mut()[from..from + bytes.len()];
            place.copy_from_slice(bytes);
            assembly.set_state(&block, BlockState::Full);
            session.block_received(LinkId(link), block, now_us);
            torrent.note_payload();
        }
        self.run_pending_effects();
    }
}

/// Starts the thread of a web seed.
fn start(
    key: WebKey,
    seed: &WebSeed,
    info: &Arc<Info>,
    mailbox: &Arc<crate::shared::Mailbox>,
) -> std::io::Result<Sender<Order>> {
    let (orders, received) = mpsc::channel();
    let (url, info, mailbox) = (Arc::clone(&seed.url), Arc::clone(info), Arc::downgrade(mailbox));
    std::thread::Builder::new().name("web-seed".into()).spawn(move || {
        web::serve(&url, &info, &received, |link, news| {
            let Some(mailbox) = mailbox.upgrade() else { return false };
            mailbox.send(Command::Web(key, link, news));
            true
        });
    })?;
    Ok(orders)
}
