//! The extension protocol (BEP 10): its handshake and what is carried by it.

use std::net::SocketAddr;

use super::Session;
use super::effect::{LinkId, Source, Violation};
use crate::wire::Message;
use crate::wire::extended::{
    self, Extension, Handshake, Metadata, Numbers, Pex, PexFlags, PexPeer, decode_dont_have,
    decode_upload_only, encode_upload_only,
};

/// What a peer said in its extension handshake.
#[derive(Debug, Default)]
pub(super) struct Extended {
    pub(super) numbers: Numbers,
    /// It downloads nothing.
    pub(super) upload_only: bool,
    /// The length of the `info` dictionary, if it has it.
    pub(super) metadata_len: Option<u32>,
    /// It did not send metadata when asked.
    pub(super) metadata_refused: bool,
    /// Blocks of metadata that it was sent.
    pub(super) metadata_served: u32,
}

impl Session {
    pub(super) fn greet_extended(&mut self, link: LinkId, now_us: u64) {
        let Some(peer) = self.peer(link) else { return };
        if !peer.extended {
            return;
        }
        let info_len = self.torrent.as_ref().map_or(0, |torrent| torrent.info.len() as u32);
        let private = self.torrent.as_ref().is_some_and(|torrent| torrent.private);
        let mut numbers = Numbers::ours();
        if private || !self.config.peer_exchange {
            numbers.set(Extension::Pex, None);
        }
        let hello = Handshake {
            numbers,
            port: Some(self.config.listen_port).filter(|&port| port != 0),
            client: Some(self.config.client.clone()),
            your_ip: Some(peer.addr.ip()),
            request_queue: Some(u32::from(self.config.reqq)),
            metadata_size: Some(info_len).filter(|&len| len > 0),
            upload_only: self.finished.then_some(true),
            ..Handshake::default()
        };
        let message = Message::Extended { id: extended::HANDSHAKE, payload: hello.encode() };
        self.send(link, message, now_us);
    }

    /// Sends an extension message, if the peer receives it.
    pub(super) fn send_extended(
        &mut self,
        link: LinkId,
        extension: Extension,
        payload: Vec<u8>,
        now_us: u64,
    ) {
        if let Some(id) = self.peer(link).and_then(|peer| peer.extension.numbers.get(extension)) {
            self.send(link, Message::Extended { id, payload }, now_us);
        }
    }

    pub(super) fn on_extended(&mut self, link: LinkId, id: u8, payload: &[u8], now_us: u64) {
        let known = if id == extended::HANDSHAKE {
            Handshake::decode(payload).map(|hello| self.on_hello(link, &hello, now_us))
        } else {
            match Extension::from_number(id) {
                None => {
                    self.chatter(link, now_us);
                    Ok(())
                }
                Some(Extension::Pex) => {
                    Pex::decode(payload).map(|pex| self.on_pex(link, &pex, now_us))
                }
                Some(Extension::Metadata) => {
                    Metadata::decode(payload).map(|metadata| match metadata {
                        Some(metadata) => self.on_metadata(link, metadata, now_us),
                        None => self.chatter(link, now_us),
                    })
                }
                Some(Extension::UploadOnly) => decode_upload_only(payload).map(|only| {
                    self.chatter(link, now_us);
                    self.on_upload_only(link, only, now_us);
                }),
                Some(Extension::DontHave) => {
                    decode_dont_have(payload).map(|piece| self.on_dont_have(link, piece, now_us))
                }
            }
        };
        if known.is_err() {
            self.violated(link, Violation::BadExtension, now_us);
        }
    }

    fn on_hello(&mut self, link: LinkId, hello: &Handshake, now_us: u64) {
        self.chatter(link, now_us);
        let max_len = self.config.max_metadata_len;
        let Some(peer) = self.peer_mut(link) else { return };
        peer.extension.numbers.update(&hello.numbers);
        if let Some(reqq) = hello.request_queue {
            peer.pipeline.reqq = reqq.clamp(1, u32::from(u16::MAX)) as u16;
        }
        if let Some(len) = hello.metadata_size.filter(|&len| len <= max_len) {
            peer.extension.metadata_len = Some(len);
        }
        let (addr, incoming, contributor) = (peer.addr, peer.incoming, peer.contributor);
        if let Some(port) = hello.port.filter(|_| incoming) {
            let listens = SocketAddr::new(addr.ip(), port);
            self.contributors.get_mut(contributor).listens = Some(listens);
            self.candidates.found(listens, Source::Incoming);
            self.candidates.connected(listens);
        }
        if let Some(only) = hello.upload_only {
            self.on_upload_only(link, only, now_us);
        }
        self.fetch_metadata(now_us);
        self.refill(link, now_us);
    }

    fn on_upload_only(&mut self, link: LinkId, only: bool, now_us: u64) {
        if let Some(peer) = self.peer_mut(link) {
            peer.extension.upload_only = only;
        }
        self.close_if_both_seed(link, now_us);
    }

    /// Tells a peer that we download no more (BEP 21).
    pub(super) fn tell_upload_only(&mut self, link: LinkId, now_us: u64) {
        let payload = encode_upload_only(true);
        self.send_extended(link, Extension::UploadOnly, payload.to_vec(), now_us);
    }

    fn on_pex(&mut self, link: LinkId, pex: &Pex, now_us: u64) {
        let private = self.torrent.as_ref().is_some_and(|torrent| torrent.private);
        let Some(peer) = self.peer_mut(link) else { return };
        if !peer.exchange.may_come(now_us) {
            return self.chatter(link, now_us);
        }
        if private || !self.config.peer_exchange {
            return;
        }
        for added in &pex.added {
            self.peer_found(added.addr, Source::Exchange, now_us);
        }
    }

    /// Tells a peer of the others, if it is time.
    pub(super) fn tell_peers(
        &mut self,
        link: LinkId,
        connectable: &std::collections::BTreeSet<SocketAddr>,
        now_us: u64,
    ) {
        let Some(peer) = self.links.get_mut(link.0 as usize).and_then(|peer| peer.as_deref_mut())
        else {
            return;
        };
        if peer.extension.numbers.get(Extension::Pex).is_none() {
            return;
        }
        let to = self.contributors.get(peer.contributor).listens.unwrap_or(peer.addr);
        let Some((added, dropped)) = peer.exchange.news(connectable, to, now_us) else { return };
        let peer_of = |addr| PexPeer { addr, flags: PexFlags::REACHABLE };
        let pex = Pex { added: added.into_iter().map(peer_of).collect(), dropped };
        self.send_extended(link, Extension::Pex, pex.encode(), now_us);
    }
}
