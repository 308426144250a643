//! Whether names that a certificate is to carry are well-formed. What is not
//! would be issued all the same, and match nothing.

use std::net::Ipv4Addr;

/// The longest DNS name and label, in octets (RFC 1035, section 2.3.4).
const MAX_DNS_NAME: usize = 253;
/// See [`MAX_DNS_NAME`].
const MAX_DNS_LABEL: usize = 63;

/// A DNS name in the preferred syntax (RFC 5280, section 4.2.1.6), in ASCII. An
/// underscore may be in it, since Windows has names with one, and the first
/// label may be `*`.
///
/// # Errors
/// What is wrong, and what to do.
pub fn dns(name: &str) -> Result<(), String> {
    let wrong = |why: &str, remedy: &str| Err(format!("{name:?} is no DNS name: {why}\n  -> {remedy}"));
    if name.parse::<Ipv4Addr>().is_ok() || name.contains(':') {
        return wrong("it is an address or a URI", "give the host's name, or the URI by --uri");
    }
    if !name.is_ascii() {
        return wrong("it has letters beyond ASCII", "write it in Punycode, xn--...");
    }
    if name.is_empty() || name.len() > MAX_DNS_NAME {
        return wrong(&format!("it has {} octets", name.len()), "a name has 1 to 253");
    }
    let label = |label: &str| {
        (1..=MAX_DNS_LABEL).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b))
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if name.strip_prefix("*.").unwrap_or(name).split('.').all(label) {
        Ok(())
    } else {
        wrong(
            "between its dots are not letters, digits and inner hyphens, 1 to 63",
            "write it like laptop-1.corp.example, without a dot at the end",
        )
    }
}

/// An email address in ASCII (RFC 5280, section 4.2.1.6: `local@domain`).
///
/// # Errors
/// As [`dns`].
pub fn email(address: &str) -> Result<(), String> {
    let plain =
        |local: &str| !local.is_empty() && local.bytes().all(|b| b.is_ascii_graphic() && !b"@<>()\",;".contains(&b));
    match address.split_once('@') {
        Some((local, domain)) if plain(local) && dns(domain).is_ok() => Ok(()),
        _ => Err(format!(
            "{address:?} is no email address\n  -> write it like anna@corp.example, without a name around it"
        )),
    }
}

/// An absolute URI (RFC 3986, section 4.3); with `//` it names a host.
///
/// # Errors
/// As [`dns`].
pub fn uri(uri: &str) -> Result<(), String> {
    let wrong = || format!("{uri:?} is no absolute URI\n  -> write it like spiffe://corp.example/agent/coder-1");
    let (scheme, rest) = uri.split_once(':').ok_or_else(wrong)?;
    let scheme_is_good = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
        && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    let rest_is_good = !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_graphic() && !b"<>\"{}|\\^`".contains(&b));
    let host_is_good =
        rest.strip_prefix("//").is_none_or(|rest| !rest.is_empty() && !rest.starts_with(['/', '?', '#']));
    if scheme_is_good && rest_is_good && host_is_good { Ok(()) } else { Err(wrong()) }
}

/// A User Principal Name (`user@realm`); letters beyond ASCII are allowed.
///
/// # Errors
/// As [`dns`].
pub fn upn(name: &str) -> Result<(), String> {
    let plain =
        |part: &str| !part.is_empty() && !part.contains(|c: char| c == '@' || c.is_whitespace() || c.is_control());
    match name.split_once('@') {
        Some((user, realm)) if plain(user) && plain(realm) => Ok(()),
        _ => Err(format!("{name:?} is no User Principal Name\n  -> write it like anna@corp.example")),
    }
}

/// A common name: any text that can be printed.
///
/// # Errors
/// As [`dns`].
pub fn common(name: &str) -> Result<(), String> {
    if name.trim().is_empty() || name.contains(char::is_control) {
        return Err(format!("{name:?} is no common name\n  -> give text that can be read, by --cn"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_as_they_are_written_are_taken() {
        for name in
            ["laptop-1.corp.example", "localhost", "*.corp.example", "WIN_HOST.corp.example", "xn--bcher-kva.example"]
        {
            assert_eq!(dns(name), Ok(()));
        }
        for name in ["anna@corp.example", "o'neil+test@corp.example"] {
            assert_eq!(email(name), Ok(()));
        }
        for name in [
            "spiffe://corp.example/agent/coder-1",
            "urn:uuid:0190b4e2-0000-7000-8000-000000000000",
            "tag:a,2022:sid:S-1-5",
        ] {
            assert_eq!(uri(name), Ok(()));
        }
        for name in ["anna@corp.example", "b\u{fc}cher@corp"] {
            assert_eq!(upn(name), Ok(()));
        }
        assert_eq!(common("Anna's laptop (2)"), Ok(()));
    }

    #[test]
    fn nonsense_is_refused_with_a_remedy() {
        let long = "x".repeat(MAX_DNS_LABEL + 1);
        for name in [
            "",
            "a b",
            "a..b",
            ".a",
            "a.",
            "-a.b",
            "a-.b",
            "10.0.0.1",
            "::1",
            "spiffe://x/y",
            "b\u{fc}cher.example",
            "a*.b",
            &long,
        ] {
            assert!(dns(name).unwrap_err().contains("->"), "{name:?}");
        }
        for name in ["", "anna", "anna@", "@x", "a@b@c", "Anna <anna@corp.example>", "an na@x"] {
            assert!(email(name).is_err(), "{name:?}");
        }
        for name in ["", "coder-1", "spiffe:", "spiffe://", "spiffe:///x", "1x:y", "a b:c", "x:a b", "x:\u{fc}"] {
            assert!(uri(name).is_err(), "{name:?}");
        }
        for name in ["", "anna", "anna@", "@x", "a@b@c", "an na@x"] {
            assert!(upn(name).is_err(), "{name:?}");
        }
        assert!(common("  ").is_err() && common("a\nb").is_err());
    }
}
