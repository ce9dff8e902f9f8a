mod bench;
mod codec;
mod handshake;
mod protocol;
mod qrp;
mod web_cache;
