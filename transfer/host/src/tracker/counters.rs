//! What a tracker counts, and how Prometheus reads it.

use transfer::tracker::Figures;

use super::service::write_text;

/// A metric's name, what it means, and its values by label.
type Metric<'a> = (&'a str, &'a str, &'a [(&'a str, u64)]);

/// What happened since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Announces by HTTP.
    pub http_announces: u64,
    /// Announces by UDP, with a good connection id.
    pub udp_announces: u64,
    /// Scrapes by HTTP.
    pub http_scrapes: u64,
    /// Scrapes by UDP, with a good connection id.
    pub udp_scrapes: u64,
    /// Connection ids that were asked for.
    pub udp_connects: u64,
    /// Announces refused because of a limit or a torrent not allowed.
    pub refused: u64,
    /// Requests that were no HTTP, or no query of a client.
    pub http_malformed: u64,
    /// Requests for paths that do not exist.
    pub http_not_found: u64,
    /// Datagrams that were none of the protocol.
    pub udp_malformed: u64,
    /// Datagrams with a connection id that their sender was not given.
    pub udp_bad_connections: u64,
    /// Replies that the system did not take at once.
    pub udp_unsent: u64,
    /// Connections accepted.
    pub connections: u64,
    /// Connections closed because the client was too slow.
    pub connections_timed_out: u64,
    /// Connections closed to make room for another.
    pub connections_evicted: u64,
    /// Peers dropped because they did not announce again.
    pub expired: u64,
}

impl Counters {
    /// All announces.
    pub const fn announces(&self) -> u64 {
        self.http_announces + self.udp_announces
    }

    /// Appends everything in Prometheus' text format.
    pub(super) fn write_metrics(&self, figures: Figures, out: &mut Vec<u8>) {
        let gauges: [Metric<'_>; 2] = [
            ("torrents", "Torrents known.", &[("", figures.torrents as u64)]),
            (
                "peers",
                "Peers listed.",
                &[
                    ("{family=\"ipv4\"}", figures.peers_v4 as u64),
                    ("{family=\"ipv6\"}", figures.peers_v6 as u64),
                ],
            ),
        ];
        let http = "{protocol=\"http\"}";
        let udp = "{protocol=\"udp\"}";
        let counters: [Metric<'_>; 11] = [
            (
                "announces",
                "Announces read.",
                &[(http, self.http_announces), (udp, self.udp_announces)],
            ),
            ("scrapes", "Scrapes read.", &[(http, self.http_scrapes), (udp, self.udp_scrapes)]),
            ("udp_connects", "Connection ids asked for.", &[("", self.udp_connects)]),
            ("refused", "Announces refused.", &[("", self.refused)]),
            (
                "malformed",
                "Requests that were not understood.",
                &[(http, self.http_malformed), (udp, self.udp_malformed)],
            ),
            ("http_not_found", "Requests for other paths.", &[("", self.http_not_found)]),
            (
                "udp_bad_connections",
                "Datagrams with a wrong connection id.",
                &[("", self.udp_bad_connections)],
            ),
            ("udp_unsent", "Replies the system did not take.", &[("", self.udp_unsent)]),
            ("connections", "Connections accepted.", &[("", self.connections)]),
            (
                "connections_closed",
                "Connections that the tracker closed early.",
                &[
                    ("{reason=\"slow\"}", self.connections_timed_out),
                    ("{reason=\"room\"}", self.connections_evicted),
                ],
            ),
            ("expired_peers", "Peers that stayed away.", &[("", self.expired)]),
        ];
        for (name, help, samples) in gauges {
            write_metric(name, "gauge", help, samples, out);
        }
        for (name, help, samples) in counters {
            write_metric(&format!("{name}_total"), "counter", help, samples, out);
        }
    }
}

fn write_metric(name: &str, kind: &str, help: &str, samples: &[(&str, u64)], out: &mut Vec<u8>) {
    let name = format!("overlab_tracker_{name}");
    write_text(out, format_args!("# HELP {name} {help}\n# TYPE {name} {kind}\n"));
    for (labels, value) in samples {
        write_text(out, format_args!("{name}{labels} {value}\n"));
    }
}
