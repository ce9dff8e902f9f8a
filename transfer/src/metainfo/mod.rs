//! Metainfo: what a `.torrent` file says (BEP 3), and how one is made.

mod draft;
mod error;
mod field;
mod info;

use std::collections::BTreeMap;

pub use draft::InfoDraft;
pub use error::{MetainfoError, MetainfoFault};
pub use info::{HASH_LEN, Info, Version};

use crate::bencode::{self, KeyOrder, Value, dict_with, int, list_with, string};
use crate::host_port::HostPort;
use field::{Field, Fields};

/// What metainfo may be, beyond which it is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most bytes of the whole; 64 MiB, which holds 3.3 million hashes.
    pub size: usize,
    /// The longest piece in bytes; 256 MiB, the most that mktorrent makes. Who
    /// downloads holds whole pieces in memory and may want less.
    pub piece_len: u32,
    /// The most files; a million.
    pub files: usize,
    /// The most trackers, and as many web seeds, and as many nodes; 1,000.
    pub urls: usize,
    /// The order that keys must have; sorted, as BEP 3 wants it.
    pub key_order: KeyOrder,
}

impl Limits {
    /// The limits that the fields name.
    pub const DEFAULT: Self = Self {
        size: 64 << 20,
        piece_len: 256 << 20,
        files: 1_000_000,
        urls: 1000,
        key_order: KeyOrder::Sorted,
    };

    fn bencode(&self) -> bencode::Limits {
        bencode::Limits::new(self.size).key_order(self.key_order)
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// What a `.torrent` file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metainfo {
    /// What is shared: the part that an info-hash is taken over.
    pub info: Info,
    /// URLs of trackers in tiers, each to be tried before the next (BEP 12). A
    /// lone `announce` is one tier; where there is a list it counts instead.
    pub trackers: Vec<Vec<String>>,
    /// URLs that serve the files over HTTP or FTP (BEP 19).
    pub web_seeds: Vec<String>,
    /// Nodes of the DHT to start from (BEP 5).
    pub nodes: Vec<HostPort>,
    /// When it was made, in seconds since 1970.
    pub creation_date_s: Option<i64>,
    /// The program that made it.
    pub created_by: Option<String>,
    /// What its maker says of it.
    pub comment: Option<String>,
    /// The character set that its maker claims. It changes nothing here: names
    /// must be UTF-8.
    pub encoding: Option<String>,
    /// Entries of other keys as they stand, bencoded, such as the hashes of
    /// version 2. They are written again.
    pub other: BTreeMap<Vec<u8>, Vec<u8>>,
}

/// The keys that fields of [`Metainfo`] stand for.
const KNOWN: [&str; 9] = [
    "announce",
    "announce-list",
    "comment",
    "created by",
    "creation date",
    "encoding",
    "info",
    "nodes",
    "url-list",
];

impl Metainfo {
    /// Metainfo of this alone, with nothing said around it.
    pub const fn new(info: Info) -> Self {
        Self {
            info,
            trackers: Vec::new(),
            web_seeds: Vec::new(),
            nodes: Vec::new(),
            creation_date_s: None,
            created_by: None,
            comment: None,
            encoding: None,
            other: BTreeMap::new(),
        }
    }

    /// Reads a `.torrent` file.
    ///
    /// # Errors
    /// When it is not bencoded, a field is missing or wrong, a path would lead
    /// out of the torrent, or a limit is passed; the error names the field.
    pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Self, MetainfoError> {
        let root = fields_of(bytes, "", limits)?;
        let info = root.need("info")?;
        let info = Info::from_fields(info.dict()?, limits)?;
        let prose = |key| root.get(key).map(|field| field.prose()).transpose();
        let date = root.get("creation date").map(|field| field.int(i64::MIN, i64::MAX));
        Ok(Self {
            info,
            trackers: trackers(&root, limits)?,
            web_seeds: web_seeds(&root, limits)?,
            nodes: nodes(&root, limits)?,
            creation_date_s: date.transpose()?,
            created_by: prose("created by")?,
            comment: prose("comment")?,
            encoding: prose("encoding")?,
            other: root
                .dict
                .iter()
                .filter(|(key, _)| !KNOWN.iter().any(|known| known.as_bytes() == *key))
                .map(|(key, value)| (key.to_vec(), value.bytes().to_vec()))
                .collect(),
        })
    }

