//! What peers search for.

use overlays::{Key, Query, Rng};
use rand::Rng as _;

use super::catalog::Catalog;
use super::draw;
use super::index::CatalogIndex;
use super::popularity::Popularity;

/// What kinds of queries are asked, and how often.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct QueryMix {
    /// The fraction of queries that ask for a key; the others give keywords.
    pub exact: f64,
    /// The fraction of queries, of either kind, that nothing matches.
    pub absent: f64,
    /// How often keyword queries have one, two and three words, in proportion.
    /// A query has fewer where the name has fewer words that people would type.
    pub words: [f64; 3],
    /// The fraction of all names above which a word counts as too common to be
    /// typed, such as the file type that all names end in.
    pub common: f64,
    /// How many hits a keyword query asks for, 1..=[`Query::MAX_LIMIT`].
    pub keyword_limit: u16,
}

impl Default for QueryMix {
    /// Exact and keyword queries half each, all of them with an answer.
    fn default() -> Self {
        Self {
            exact: 0.5,
            absent: 0.0,
            words: [0.3, 0.5, 0.2],
            common: 0.05,
            keyword_limit: Query::MAX_LIMIT,
        }
    }
}

impl QueryMix {
    /// Only exact queries, all for items that exist.
    pub fn exact() -> Self {
        Self { exact: 1.0, ..Self::default() }
    }

    /// Only keyword queries, all of which some item matches.
    pub fn keywords() -> Self {
        Self { exact: 0.0, ..Self::default() }
    }

    /// Checks the ranges.
    ///
    /// # Errors
    /// A sentence that names the field and its range.
    pub fn check(&self) -> Result<(), String> {
        for (name, value) in [
            ("the fraction of exact queries", self.exact),
            ("the fraction of absent queries", self.absent),
            ("the fraction that makes a word common", self.common),
        ] {
            if !(0.0..=1.0).contains(&value) {
                return Err(format!("{name} lies between 0 and 1, not {value}"));
            }
        }
        let sum: f64 = self.words.iter().sum();
        if self.words.iter().any(|w| !(0.0..=1e9).contains(w)) || sum <= 0.0 {
            return Err(format!(
                "the weights of one, two and three words are not negative and not all zero, \
                 not {:?}",
                self.words
            ));
        }
        if !(1..=Query::MAX_LIMIT).contains(&self.keyword_limit) {
            return Err(format!(
                "a query asks for 1 to {} hits, not {}",
                Query::MAX_LIMIT,
                self.keyword_limit
            ));
        }
        Ok(())
    }
}

/// The shortest word that is typed, in bytes, so that version letters are left
/// out but a single ideograph is not. KAD draws the same line for the words
/// that it indexes.
const MIN_TYPED_BYTES: usize = 3;

/// A query with what its asker has in mind.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// The query.
    pub query: Query,
    /// The item that the asker wants and that the query matches (others may
    /// match too); `None` if the query was made to match nothing.
    pub wanted: Option<u32>,
}

/// Draws queries over a catalogue.
#[derive(Clone, Debug)]
pub struct Questions<'a> {
    catalog: &'a Catalog,
    index: &'a CatalogIndex,
    popularity: &'a Popularity,
    mix: QueryMix,
    /// A word in this many names or fewer is not too common to be typed.
    typed_up_to: usize,
}

impl<'a> Questions<'a> {
    /// Queries by `mix` over `catalog`, whose items are as popular as
    /// `popularity` says.
    ///
    /// # Errors
    /// A sentence, when the mix is out of range or `popularity` belongs to
    /// another catalogue.
    pub fn new(
        catalog: &'a Catalog,
        index: &'a CatalogIndex,
        popularity: &'a Popularity,
        mix: QueryMix,
    ) -> Result<Self, String> {
        mix.check()?;
        if popularity.items() as usize != catalog.len() {
            return Err(format!(
                "popularity covers {} items but the catalogue has {}",
                popularity.items(),
                catalog.len()
            ));
        }
        let typed_up_to = ((mix.common * catalog.len() as f64) as usize).max(1);
        Ok(Self { catalog, index, popularity, mix, typed_up_to })
    }

