//! The Merkle tree of RFC 6962, section 2.1 (the same in RFC 9162 and C2SP
//! tlog-tiles): roots, inclusion and consistency proofs.

use aws_lc_rs::digest::{Context, SHA256, SHA256_OUTPUT_LEN};
use std::ops::Range;

/// A SHA-256.
pub type Hash = [u8; SHA256_OUTPUT_LEN];

fn sha256(parts: &[&[u8]]) -> Hash {
    let mut context = Context::new(&SHA256);
    parts.iter().for_each(|part| context.update(part));
    let mut hash = [0; SHA256_OUTPUT_LEN];
    hash.iter_mut().zip(context.finish().as_ref()).for_each(|(to, from)| *to = *from);
    hash
}

/// The hash of an entry.
pub fn leaf_hash(entry: &[u8]) -> Hash {
    sha256(&[&[0], entry])
}

/// The hash over two subtrees.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    sha256(&[&[1], left, right])
}

/// A tree that grows: of what is complete in it, the roots alone are kept.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Tree {
    size: u64,
    /// The roots of the largest complete subtrees, from left to right; as many as
    /// `size` has ones.
    peaks: Vec<Hash>,
}

impl Tree {
    /// How many leaves it has.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Adds a leaf.
    pub fn push(&mut self, leaf: Hash) {
        let mut hash = leaf;
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.peaks.pop() {
                hash = node_hash(&left, &hash);
            }
        }
        self.peaks.push(hash);
        self.size += 1;
    }

    /// MTH: the root over all leaves; that of none is the hash of nothing.
    pub fn root(&self) -> Hash {
        let mut peaks = self.peaks.iter().rev();
        let Some(last) = peaks.next() else { return sha256(&[]) };
        peaks.fold(*last, |right, left| node_hash(left, &right))
    }
}

/// The largest power of two below `n`, which is above 1.
fn split(n: u64) -> u64 {
    1 << (63 - (n - 1).leading_zeros().min(63))
}

/// Leaves whose roots are a proof, in the order of the proof.
fn path(index: u64, all: Range<u64>, out: &mut Vec<Range<u64>>) {
    let n = all.end - all.start;
    if n <= 1 {
        return;
    }
    let middle = all.start + split(n);
    if index < middle {
        path(index, all.start..middle, out);
        out.push(middle..all.end);
    } else {
        path(index, middle..all.end, out);
        out.push(all.start..middle);
    }
}

fn subproof(old: u64, all: Range<u64>, whole: bool, out: &mut Vec<Range<u64>>) {
    if old == all.end {
        if !whole {
            out.push(all);
        }
        return;
    }
    let middle = all.start + split(all.end - all.start);
    if old <= middle {
        subproof(old, all.start..middle, whole, out);
        out.push(middle..all.end);
    } else {
        subproof(old, middle..all.end, false, out);
        out.push(all.start..middle);
    }
}

/// Makes a proof from all leaves, told one after the other.
#[derive(Clone, Debug)]
pub struct Prover {
    parts: Vec<(Range<u64>, Tree)>,
    next: u64,
}

impl Prover {
    fn of(ranges: Vec<Range<u64>>) -> Prover {
        Prover { parts: ranges.into_iter().map(|range| (range, Tree::default())).collect(), next: 0 }
    }

    /// That the leaf `index` is in the tree of `size` leaves. `None` when there is no
    /// such leaf.
    pub fn inclusion(index: u64, size: u64) -> Option<Prover> {
        if index >= size {
            return None;
        }
        let mut ranges = Vec::new();
        path(index, 0..size, &mut ranges);
        Some(Prover::of(ranges))
    }

    /// That the tree of `old` leaves is the beginning of that of `size`. `None` when
    /// it is the larger one.
    pub fn consistency(old: u64, size: u64) -> Option<Prover> {
        if old > size {
            return None;
        }
        let mut ranges = Vec::new();
        if old > 0 {
            subproof(old, 0..size, true, &mut ranges);
        }
        Some(Prover::of(ranges))
    }

    /// The next leaf.
    pub fn push(&mut self, leaf: Hash) {
        let at = self.next;
        self.next += 1;
        if let Some((_, tree)) = self.parts.iter_mut().find(|(range, _)| range.contains(&at)) {
            tree.push(leaf);
        }
    }

    /// The proof; `None` when leaves are missing.
    pub fn finish(self) -> Option<Vec<Hash>> {
        let whole = |(range, tree): (Range<u64>, Tree)| (tree.size() == range.end - range.start).then(|| tree.root());
        self.parts.into_iter().map(whole).collect()
    }
}