    /// The `.torrent` file that says this.
    pub fn encode(&self) -> Vec<u8> {
        let mut entries = self.other.clone();
        let mut add = |key: &str, write: &dyn Fn(&mut Vec<u8>)| {
            let mut value = Vec::new();
            write(&mut value);
            entries.insert(key.as_bytes().to_vec(), value);
        };
        let urls = |out: &mut Vec<u8>, urls: &[String]| {
            list_with(out, |out| urls.iter().for_each(|url| string(out, url)));
        };
        let mut trackers = self.trackers.iter().flatten();
        if let Some(first) = trackers.next() {
            add("announce", &|out| string(out, first));
        }
        if trackers.next().is_some() {
            add("announce-list", &|out| {
                list_with(out, |out| self.trackers.iter().for_each(|tier| urls(out, tier)));
            });
        }
        if !self.web_seeds.is_empty() {
            add("url-list", &|out| urls(out, &self.web_seeds));
        }
        if !self.nodes.is_empty() {
            add("nodes", &|out| list_with(out, |out| self.nodes.iter().for_each(|n| node(out, n))));
        }
        if let Some(date) = self.creation_date_s {
            add("creation date", &|out| int(out, date));
        }
        let prose = [
            ("created by", &self.created_by),
            ("comment", &self.comment),
            ("encoding", &self.encoding),
        ];
        for (key, text) in prose {
            if let Some(text) = text {
                add(key, &|out| string(out, text));
            }
        }
        add("info", &|out| out.extend_from_slice(self.info.bytes()));
        let mut out = Vec::new();
        dict_with(&mut out, |out| {
            for (key, value) in &entries {
                string(out, key);
                out.extend_from_slice(value);
            }
        });
        out
    }
}

/// The dictionary that fills `bytes`.
fn fields_of<'a>(
    bytes: &'a [u8],
    name: &str,
    limits: &Limits,
) -> Result<Fields<'a>, MetainfoError> {
    let value = Value::parse(bytes, &limits.bencode()).map_err(|error| MetainfoError {
        field: name.to_string(),
        offset: error.offset,
        fault: MetainfoFault::Bencode(error),
    })?;
    Field { name: name.to_string(), value }.dict()
}

fn node(out: &mut Vec<u8>, node: &HostPort) {
    list_with(out, |out| {
        string(out, node.host());
        int(out, i64::from(node.port()));
    });
}

/// Empty URLs stand in many files and mean none.
fn trackers(root: &Fields<'_>, limits: &Limits) -> Result<Vec<Vec<String>>, MetainfoError> {
    let mut tiers = Vec::new();
    let mut left = limits.urls;
    if let Some(list) = root.get("announce-list") {
        for tier in list.entries(limits.urls)? {
            let urls = urls(tier.entries(left)?)?;
            left -= urls.len();
            if !urls.is_empty() {
                tiers.push(urls);
            }
        }
    }
    if let Some(announce) = root.get("announce").filter(|_| tiers.is_empty()) {
        tiers.extend(Some(urls(vec![announce])?).filter(|urls| !urls.is_empty()));
    }
    Ok(tiers)
}

fn urls(fields: Vec<Field<'_>>) -> Result<Vec<String>, MetainfoError> {
    let mut urls = Vec::new();
    for field in fields {
        let url = field.text()?;
        if !url.is_empty() {
            urls.push(url.to_string());
        }
    }
    Ok(urls)
}

/// One URL or a list of them.
fn web_seeds(root: &Fields<'_>, limits: &Limits) -> Result<Vec<String>, MetainfoError> {
    match root.get("url-list") {
        None => Ok(Vec::new()),
        Some(field) if field.value.as_bytes().is_some() => urls(vec![field]),
        Some(field) => urls(field.entries(limits.urls)?),
    }
}

fn nodes(root: &Fields<'_>, limits: &Limits) -> Result<Vec<HostPort>, MetainfoError> {
    let Some(list) = root.get("nodes") else { return Ok(Vec::new()) };
    let entries = list.entries(limits.urls)?;
    let read = entries.into_iter().map(|entry| {
        let not = || entry.error(MetainfoFault::Not("a list of a host and a port"));
        let [host, port] = entry.entries(2)?.try_into().map_err(|_| not())?;
        let port = port.int(1, i64::from(u16::MAX))? as u16;
        HostPort::new(host.text()?, port).map_err(|_| not())
    });
    read.collect()
}

#[cfg(test)]
mod tests;
