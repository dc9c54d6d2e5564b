//! Weighted log-odds ratios with an informative Dirichlet prior.
//!
//! Monroe, Colaresi & Quinn (2008), "Fightin' Words: Lexical feature selection and evaluation
//! for identifying the content of political conflict", *Political Analysis* 16(4). How often a
//! group uses a term is the rate of a multinomial with a Dirichlet prior; two groups are
//! compared by the difference of the term's log-odds (their eq. 16) and by that difference over
//! its standard deviation, the z-score (eq. 22). The prior pulls terms that are frequent
//! everywhere, function words among them, and terms that were seen a few times towards no
//! difference.

/// How often a group uses a term.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Usage {
    /// Occurrences of the term.
    pub count: f64,
    /// Occurrences of all terms.
    pub total: f64,
}

impl std::ops::Sub for Usage {
    type Output = Usage;

    fn sub(self, part: Usage) -> Usage {
        Usage { count: self.count - part.count, total: self.total - part.total }
    }
}

/// What is known of a term beforehand.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prior {
    /// Pseudo-occurrences of the term, above zero.
    pub count: f64,
    /// Pseudo-occurrences of all terms.
    pub total: f64,
}

/// How two groups differ in their use of a term.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LogOdds {
    /// Log-odds of the term in the first group less those in the second (eq. 16), in nats: above
    /// zero where the first uses it more.
    pub difference: f64,
    /// The difference over its standard deviation (eq. 22).
    pub z: f64,
}

/// Compares two groups. `None` where there is no other term to compare with, so that the
/// odds are infinite.
pub fn log_odds(a: Usage, b: Usage, prior: Prior) -> Option<LogOdds> {
    let logit = |usage: Usage| {
        let term = usage.count + prior.count;
        (term / (usage.total + prior.total - term)).ln()
    };
    let difference = logit(a) - logit(b);
    let variance = 1.0 / (a.count + prior.count) + 1.0 / (b.count + prior.count);
    let z = difference / variance.sqrt();
    z.is_finite().then_some(LogOdds { difference, z })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn by_hand() {
        // Odds of (9 + 1)/(99 + 11 − 10) = 1/10 and (4 + 1)/(94 + 11 − 5) = 1/20: log 2 apart.
        let a = Usage { count: 9.0, total: 99.0 };
        let b = Usage { count: 4.0, total: 94.0 };
        let found = log_odds(a, b, Prior { count: 1.0, total: 11.0 });
        let found = found.expect("both groups use other terms");
        assert!((found.difference - 2f64.ln()).abs() < 1e-12);
        assert!((found.z - 2f64.ln() / 0.3f64.sqrt()).abs() < 1e-12);
    }

    #[test]
    fn a_single_term_has_no_odds() {
        let all = Usage { count: 5.0, total: 5.0 };
        assert_eq!(log_odds(all, all, Prior { count: 10.0, total: 10.0 }), None);
    }

    proptest! {
        #[test]
        fn two_groups_mirror_each_other(
            (a, b, prior) in (0u32..500, 0u32..500, 1u32..500),
            (a_more, b_more, prior_more) in (1u32..9000, 1u32..9000, 1u32..9000),
        ) {
            let usage = |count: u32, more: u32| Usage { count: count.into(), total: (count + more).into() };
            let (a, b) = (usage(a, a_more), usage(b, b_more));
            let prior = Prior { count: prior.into(), total: (prior + prior_more).into() };
            let there = log_odds(a, b, prior).expect("there are other terms");
            let back = log_odds(b, a, prior).expect("there are other terms");
            prop_assert!((there.difference + back.difference).abs() < 1e-9);
            prop_assert!((there.z + back.z).abs() < 1e-9);
            prop_assert_eq!(log_odds(a, a, prior).map(|l| l.z), Some(0.0));
        }
    }
}
