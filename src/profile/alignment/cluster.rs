//! Clusters in a sparse graph, by average linkage and by agreement. A pair without an edge counts
//! as 0, so a chain of pairs is never enough.

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

/// Average linkage (Sokal and Michener 1958; UPGMA): clusters are joined, nearest first, as long as
/// the mean likeness of all pairs across them reaches a bound.
///
/// Gives the clusters of the nodes `0..n`, each sorted, in order of their first node. `edges` are
/// pairs of different nodes, each once, with likeness above 0.
pub(super) fn average_linkage(
    n: usize,
    edges: &[(usize, usize, f32)],
    bound: f32,
) -> Vec<Vec<usize>> {
    joined((0..n).map(|i| vec![i]).collect(), edges, bound)
}

/// Goes on from given clusters, which hold every node once.
fn joined(
    mut members: Vec<Vec<usize>>,
    edges: &[(usize, usize, f32)],
    bound: f32,
) -> Vec<Vec<usize>> {
    // Cluster ids: a joined cluster gets a new one, so that old entries of the heap die.
    let of_node = cluster_of_node(&members);
    let mut sums: Vec<BTreeMap<usize, f32>> = vec![BTreeMap::new(); members.len()];
    for &(a, b, likeness) in edges {
        let (Some(&a), Some(&b)) = (of_node.get(a), of_node.get(b)) else { continue };
        if a != b {
            *sums[a].entry(b).or_default() += likeness;
            *sums[b].entry(a).or_default() += likeness;
        }
    }
    let mut heap = BinaryHeap::new();
    for (a, to) in sums.iter().enumerate() {
        for (&b, &sum) in to.range(a + 1..) {
            let mean = sum / (members[a].len() * members[b].len()) as f32;
            if mean >= bound {
                heap.push(Pair { mean, a, b });
            }
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
    in_order(members)
}

/// How often [`by_agreement`] goes over all nodes at most. It ends by itself after a few rounds.
const ROUNDS: usize = 50;
/// What a move must gain to be one.
const GAIN: f32 = 1e-5;

/// Correlation clustering (Bansal, Blum and Chawla 2004): every pair within a cluster counts for it
/// by how far its likeness lies above the bound, or against it by how far below, and the sum over
/// all clusters is made as large as moves can make it. Average linkage gives the clusters to start
/// from; then single nodes go where they agree most (the local search of Gionis, Mannila and
/// Tsaparas 2007, section 4) and clusters that agree on balance are joined, until nothing changes.
///
/// What linkage joined early and wrongly is mended so, and a likeness that is a little different
/// changes little. Clusters, nodes and edges as for [`average_linkage`].
pub(super) fn by_agreement(n: usize, edges: &[(usize, usize, f32)], bound: f32) -> Vec<Vec<usize>> {
    let mut near: Vec<Vec<(usize, f32)>> = vec![Vec::new(); n];
    for &(a, b, likeness) in edges.iter().filter(|(a, b, _)| a != b && a.max(b) < &n) {
        near[a].push((b, likeness));
        near[b].push((a, likeness));
    }
    let mut clusters = average_linkage(n, edges, bound);
    for _ in 0..ROUNDS {
        let next = joined(moved(&clusters, &near, bound), edges, bound);
        if next == clusters {
            break;
        }
        clusters = next;
    }
    clusters
}

/// Each node in turn goes to the cluster with which it agrees most, or stands alone if it agrees
/// with none. `near` has for each node those it has an edge to.
fn moved(clusters: &[Vec<usize>], near: &[Vec<(usize, f32)>], bound: f32) -> Vec<Vec<usize>> {
    let mut of_node = cluster_of_node(clusters);
    let mut sizes: Vec<usize> = clusters.iter().map(Vec::len).collect();
    for (node, neighbours) in near.iter().enumerate() {
        let home = of_node[node];
        let mut sums: BTreeMap<usize, f32> = BTreeMap::new();
        for &(other, likeness) in neighbours {
            *sums.entry(of_node[other]).or_default() += likeness;
        }
        let agreement = |cluster: usize| {
            let others = sizes[cluster] - usize::from(cluster == home);
            sums.get(&cluster).copied().unwrap_or(0.0) - bound * others as f32
        };
        let stay = agreement(home);
        let alone = (sizes.len(), 0.0);
        let away = sums.keys().filter(|&&c| c != home).map(|&c| (c, agreement(c)));
        let best = away.fold(alone, |best, next| if next.1 > best.1 { next } else { best });
        if best.1 > stay + GAIN {
            sizes.resize(sizes.len().max(best.0 + 1), 0);
            sizes[home] -= 1;
            sizes[best.0] += 1;
            of_node[node] = best.0;
        }
    }
    let mut clusters = vec![Vec::new(); sizes.len()];
    of_node.into_iter().enumerate().for_each(|(node, c)| clusters[c].push(node));
    in_order(clusters)
}

/// The place of each node's cluster.
fn cluster_of_node(clusters: &[Vec<usize>]) -> Vec<usize> {
    let mut of_node = vec![0; clusters.iter().map(Vec::len).sum()];
    for (place, cluster) in clusters.iter().enumerate() {
        cluster.iter().for_each(|&node| of_node[node] = place);
    }
    of_node
}

/// Without empty clusters, each sorted, in order of their first node.
fn in_order(clusters: Vec<Vec<usize>>) -> Vec<Vec<usize>> {
    let mut clusters: Vec<Vec<usize>> = clusters.into_iter().filter(|c| !c.is_empty()).collect();
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

    #[test]
    fn what_was_joined_too_early_is_mended() {
        // 0 and 1 are nearest, but 1 belongs to 2 and 3 on balance.
        let edges = [(0, 1, 0.9), (1, 2, 0.8), (1, 3, 0.8), (2, 3, 0.8)];
        assert_eq!(average_linkage(4, &edges, 0.5), [vec![0, 1], vec![2, 3]]);
        assert_eq!(by_agreement(4, &edges, 0.5), [vec![0], vec![1, 2, 3]]);
        assert_eq!(by_agreement(2, &[], 0.5), [vec![0], vec![1]]);
    }

    /// Likenesses of ten nodes, some pairs without one.
    fn edges(weights: &[u8]) -> Vec<(usize, usize, f32)> {
        let pairs = (0..10).flat_map(|a| (a + 1..10).map(move |b| (a, b)));
        let weighted = pairs.zip(weights).filter(|(_, w)| **w > 2);
        weighted.map(|((a, b), w)| (a, b, f32::from(*w) / 10.0)).collect()
    }

    fn agreement(clusters: &[Vec<usize>], edges: &[(usize, usize, f32)], bound: f32) -> f32 {
        let of_cluster = |cluster: &Vec<usize>| {
            let within =
                edges.iter().filter(|(a, b, _)| cluster.contains(a) && cluster.contains(b));
            let pairs = cluster.len() * (cluster.len() - 1) / 2;
            within.map(|e| e.2).sum::<f32>() - bound * pairs as f32
        };
        clusters.iter().map(of_cluster).sum()
    }

    proptest! {
        #[test]
        fn every_node_is_in_one_cluster_and_means_reach_the_bound(
            weights in prop::collection::vec(0u8..10, 45), bound in 0.1f32..0.9
        ) {
            let edges = edges(&weights);
            for clusters in [average_linkage(10, &edges, bound), by_agreement(10, &edges, bound)] {
                let mut all: Vec<usize> = clusters.iter().flatten().copied().collect();
                all.sort_unstable();
                prop_assert_eq!(all, (0..10).collect::<Vec<_>>());
                for cluster in clusters.iter().filter(|c| c.len() == 2) {
                    let edge = edges.iter().find(|e| e.0 == cluster[0] && e.1 == cluster[1]);
                    prop_assert!(edge.is_some_and(|e| e.2 >= bound - 1e-4));
                }
            }
        }

        #[test]
        fn no_node_and_no_two_clusters_agree_more_elsewhere(
            weights in prop::collection::vec(0u8..10, 45), bound in 0.1f32..0.9
        ) {
            let edges = edges(&weights);
            let clusters = by_agreement(10, &edges, bound);
            let most = agreement(&clusters, &edges, bound) + 1e-3;
            prop_assert!(most >= agreement(&average_linkage(10, &edges, bound), &edges, bound));
            for node in 0..10 {
                let mut without = clusters.clone();
                without.iter_mut().for_each(|c| c.retain(|&n| n != node));
                without.retain(|c| !c.is_empty());
                without.push(Vec::new());
                for to in 0..without.len() {
                    let mut other = without.clone();
                    other[to].push(node);
                    other.retain(|c| !c.is_empty());
                    prop_assert!(most >= agreement(&other, &edges, bound));
                }
            }
            for a in 0..clusters.len() {
                for b in a + 1..clusters.len() {
                    let mut other = clusters.clone();
                    let moved = other.remove(b);
                    other[a].extend(moved);
                    prop_assert!(most >= agreement(&other, &edges, bound));
                }
            }
        }
    }
}