    /// The items' popularity.
    pub fn popularity(&self) -> &'a Popularity {
        self.popularity
    }

    /// The next query; `rng` is a generator of [`overlays::Stream::Workload`].
    pub fn draw(&self, rng: &mut Rng) -> Question {
        if draw::chance(rng, self.mix.exact) { self.exact(rng) } else { self.keywords(rng) }
    }

    /// An exact query.
    pub fn exact(&self, rng: &mut Rng) -> Question {
        if draw::chance(rng, self.mix.absent) {
            return Question { query: Query::exact(self.absent_key(rng)), wanted: None };
        }
        let item = self.popularity.draw(rng);
        Question { query: Query::exact(self.catalog.item(item).key()), wanted: Some(item) }
    }

    /// A keyword query: words of the name of a popular item. One that shall
    /// match nothing has a made-up word among them, so that an index of words
    /// still has others to look up.
    pub fn keywords(&self, rng: &mut Rng) -> Question {
        let absent = draw::chance(rng, self.mix.absent);
        let count = draw::weighted(rng, &self.mix.words) + 1;
        let item = self.popularity.draw(rng);
        let mut typed = self.typed_words(item);
        draw::shuffle(rng, &mut typed);
        typed.truncate(count);
        let made_up;
        if absent {
            made_up = self.absent_word(rng);
            typed.truncate(count - 1);
            typed.push(&made_up);
        }
        let mut query = Query::keywords(&typed.join(" "));
        query.limit = self.mix.keyword_limit;
        Question { query, wanted: (!absent).then_some(item) }
    }

    /// The words of an item's name that people would type: not too common, not
    /// too short, not a mere number. If the name has no such word, its rarest
    /// one.
    fn typed_words(&self, item: u32) -> Vec<&'a str> {
        let words = || self.catalog.item(item).keywords().words();
        let names_with = |word: &str| self.index.with_word(word).len();
        let typed: Vec<&str> = words()
            .filter(|w| w.len() >= MIN_TYPED_BYTES && w.chars().any(char::is_alphabetic))
            .filter(|w| names_with(w) <= self.typed_up_to)
            .collect();
        if typed.is_empty() {
            words().min_by_key(|w| names_with(w)).into_iter().collect()
        } else {
            typed
        }
    }

    /// A key that no item has.
    fn absent_key(&self, rng: &mut Rng) -> Key {
        loop {
            let key = Key::hash(&rng.next_u64().to_be_bytes());
            if self.index.with_key(key).is_none() {
                return key;
            }
        }
    }

    /// A pronounceable word that is in no name.
    fn absent_word(&self, rng: &mut Rng) -> String {
        const CONSONANTS: &[u8] = b"bdfgklmnprstvz";
        const VOWELS: &[u8] = b"aeiou";
        loop {
            let word: String = (0..8)
                .map(|i| if i % 2 == 0 { CONSONANTS } else { VOWELS })
                .map(|letters| char::from(letters[draw::index(rng, letters.len())]))
                .collect();
            if self.index.with_word(&word).is_empty() {
                return word;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use overlays::{Stream, Target};
    use proptest::prelude::*;

    struct World {
        catalog: Catalog,
        index: CatalogIndex,
        popularity: Popularity,
    }

    impl World {
        fn new(catalog: Catalog) -> Self {
            let index = CatalogIndex::new(&catalog);
            let mut rng = Stream::Workload.rng(1);
            let popularity = Popularity::new(catalog.len() as u32, 0.8, &mut rng);
            Self { catalog, index, popularity }
        }

        fn questions(&self, mix: QueryMix) -> Questions<'_> {
            Questions::new(&self.catalog, &self.index, &self.popularity, mix).unwrap()
        }
    }

    #[test]
    fn keyword_queries_are_what_people_would_type() {
        let world = World::new(Catalog::embedded());
        let questions = world.questions(QueryMix::keywords());
        let mut rng = Stream::Workload.rng(2);
        let mut by_words = [0_u32; 4];
        for _ in 0..10_000 {
            let Target::Keywords(words) = questions.draw(&mut rng).query.target else {
                panic!("only keyword queries were asked for");
            };
            by_words[words.words().len()] += 1;
            assert!(words.words().all(|w| !["deb", "amd64", "all", "1"].contains(&w)), "{words:?}");
        }
        assert_eq!(by_words[0], 0);
        // Some names have a single word to type, so one-word queries gain.
        assert!(by_words[1] > 3_000 && by_words[2] > 2_000 && by_words[3] > 300, "{by_words:?}");
    }

    #[test]
    fn exact_queries_follow_popularity() {
        let world = World::new(Catalog::embedded());
        let questions = world.questions(QueryMix::exact());
        let mut rng = Stream::Workload.rng(3);
        let top = world.popularity.item(0).unwrap();
        let asked = (0..20_000).filter(|_| questions.draw(&mut rng).wanted == Some(top)).count();
        let expected = world.popularity.probability(top) * 20_000.0;
        assert!((asked as f64 - expected).abs() < 5.0 * expected.sqrt(), "{asked} {expected}");
    }

    #[test]
    fn mixes_out_of_range_are_refused() {
        let good = QueryMix::default();
        for (mix, part) in [
            (QueryMix { exact: 1.5, ..good }, "exact queries lies between 0 and 1, not 1.5"),
            (QueryMix { absent: f64::NAN, ..good }, "absent"),
            (QueryMix { words: [0.0; 3], ..good }, "not all zero"),
            (QueryMix { words: [1.0, -1.0, 1.0], ..good }, "not negative"),
            (QueryMix { keyword_limit: 0, ..good }, "1 to 100 hits, not 0"),
        ] {
            let error = mix.check().unwrap_err();
            assert!(error.contains(part), "{error}");
        }
        let world = World::new(Catalog::embedded().thinned(10));
        let other = Popularity::new(11, 0.8, &mut Stream::Workload.rng(1));
        assert!(Questions::new(&world.catalog, &world.index, &other, good).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn a_query_matches_what_is_wanted_or_nothing(
            names in prop::collection::btree_set("[\\PC]{0,30}[a-zA-Z0-9İßé']", 1..20),
            exact in 0.0..=1.0,
            absent in 0.0..=1.0,
            common in 0.0..=1.0,
            seed: u64,
        ) {
            let mut table = "name,size_bytes,section,description\n".to_owned();
            for name in names {
                table += &format!("\"{}\",1,,\n", name.replace('"', "\"\""));
            }
            // Names that differ only in blanks around them are refused.
            let Ok(catalog) = Catalog::read("names", table.as_bytes()) else { return Ok(()) };
            let world = World::new(catalog);
            let mix = QueryMix { exact, absent, common, ..QueryMix::default() };
            let questions = world.questions(mix);
            let mut rng = Stream::Workload.rng(seed);
            for _ in 0..50 {
                let question = questions.draw(&mut rng);
                let matching = world.index.matching(&question.query);
                match question.wanted {
                    Some(item) => prop_assert!(matching.contains(&item), "{question:?}"),
                    None => prop_assert!(matching.is_empty(), "{question:?}"),
                }
            }
        }
    }
}
