//! A peer's stream: handshake, messages, bitfields; written the same as read.

#![no_main]

use libfuzzer_sys::fuzz_target;
use transfer::PieceSet;
use transfer::wire::{Frame, Handshake, Limits, Message, parse};

fuzz_target!(|input: &[u8]| {
    let mut rest = input;
    if let Some((head, messages)) = input.split_first_chunk::<{ Handshake::LEN }>()
        && let Ok(handshake) = Handshake::decode(head)
    {
        assert_eq!(handshake.encode(), *head);
        rest = messages;
    }
    let limits = Limits::default();
    while let Ok(Some((frame, used))) = parse(rest, &limits) {
        let (read, after) = rest.split_at(used);
        let (message, skipped) = match frame {
            Frame::Message(message) => (message, 0),
            Frame::Block(block) => (Message::Piece(block), block.len as usize),
        };
        let mut out = Vec::new();
        message.encode(&mut out);
        assert_eq!(out, read);
        if let Message::Bitfield(bits) = &message {
            for spare in 0..8 {
                let pieces = (8 * bits.len() as u32).saturating_sub(spare);
                if let Ok(set) = PieceSet::from_bitfield(bits, pieces) {
                    assert_eq!(set.to_bitfield(), *bits);
                }
            }
        }
        rest = after.get(skipped..).unwrap_or_default();
    }
});
