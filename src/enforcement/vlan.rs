//! Which VLAN: one, one of a pool, or by the site of the NAS.

use aws_lc_rs::digest::{Context, SHA256};
use std::collections::BTreeMap;
use std::fmt;

/// The most VLANs in a pool: each login weighs all of them.
pub const MAX_POOL: usize = 64;

/// A VLAN, as the switch knows it.
#[derive(Clone, PartialEq, Eq, Hash, Debug, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Vlan {
    /// 1 to 4094.
    Id(u16),
    /// A name.
    Name(String),
}

impl fmt::Display for Vlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Vlan::Id(id) => write!(f, "{id}"),
            Vlan::Name(name) => f.write_str(name),
        }
    }
}

/// One VLAN or more, over which endpoints are spread.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pool {
    first: Vlan,
    more: Vec<Vlan>,
}

/// These VLANs make no pool.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum PoolError {
    /// There is none.
    #[error("a pool without a VLAN")]
    Empty,
    /// There are too many.
    #[error("a pool of {0} VLANs, which is more than {MAX_POOL}")]
    TooMany(usize),
    /// One stands there twice, and would get twice its share.
    #[error("the VLAN {0} is in the pool twice")]
    Twice(Vlan),
}

impl Pool {
    /// A pool of these.
    ///
    /// # Errors
    /// See [`PoolError`].
    pub fn new(all: Vec<Vlan>) -> Result<Pool, PoolError> {
        if all.len() > MAX_POOL {
            return Err(PoolError::TooMany(all.len()));
        }
        let twice = all.iter().enumerate().find(|(at, vlan)| all.iter().take(*at).any(|earlier| earlier == *vlan));
        if let Some((_, vlan)) = twice {
            return Err(PoolError::Twice(vlan.clone()));
        }
        let mut all = all.into_iter();
        let first = all.next().ok_or(PoolError::Empty)?;
        Ok(Pool { first, more: all.collect() })
    }

    /// Its VLANs.
    pub fn all(&self) -> impl Iterator<Item = &Vlan> {
        std::iter::once(&self.first).chain(&self.more)
    }

    /// The VLAN of this endpoint, always the same one: rendezvous hashing (the
    /// highest weight wins), so that a VLAN which is added takes its share and
    /// moves nobody else.
    pub fn choose(&self, endpoint: &[u8]) -> &Vlan {
        if self.more.is_empty() {
            return &self.first;
        }
        let mut best = (&self.first, weight(&self.first, endpoint));
        for vlan in &self.more {
            let weight = weight(vlan, endpoint);
            if weight > best.1 {
                best = (vlan, weight);
            }
        }
        best.0
    }
}

impl From<Vlan> for Pool {
    fn from(first: Vlan) -> Self {
        Self { first, more: Vec::new() }
    }
}

/// SHA-256 of VLAN and endpoint, so that nobody steers by choice of a MAC
/// address what a weaker hash would let them.
fn weight(vlan: &Vlan, endpoint: &[u8]) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    context.update(vlan.to_string().as_bytes());
    // A name holds no NUL that could be taken for this one.
    context.update(&[0]);
    context.update(endpoint);
    let mut out = [0; 32];
    out.iter_mut().zip(context.finish().as_ref()).for_each(|(to, from)| *to = *from);
    out
}

/// The VLAN of a profile, by the site of the NAS.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VlanPlan {
    by_site: BTreeMap<String, Pool>,
    /// At sites that are not named.
    otherwise: Option<Pool>,
}

impl VlanPlan {
    /// The same at every site.
    pub fn everywhere(pool: Pool) -> Self {
        Self { by_site: BTreeMap::new(), otherwise: Some(pool) }
    }

    /// By site; `otherwise` at sites that are not named, and where the NAS has
    /// none. Without it there is no VLAN there, and nothing may be granted.
    pub fn by_site(by_site: BTreeMap<String, Pool>, otherwise: Option<Pool>) -> Self {
        Self { by_site, otherwise }
    }

    /// The VLANs at a site.
    pub fn at(&self, site: Option<&str>) -> Option<&Pool> {
        site.and_then(|site| self.by_site.get(site)).or(self.otherwise.as_ref())
    }

    /// Sites that are named.
    pub fn sites(&self) -> impl Iterator<Item = &str> {
        self.by_site.keys().map(String::as_str)
    }

    /// All VLANs of all sites; one may come more than once.
    pub fn all(&self) -> impl Iterator<Item = &Vlan> {
        self.by_site.values().chain(&self.otherwise).flat_map(Pool::all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashMap;

    fn pool(ids: &[u16]) -> Pool {
        Pool::new(ids.iter().map(|id| Vlan::Id(*id)).collect()).unwrap()
    }

    fn endpoints() -> impl Iterator<Item = [u8; 6]> {
        (0_u32..3000).map(|n| {
            let [_, a, b, c] = n.to_be_bytes();
            [0x02, 0, 0x5e, a, b, c]
        })
    }

    #[test]
    fn a_pool_is_shared_evenly() {
        let mut count: HashMap<&Vlan, usize> = HashMap::new();
        let pool = pool(&[20, 21, 22]);
        endpoints().for_each(|endpoint| *count.entry(pool.choose(&endpoint)).or_default() += 1);
        assert_eq!(count.len(), 3);
        assert!(count.values().all(|n| (900..1100).contains(n)), "{count:?}");
    }

    #[test]
    fn a_vlan_that_is_added_moves_only_those_whom_it_takes() {
        let (before, after) = (pool(&[20, 21, 22]), pool(&[23, 22, 21, 20]));
        let moved = endpoints().filter(|e| before.choose(e) != after.choose(e)).collect::<Vec<_>>();
        assert!((650..850).contains(&moved.len()), "a quarter: {}", moved.len());
        assert!(moved.iter().all(|e| *after.choose(e) == Vlan::Id(23)));
    }

    #[test]
    fn pools_that_make_no_sense_are_refused() {
        assert_eq!(Pool::new(vec![]), Err(PoolError::Empty));
        assert_eq!(Pool::new(vec![Vlan::Id(1), Vlan::Id(1)]), Err(PoolError::Twice(Vlan::Id(1))));
        assert_eq!(Pool::new((1..=65).map(Vlan::Id).collect()), Err(PoolError::TooMany(65)));
    }

    #[test]
    fn the_site_decides_and_else_is_for_the_rest() {
        let sites = BTreeMap::from([("hq".to_owned(), pool(&[20])), ("branch".to_owned(), pool(&[120, 121]))]);
        let strict = VlanPlan::by_site(sites.clone(), None);
        assert_eq!(strict.at(Some("hq")), Some(&pool(&[20])));
        assert_eq!((strict.at(Some("moon")), strict.at(None)), (None, None));
        let open = VlanPlan::by_site(sites, Some(pool(&[30])));
        assert_eq!((open.at(Some("moon")), open.at(None)), (Some(&pool(&[30])), Some(&pool(&[30]))));
        assert_eq!(open.all().count(), 4);
    }
}
