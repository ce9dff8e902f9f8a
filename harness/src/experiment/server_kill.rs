//! Which servers an experiment kills.

use std::fmt;
use std::str::FromStr;

/// Which servers die.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerKill {
    /// All.
    All,
    /// So many, in the order in which they started.
    First(u32),
    /// Those of a kind.
    Kind {
        /// The kind, as the overlay calls it.
        kind: String,
        /// So many of them, in the order in which they started; all if none.
        count: Option<u32>,
    },
}

/// Why servers cannot be killed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ServerKillError {
    /// Not how victims are named.
    Syntax(String),
    /// The overlay has no servers.
    NoServers,
    /// The overlay has fewer; how many.
    Fewer(usize),
    /// The overlay has none of that kind; which it has.
    NoSuchKind(Vec<&'static str>),
}

impl fmt::Display for ServerKillError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax(text) => write!(
                f,
                "`{text}`: write all, a number from 1, or a kind of server and perhaps a number, \
                 such as tracker or tracker:1"
            ),
            Self::NoServers => f.write_str("there are no servers"),
            Self::Fewer(1) => f.write_str("there is only one"),
            Self::Fewer(count) => write!(f, "there are only {count}"),
            Self::NoSuchKind(known) => {
                write!(f, "no server is of that kind; there are: {}", known.join(", "))
            }
        }
    }
}

impl std::error::Error for ServerKillError {}

impl fmt::Display for ServerKill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::First(count) => write!(f, "{count}"),
            Self::Kind { kind, count: None } => f.write_str(kind),
            Self::Kind { kind, count: Some(count) } => write!(f, "{kind}:{count}"),
        }
    }
}

impl FromStr for ServerKill {
    type Err = ServerKillError;

    fn from_str(text: &str) -> Result<Self, ServerKillError> {
        let wrong = || ServerKillError::Syntax(text.into());
        let count = |text: &str| text.parse().ok().filter(|&count: &u32| count > 0);
        if text == "all" {
            return Ok(Self::All);
        }
        if text.starts_with(|c: char| c.is_ascii_digit() || c == '-' || c == '+') {
            return count(text).map(Self::First).ok_or_else(wrong);
        }
        let (kind, count) = match text.split_once(':') {
            Some((kind, number)) => (kind, Some(count(number).ok_or_else(wrong)?)),
            None => (text, None),
        };
        let is_word = |c: char| c.is_ascii_lowercase() || c == '-';
        if kind.is_empty() || kind == "all" || !kind.chars().all(is_word) {
            return Err(wrong());
        }
        Ok(Self::Kind { kind: kind.into(), count })
    }
}

impl ServerKill {
    /// The places of the victims among servers of these kinds.
    ///
    /// # Errors
    /// When there are no such servers, or fewer.
    pub fn victims(&self, kinds: &[&'static str]) -> Result<Vec<u32>, ServerKillError> {
        if kinds.is_empty() {
            return Err(ServerKillError::NoServers);
        }
        let is_meant = |kind: &str| match self {
            Self::Kind { kind: meant, .. } => kind == meant,
            Self::All | Self::First(_) => true,
        };
        let mut places: Vec<u32> =
            (0..).zip(kinds).filter(|(_, kind)| is_meant(kind)).map(|(place, _)| place).collect();
        if places.is_empty() {
            let mut known = kinds.to_vec();
            known.dedup();
            return Err(ServerKillError::NoSuchKind(known));
        }
        if let Self::First(count) | Self::Kind { count: Some(count), .. } = self {
            if *count as usize > places.len() {
                return Err(ServerKillError::Fewer(places.len()));
            }
            places.truncate(*count as usize);
        }
        Ok(places)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVERS: [&str; 5] = ["index", "tracker", "tracker", "tracker", "router"];

    #[test]
    fn victims_are_all_the_first_or_those_of_a_kind() {
        for (text, victims) in [
            ("all", &[0, 1, 2, 3, 4][..]),
            ("1", &[0]),
            ("3", &[0, 1, 2]),
            ("tracker", &[1, 2, 3]),
            ("tracker:2", &[1, 2]),
            ("router", &[4]),
        ] {
            let kill: ServerKill = text.parse().unwrap();
            assert_eq!(kill.victims(&SERVERS).unwrap(), victims, "{text}");
            assert_eq!(kill.to_string(), text);
        }
    }

    #[test]
    fn what_is_not_there_cannot_be_killed() {
        for (text, kinds, error) in [
            ("all", &[][..], "there are no servers"),
            ("6", &SERVERS, "there are only 5"),
            ("index:2", &SERVERS, "there is only one"),
            ("server", &SERVERS, "there are: index, tracker, router"),
        ] {
            let kill: ServerKill = text.parse().unwrap();
            let told = kill.victims(kinds).unwrap_err().to_string();
            assert!(told.contains(error), "{text}: {told}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for text in
            ["", "0", "-1", "1.5", "99999999999", "all:1", "tracker:", "tracker:0", ":1", "a b"]
        {
            let told = text.parse::<ServerKill>().unwrap_err().to_string();
            assert!(told.contains("tracker:1"), "{text}: {told}");
        }
    }
}
