//! Ranges of bytes from an HTTP server, on a thread of its own (BEP 19).

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use transfer::web_seed::file_url;
use transfer::{FilePart, Info};

use super::{News, Order};

/// Redirections of one request.
const MAX_REDIRECTS: u32 = 5;
/// How long connecting may take, how long the answer to one request, and how
/// long its bytes.
const CONNECT: Duration = Duration::from_secs(10);
const ANSWER: Duration = Duration::from_secs(30);
const BYTES: Duration = Duration::from_secs(120);

/// Why no bytes come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// For people.
    pub reason: String,
    /// Whether it would be the same another time.
    pub is_final: bool,
}

impl Failure {
    fn passing(reason: impl ToString) -> Self {
        Self { reason: reason.to_string(), is_final: false }
    }

    fn lasting(reason: impl ToString) -> Self {
        Self { reason: reason.to_string(), is_final: true }
    }
}

/// Carries out orders until nobody can give any more. `tell` returns whether
/// somebody still listens.
pub fn serve(
    web_seed: &str,
    info: &Arc<Info>,
    orders: &Receiver<Order>,
    mut tell: impl FnMut(u32, News) -> bool,
) {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .timeout_connect(Some(CONNECT))
        .timeout_recv_response(Some(ANSWER))
        .timeout_recv_body(Some(BYTES))
        .max_redirects(MAX_REDIRECTS)
        .http_status_as_error(false)
        .user_agent(concat!("overlab/", env!("CARGO_PKG_VERSION")))
        .build()
        .into();
    let source = Source { agent, web_seed, info };
    while let Ok(order) = orders.recv() {
        let link = order.link;
        let outcome = source.fetch(&order, &mut |news| tell(link, news));
        let news = outcome.map_or_else(News::Failed, |()| News::Done);
        if !tell(link, news) {
            return;
        }
    }
}

struct Source<'a> {
    agent: ureq::Agent,
    web_seed: &'a str,
    info: &'a Info,
}

impl Source<'_> {
    fn fetch(&self, order: &Order, tell: &mut dyn FnMut(News) -> bool) -> Result<(), Failure> {
        let layout = self.info.layout();
        let Some(first) = order.blocks.first() else { return Ok(()) };
        let offset = layout.piece_offset(first.piece) + u64::from(first.begin);
        let len = order.blocks.iter().map(|block| u64::from(block.len)).sum();
        let mut parts = layout.parts(offset, len);
        let mut open: Option<(u64, Box<dyn Read>)> = None;
        for block in &order.blocks {
            let mut bytes = vec![0; block.len as usize];
            let mut at = 0;
            while at < bytes.len() {
                let Some((left, reader)) = open.as_mut().filter(|(left, _)| *left > 0) else {
                    let part = parts.next().ok_or_else(|| Failure::lasting("beyond the end"))?;
                    open = Some((part.len, self.open(&part)?));
                    continue;
                };
                let room = (bytes.len() - at).min(usize::try_from(*left).unwrap_or(usize::MAX));
                match reader.read(&mut bytes[at..at + room]) {
                    Ok(0) => return Err(Failure::passing("it ended too early")),
                    Ok(n) => {
                        at += n;
                        *left -= n as u64;
                        if *left == 0 {
                            finish(reader);
                        }
                    }
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(Failure::passing(error)),
                }
            }
            if !tell(News::Block(*block, bytes)) {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Asks for a run of bytes of one file.
    fn open(&self, part: &FilePart) -> Result<Box<dyn Read>, Failure> {
        let file = &self.info.layout().files()[part.file];
        if file.padding {
            return Ok(Box::new(io::repeat(0)));
        }
        let url = file_url(self.web_seed, self.info, part.file)
            .ok_or_else(|| Failure::lasting("neither http nor https"))?;
        let last = part.offset + part.len - 1;
        let request = self.agent.get(&url).header("Range", format!("bytes={}-{last}", part.offset));
        let response = request.call().map_err(Failure::passing)?;
        let status = response.status();
        match status.as_u16() {
            206 => {
                let range = response.headers().get("Content-Range");
                let range = range.and_then(|range| range.to_str().ok()).unwrap_or_default();
                if !range.starts_with(&format!("bytes {}-{last}/", part.offset)) {
                    return Err(Failure::lasting(format!("{url}: another range: {range:?}")));
                }
            }
            // All of it, which is what was asked for.
            200 if part.offset == 0 && part.len == file.len => {}
            200 => return Err(Failure::lasting(format!("{url}: it serves no ranges"))),
            408 | 429 | 500.. => return Err(Failure::passing(format!("{url}: {status}"))),
            _ => return Err(Failure::lasting(format!("{url}: {status}"))),
        }
        Ok(Box::new(response.into_body().into_reader()))
    }
}

/// Reads the end of an answer, after which its connection can be used again. If
/// more comes than was asked for, it is closed instead.
fn finish(reader: &mut dyn Read) {
    // A failure here shows in the next request.
    let _ = reader.read(&mut [0]);
}
