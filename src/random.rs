//! Octets that nobody can foretell.

/// Random octets of the system's generator; `None` when it gives none.
pub fn random<const N: usize>() -> Option<[u8; N]> {
    let mut octets = [0; N];
    aws_lc_rs::rand::fill(&mut octets).ok()?;
    Some(octets)
}
