//! Average linkage over a sparse graph: clusters are joined, nearest first, as long as
//! the mean likeness of all pairs across them reaches a bound. A pair without an edge
//! counts as 0, so a chain of pairs is never enough (Sokal and Michener 1958; UPGMA).

use std::cmp::Ordering;
use std::collections::{BTreeMap, BinaryHeap};

/// A pair of clusters, by mean likeness; the earlier pair first where that is equal.
#[derive(PartialEq)]
struct Pair {
    mean: f32,
    a: usize,
    b: usize,
}

impl Eq for Pair {}

impl Ord for Pair {
    fn cmp(&self, other: &Self) -> Ordering {
        self.mean.total_cmp(&other.mean).then_with(|| (other.a, other.b).cmp(&(self.a, self.b)))
    }
}

impl PartialOrd for Pair {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Clusters of the nodes `0..n`, each sorted, in order of their first node. `edges` are
/// pairs of different nodes, each once, with likeness above 0.
pub(super) fn average_linkage(
    n: usize,
    edges: &[(usize, usize, f32)],
    bound: f32,
) -> Vec<Vec<usize>> {
    // Cluster ids: a joined cluster gets a new one, so that old entries of the heap die.
    let mut members: Vec<Vec<usize>> = (0..n).map(|i| vec![i]).collect();
    let mut sums: Vec<BTreeMap<usize, f32>> = vec![BTreeMap::new(); n];
    let mut heap = BinaryHeap::new();
    for &(a, b, likeness) in edges {
        if a == b || a >= n || b >= n {
            continue;
        }
        sums[a].insert(b, likeness);
        sums[b].insert(a, likeness);
        if likeness >= bound {
            heap.push(Pair { mean: likeness, a: a.min(b), b: a.max(b) });
        }
    }
    while let Some(Pair { a, b, .. }) = heap.pop() {
        if members[a].is_empty() || members[b].is_empty() {
            continue;
        }
        let joined = members.len();
        let mut nodes = std::mem::take(&mut members[a]);
        nodes.append(&mut std::mem::take(&mut members[b]));
        let mut to = std::mem::take(&mut sums[a]);
        for (other, sum) in std::mem::take(&mut sums[b]) {
            *to.entry(other).or_default() += sum;
        }
        to.remove(&a);
        to.remove(&b);
        for (&other, &sum) in &to {
            let of_other = &mut sums[other];
            of_other.remove(&a);
            of_other.remove(&b);
            of_other.insert(joined, sum);
            let mean = sum / (nodes.len() * members[other].len()) as f32;
            if mean >= bound {
                heap.push(Pair { mean, a: other, b: joined });
            }
        }
        members.push(nodes);
        sums.push(to);
    }
    let mut clusters: Vec<Vec<usize>> = members.into_iter().filter(|m| !m.is_empty()).collect();
    clusters.iter_mut().for_each(|c| c.sort_unstable());
    clusters.sort_unstable();
    clusters
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_chain_is_no_cluster() {
        let chain = [(0, 1, 0.6), (1, 2, 0.6), (2, 3, 0.6)];
        assert_eq!(average_linkage(4, &chain, 0.5), [vec![0, 1], vec![2, 3]]);
        let clique = [(0, 1, 0.6), (1, 2, 0.6), (0, 2, 0.6)];
        assert_eq!(average_linkage(4, &clique, 0.5), [vec![0, 1, 2], vec![3]]);
        assert_eq!(average_linkage(2, &[], 0.5), [vec![0], vec![1]]);
    }

    proptest! {
        #[test]
        fn every_node_is_in_one_cluster_and_means_reach_the_bound(
            weights in prop::collection::vec(0u8..10, 45), bound in 0.1f32..0.9
        ) {
            let mut edges = Vec::new();
            let mut at = 0;
            for a in 0..10 {
                for b in a + 1..10 {
                    if weights[at] > 2 {
                        edges.push((a, b, f32::from(weights[at]) / 10.0));
                    }
                    at += 1;
                }
            }
            let clusters = average_linkage(10, &edges, bound);
            let mut all: Vec<usize> = clusters.iter().flatten().copied().collect();
            all.sort_unstable();
            prop_assert_eq!(all, (0..10).collect::<Vec<_>>());
            for cluster in clusters.iter().filter(|c| c.len() == 2) {
                let edge = edges.iter().find(|e| e.0 == cluster[0] && e.1 == cluster[1]);
                prop_assert!(edge.is_some_and(|e| e.2 >= bound));
            }
        }
    }
}