/// Whether the leaf with this hash is at `index` of the tree of `size` leaves with
/// this root (RFC 9162, section 2.1.3.2).
pub fn is_included(leaf: &Hash, index: u64, size: u64, root: &Hash, proof: &[Hash]) -> bool {
    if index >= size {
        return false;
    }
    let (mut at, mut last, mut hash) = (index, size - 1, *leaf);
    for sibling in proof {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            hash = node_hash(sibling, &hash);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        at >>= 1;
        last >>= 1;
    }
    last == 0 && hash == *root
}

/// Whether the tree of `old` leaves with this root is the beginning of that of
/// `size` (RFC 9162, section 2.1.4.2).
pub fn is_consistent(old: u64, old_root: &Hash, size: u64, root: &Hash, proof: &[Hash]) -> bool {
    if old > size {
        return false;
    }
    if old == size {
        return proof.is_empty() && old_root == root;
    }
    if old == 0 {
        return proof.is_empty() && *old_root == Tree::default().root();
    }
    let mut proof = proof.iter();
    let first = if old.is_power_of_two() { Some(old_root) } else { proof.next() };
    let Some(first) = first else { return false };
    let (mut at, mut last) = (old - 1, size - 1);
    while at & 1 == 1 {
        at >>= 1;
        last >>= 1;
    }
    let (mut of_old, mut of_new) = (*first, *first);
    for hash in proof {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            of_old = node_hash(hash, &of_old);
            of_new = node_hash(hash, &of_new);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            of_new = node_hash(&of_new, hash);
        }
        at >>= 1;
        last >>= 1;
    }
    last == 0 && of_old == *old_root && of_new == *root
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::radius::value::{digits, unhex};

    fn leaves(n: u64) -> Vec<Hash> {
        (0..n).map(|n| leaf_hash(&n.to_be_bytes())).collect()
    }

    fn tree(leaves: &[Hash]) -> Tree {
        let mut tree = Tree::default();
        leaves.iter().for_each(|leaf| tree.push(*leaf));
        tree
    }

    fn proof(prover: Option<Prover>, leaves: &[Hash]) -> Vec<Hash> {
        let mut prover = prover.unwrap();
        leaves.iter().for_each(|leaf| prover.push(*leaf));
        prover.finish().unwrap()
    }

    /// The vectors that implementations of Certificate Transparency share.
    #[test]
    fn roots_are_those_of_the_known_vectors() {
        let inputs =
            ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
        let roots = [
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ];
        let mut tree = Tree::default();
        assert_eq!(digits(&tree.root()), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        for (input, root) in inputs.iter().zip(roots) {
            tree.push(leaf_hash(&unhex(input).unwrap()));
            assert_eq!(digits(&tree.root()), root);
        }
    }

    #[test]
    fn each_proof_fits_its_own_place_alone() {
        let all = leaves(33);
        for size in 1..=33_u64 {
            let some = &all[..size as usize];
            let root = tree(some).root();
            for index in 0..size {
                let path = proof(Prover::inclusion(index, size), some);
                for (other, leaf) in some.iter().enumerate() {
                    let fits = is_included(leaf, other as u64, size, &root, &path);
                    assert_eq!(fits, other as u64 == index, "{other} as {index} of {size}");
                }
                assert!(!is_included(&some[index as usize], index, size, &all[0], &path) || size == 1);
                assert!(path.is_empty() || !is_included(&some[index as usize], index, size, &root, &path[1..]));
                let longer = [&path[..], &[root]].concat();
                assert!(!is_included(&some[index as usize], index, size, &root, &longer));
            }
            for old in 0..=size {
                let path = proof(Prover::consistency(old, size), some);
                let old_root = tree(&all[..old as usize]).root();
                assert!(is_consistent(old, &old_root, size, &root, &path), "{old} of {size}");
                if old > 0 && old < size {
                    let wrong = tree(&all[1..=old as usize]).root();
                    assert!(!is_consistent(old, &wrong, size, &root, &path));
                    assert!(!is_consistent(old, &old_root, size, &wrong, &path));
                    assert!(!is_consistent(old, &old_root, size, &root, &[&path[..], &[root]].concat()));
                }
            }
        }
        assert!(Prover::inclusion(3, 3).is_none() && Prover::consistency(4, 3).is_none());
        assert!(!is_included(&all[0], 0, 0, &all[0], &[]) && !is_consistent(4, &all[0], 3, &all[0], &[]));
        let mut short = Prover::inclusion(0, 4).unwrap();
        short.push(all[0]);
        assert!(short.finish().is_none(), "leaves are missing");
    }
}
