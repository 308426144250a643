//! What is shared with a NAS, as the database keeps it sealed.

use crate::secret::Secret;

/// What a sealed value begins with that holds a second secret. Those without one
/// are the secret alone.
const TWO: &[u8] = b"\0cordon:two\0";
/// The length of the first secret stands before it, in octets.
const LENGTH_LEN: usize = 4;

/// The secrets of a NAS.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NasSecrets {
    /// That of its requests; none if it speaks RADIUS over TLS alone.
    pub shared: Option<Secret>,
    /// That of changes to its sessions, if it is another.
    pub coa: Option<Secret>,
}

impl NasSecrets {
    /// Both as one, to be sealed.
    pub fn pack(&self) -> Secret {
        let shared = self.shared.as_ref().map_or(&[][..], Secret::expose);
        let Some(coa) = &self.coa else { return Secret::new(shared) };
        let length = u32::try_from(shared.len()).unwrap_or(u32::MAX).to_be_bytes();
        Secret::new([TWO, &length, shared, coa.expose()].concat())
    }

    /// What [`pack`](Self::pack) made.
    pub fn unpack(packed: Secret) -> NasSecrets {
        let both = packed.expose().strip_prefix(TWO).and_then(|rest| {
            let (length, rest) = rest.split_first_chunk::<LENGTH_LEN>()?;
            rest.split_at_checked(u32::from_be_bytes(*length) as usize)
        });
        match both {
            Some((shared, coa)) => {
                let shared = (!shared.is_empty()).then(|| Secret::new(shared));
                NasSecrets { shared, coa: Some(Secret::new(coa)) }
            }
            None => NasSecrets { shared: Some(packed), coa: None },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_come_back_as_they_were() {
        let one = NasSecrets { shared: Some(Secret::new("of its requests")), coa: None };
        assert_eq!(Some(one.pack()), one.shared, "as it was kept before there was a second");
        let two = NasSecrets { coa: Some(Secret::new("of changes")), ..one.clone() };
        for secrets in [one, two.clone(), NasSecrets { shared: None, ..two }] {
            assert_eq!(NasSecrets::unpack(secrets.pack()), secrets);
        }
    }
}
