//! Push: how files behind a firewall are reached.

use super::Gnutella06;
use super::message::Message;
use crate::parts::servent::{Guid, PushBody, Way};
use crate::seam::{Addr, Cx};

impl Gnutella06 {
    /// Asks the servent behind a hit, `hops` away through `via`, to connect.
    pub(super) fn send_push(
        &self,
        cx: &mut Cx<'_, Self>,
        via: Addr,
        hops: u8,
        servent: Guid,
        index: u32,
    ) {
        let guid = Guid::fresh(cx.rng());
        let body = Box::new(PushBody { servent, index, to: self.me });
        cx.send(via, Message::Push { guid, way: Way::start(hops), body });
    }

    pub(super) fn on_push(
        &mut self,
        cx: &mut Cx<'_, Self>,
        from: Addr,
        guid: Guid,
        way: Way,
        body: Box<PushBody>,
    ) {
        let Some(way) = way.arrived(u8::MAX) else { return };
        if !self.linked(from) {
            return;
        }
        if body.servent == self.servent {
            // A Push that names no file of ours is a try to make us connect
            // somewhere.
            if self.shares.has_index(body.index) && body.to != self.me {
                cx.send(body.to, Message::Giv { servent: self.servent, index: body.index });
            }
        } else if let Some(via) = self.servents.via(body.servent)
            && via != from
            && way.ttl > 0
            && self.linked(via)
        {
            cx.send(via, Message::Push { guid, way, body });
        }
    }

    /// A pushed servent has connected: its hits can be fetched.
    pub(super) fn on_giv(&mut self, cx: &mut Cx<'_, Self>, from: Addr, servent: Guid) {
        self.close_unless_linked(cx, from);
        self.confirm_pushed(cx, from, servent);
    }
}
