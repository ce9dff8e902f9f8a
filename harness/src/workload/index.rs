//! Which items match a query: the truth that searches are graded by.

use overlays::{Key, Query, Target};

use super::catalog::Catalog;

/// An index over all items of a catalogue, by key and by word.
#[derive(Clone, Debug)]
pub struct CatalogIndex {
    /// Every item by key, sorted.
    by_key: Box<[(Key, u32)]>,
    /// One posting list per word, by word.
    by_word: Box<[Posting]>,
}

/// A word with the items whose names contain it, ascending.
#[derive(Clone, Debug)]
struct Posting {
    word: Box<str>,
    items: Box<[u32]>,
}

impl CatalogIndex {
    /// The index of `catalog`.
    pub fn new(catalog: &Catalog) -> Self {
        let items = || (0_u32..).zip(catalog.entries());
        let mut by_key: Vec<(Key, u32)> = items().map(|(i, e)| (e.item.key(), i)).collect();
        by_key.sort_unstable();
        let mut pairs: Vec<(&str, u32)> = items()
            .flat_map(|(i, e)| e.item.keywords().words().map(move |word| (word, i)))
            .collect();
        pairs.sort_unstable();
        let by_word = pairs
            .chunk_by(|a, b| a.0 == b.0)
            .map(|run| Posting {
                word: run[0].0.into(),
                items: run.iter().map(|(_, item)| *item).collect(),
            })
            .collect();
        Self { by_key: by_key.into(), by_word }
    }

    /// The items whose names contain `word` (in lower case), ascending.
    pub fn with_word(&self, word: &str) -> &[u32] {
        match self.by_word.binary_search_by(|p| (*p.word).cmp(word)) {
            Ok(place) => &self.by_word[place].items,
            Err(_) => &[],
        }
    }

    /// The item with this key.
    pub fn with_key(&self, key: Key) -> Option<u32> {
        let place = self.by_key.binary_search_by_key(&key, |(k, _)| *k).ok()?;
        Some(self.by_key[place].1)
    }

    /// All words with the items whose names contain them, sorted.
    pub fn words(&self) -> impl ExactSizeIterator<Item = (&str, &[u32])> {
        self.by_word.iter().map(|posting| (&*posting.word, &*posting.items))
    }

    /// The items that answer `query`, ascending, whatever its limit: the same
    /// ones for which [`Query::matches`] holds.
    pub fn matching(&self, query: &Query) -> Vec<u32> {
        let words = match &query.target {
            Target::Exact(key) => return self.with_key(*key).into_iter().collect(),
            Target::Keywords(words) => words,
        };
        let mut lists: Vec<&[u32]> = words.words().map(|word| self.with_word(word)).collect();
        // The rarest word decides how many candidates there are.
        lists.sort_unstable_by_key(|list| list.len());
        let Some((rarest, others)) = lists.split_first() else {
            return Vec::new();
        };
        let in_all = |item: &&u32| others.iter().all(|list| list.binary_search(item).is_ok());
        rarest.iter().filter(in_all).copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn truth(catalog: &Catalog, query: &Query) -> Vec<u32> {
        (0..catalog.len() as u32).filter(|i| query.matches(catalog.item(*i))).collect()
    }

    #[test]
    fn words_keys_and_misses() {
        let catalog = Catalog::embedded();
        let index = CatalogIndex::new(&catalog);
        assert_eq!(index.with_word("deb").len(), catalog.len());
        assert_eq!(index.with_word("no such word"), &[0_u32; 0]);
        for i in [0, 17, catalog.len() as u32 - 1] {
            let query = Query::exact(catalog.item(i).key());
            assert_eq!(index.matching(&query), [i]);
        }
        assert_eq!(index.matching(&Query::exact(Key::hash(b"no such file"))), Vec::<u32>::new());
        assert_eq!(index.matching(&Query::keywords("")), Vec::<u32>::new());
        assert_eq!(index.matching(&Query::keywords("deb nosuchword")), Vec::<u32>::new());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn finds_what_a_scan_finds(picks in prop::collection::vec(any::<prop::sample::Index>(), 1..5)) {
            let catalog = Catalog::embedded().thinned(400);
            let index = CatalogIndex::new(&catalog);
            let words: Vec<&str> = index.words().map(|(word, _)| word).collect();
            let picked: Vec<&str> = picks.iter().map(|p| words[p.index(words.len())]).collect();
            for take in 1..=picked.len() {
                let query = Query::keywords(&picked[..take].join(" "));
                prop_assert_eq!(index.matching(&query), truth(&catalog, &query));
            }
        }
    }
}
