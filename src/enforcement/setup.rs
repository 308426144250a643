//! What somebody enters on gear of a kind, so that it asks here: data of the NAS profiles, with what differs filled in.

use super::nas_profile::Confirmed;
use serde::Deserialize;
use std::net::IpAddr;

/// What stands for the secret: whoever enters the text has it, and it is shown nowhere.
pub const SECRET: &str = "<secret>";
/// What stands for the address of this server where it is not known.
pub const SERVER: &str = "<address of this server>";

/// `[setup]` of a NAS profile.
#[derive(Clone, PartialEq, Eq, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setup {
    /// The text, with `{server}`, `{secret}`, `{auth_port}`, `{acct_port}` and `{coa_port}`.
    pub text: String,
    /// What stands behind it.
    pub confirmed: Confirmed,
}

/// Where gear finds this server, and where it is found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Places {
    /// The address of this server, if it is known.
    pub server: Option<IpAddr>,
    /// The UDP port for authentication.
    pub auth_port: u16,
    /// The UDP port for accounting.
    pub acct_port: u16,
    /// The UDP port at which the gear takes changes.
    pub coa_port: u16,
}

impl Setup {
    /// What is wrong with it.
    pub(super) fn check(&self) -> Result<(), String> {
        let places = Places { server: None, auth_port: 1812, acct_port: 1813, coa_port: 3799 };
        let text = self.text(&places);
        // Braces of the gear's own language have no name between them.
        let left = text.split('{').skip(1).filter_map(|rest| rest.split_once('}'));
        let name = |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
        match left.map(|(inner, _)| inner).find(|inner| name(inner)) {
            Some(unknown) => Err(format!("[setup] has no placeholder {{{unknown}}}")),
            None => Ok(()),
        }
    }

    /// The text for gear that finds the server at these places.
    pub fn text(&self, places: &Places) -> String {
        let server = places.server.map_or_else(|| SERVER.to_owned(), |address| address.to_string());
        let values = [
            ("{server}", server.as_str()),
            ("{secret}", SECRET),
            ("{auth_port}", &places.auth_port.to_string()),
            ("{acct_port}", &places.acct_port.to_string()),
            ("{coa_port}", &places.coa_port.to_string()),
        ];
        values.iter().fold(self.text.clone(), |text, (name, value)| text.replace(name, value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setup(text: &str) -> Setup {
        Setup { text: text.into(), confirmed: Confirmed::Unconfirmed }
    }

    #[test]
    fn what_differs_is_filled_in_and_the_secret_is_not() {
        let places = Places { server: Some([192, 0, 2, 1].into()), auth_port: 1645, acct_port: 1646, coa_port: 1700 };
        let text = setup("host {server} {auth_port} {acct_port} key {secret} coa {coa_port}").text(&places);
        assert_eq!(text, "host 192.0.2.1 1645 1646 key <secret> coa 1700");
        assert!(setup("{server}").text(&Places { server: None, ..places }).contains(SERVER));
    }

    #[test]
    fn a_placeholder_that_is_none_is_told() {
        assert!(setup("key {secrets}").check().unwrap_err().contains("{secrets}"));
        assert!(setup("firewall { family ethernet; } key {secret}").check().is_ok());
    }
}
