//! The arithmetic of flooding: how many copies a query costs and how far it
//! reaches on a graph without loops.

/// Copies of one query on a loop-free tree in which every node has `degree`
/// links: degree * sum over i < ttl of (degree-1)^i.
///
/// Degree 4 and TTL 7 give 4,372. Saturates at `u64::MAX`.
pub fn tree_copies(degree: u32, ttl: u32) -> u64 {
    u64::from(degree).saturating_mul(powers(degree, ttl))
}

/// Queries and answers on the same tree when every node reached answers and
/// each answer is counted once: twice [`tree_copies`], 8,744 for degree 4 and
/// TTL 7.
pub fn tree_copies_with_answers(degree: u32, ttl: u32) -> u64 {
    tree_copies(degree, ttl).saturating_mul(2)
}

/// The formula of Aberer and Hauswirth's tutorial as the course prints it:
/// 2 * degree * sum over i = 0..=ttl of (degree-1)^i, 26,240 for degree 4 and
/// TTL 7.
///
/// Its sum runs one level further than a query with that TTL does; the strict
/// figure is [`tree_copies_with_answers`].
pub fn tutorial_messages(degree: u32, ttl: u32) -> u64 {
    2_u64.saturating_mul(tree_copies(degree, ttl.saturating_add(1)))
}

/// Hosts within reach by the formula of the dynamic-query draft: sum over
/// i < ttl of (degree-1)^i, so 993 for degree 32 and TTL 3, and 19,531 for
/// degree 6 and TTL 7 (the draft itself prints 1,024 and 23,436).
pub fn horizon(degree: u32, ttl: u32) -> u64 {
    powers(degree, ttl)
}

/// Sum over i < terms of (degree-1)^i, saturating.
fn powers(degree: u32, terms: u32) -> u64 {
    let base = u64::from(degree.saturating_sub(1));
    let (mut sum, mut power) = (0_u64, 1_u64);
    for _ in 0..terms {
        sum = sum.saturating_add(power);
        power = power.saturating_mul(base);
        // The rest adds nothing, or nothing more that can be held.
        if power == 0 || sum == u64::MAX {
            break;
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_on_a_tree_of_degree_four() {
        let copies: Vec<u64> = (1..=7).map(|ttl| tree_copies(4, ttl)).collect();
        assert_eq!(copies, [4, 16, 52, 160, 484, 1456, 4372]);
        assert_eq!(tree_copies_with_answers(4, 7), 8_744);
        assert_eq!(tutorial_messages(4, 7), 26_240);
    }

    #[test]
    fn seven_neighbours_and_ten_hops() {
        assert_eq!(tree_copies(7, 10), 84_652_645);
    }

    #[test]
    fn horizons_of_the_dynamic_query_draft() {
        assert_eq!(horizon(32, 3), 993);
        assert_eq!(horizon(6, 7), 19_531);
    }

    #[test]
    fn extremes_saturate() {
        assert_eq!(tree_copies(u32::MAX, u32::MAX), u64::MAX);
        assert_eq!(tree_copies(0, 7), 0);
        assert_eq!(tree_copies(1, 7), 1);
        assert_eq!(tree_copies(2, 7), 14);
        assert_eq!(tutorial_messages(4, u32::MAX), u64::MAX);
        assert_eq!(tree_copies(4, 0), 0);
    }
}
