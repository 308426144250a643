//! `cordon auth`: one login against any RADIUS server, step by step.

use super::exchange::{Exchange, Traced};
use crate::access::Service;
use crate::client::{Login, Port};
use crate::config::build::certified_key;
use crate::config::files::dictionary;
use crate::eap::tls::adapter::{ClientTlsConfig, KeyExchange, TlsVersion};
use crate::inventory::mac::MacAddress;
use crate::pki::pem;
use crate::radius::dictionary::Dictionary;
use crate::radius::packet::{Code, Packet};
use crate::secret::Secret;
use clap::{Args, ValueEnum};
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::time::Duration;

/// Arguments of `cordon auth`.
#[derive(Debug, Args)]
pub struct AuthArgs {
    #[command(flatten)]
    pub client: ClientArgs,
    /// Log in by MAC address instead of a certificate
    #[arg(long)]
    pub mab: bool,
    /// Say only how it ended
    #[arg(long, short)]
    pub quiet: bool,
}

/// What all client commands need.
#[derive(Clone, Debug, Args)]
pub struct ClientArgs {
    /// The server, HOST:PORT [env: CORDON_AUTH, or for accounting CORDON_ACCT]
    /// [default: 127.0.0.1:1812, or for accounting 127.0.0.1:1813]
    #[arg(long)]
    pub server: Option<String>,
    /// The secret that the server shares with this address
    #[arg(long, env = "CORDON_SECRET", hide_env_values = true)]
    pub secret: String,
    /// The client's certificate, with its intermediates (PEM)
    #[arg(long)]
    pub cert: Option<PathBuf>,
    /// The client's private key (PEM)
    #[arg(long)]
    pub key: Option<PathBuf>,
    /// The CA that must have issued the server's certificate (PEM)
    #[arg(long, env = "CORDON_CA")]
    pub ca: Option<PathBuf>,
    /// The name to give in clear
    #[arg(long, default_value = "anonymous")]
    pub identity: String,
    /// The endpoint's MAC address
    #[arg(long, default_value = "02-00-5E-00-00-01")]
    pub mac: String,
    /// The TLS version to speak
    #[arg(long, value_enum, default_value_t = Tls::Any)]
    pub tls: Tls,
    /// Do not offer the post-quantum key exchange
    #[arg(long)]
    pub classic: bool,
    /// The longest EAP packet to send, in octets
    #[arg(long, default_value_t = 1300)]
    pub max_eap_len: usize,
    /// Another attribute, "Name = value"; may be repeated
    #[arg(long = "attribute", short = 'A')]
    pub attributes: Vec<String>,
    /// A directory with dictionaries of your own, NAME.dict each
    #[arg(long)]
    pub dictionaries: Option<PathBuf>,
    /// Milliseconds to wait for each reply
    #[arg(long, default_value_t = 3000)]
    pub timeout: u64,
    /// Times to send each request
    #[arg(long, default_value_t = 3)]
    pub tries: u32,
}

/// TLS versions to choose from.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum Tls {
    /// The newest that both speak.
    Any,
    /// 1.2 alone.
    #[value(name = "1.2")]
    V12,
    /// 1.3 alone.
    #[value(name = "1.3")]
    V13,
}

impl Tls {
    /// The oldest and the newest version.
    pub fn range(self) -> (TlsVersion, TlsVersion) {
        match self {
            Tls::Any => (TlsVersion::V12, TlsVersion::V13),
            Tls::V12 => (TlsVersion::V12, TlsVersion::V12),
            Tls::V13 => (TlsVersion::V13, TlsVersion::V13),
        }
    }
}

impl ClientArgs {
    /// The server's address.
    ///
    /// # Errors
    /// When the name leads nowhere.
    pub fn address(&self, service: Service) -> Result<SocketAddr, String> {
        let (variable, default) = match service {
            Service::Authentication => ("CORDON_AUTH", "127.0.0.1:1812"),
            Service::Accounting => ("CORDON_ACCT", "127.0.0.1:1813"),
        };
        let server = self.server.clone().or_else(|| std::env::var(variable).ok()).unwrap_or(default.into());
        server
            .to_socket_addrs()
            .map_err(|e| format!("--server {server}: {e}; give HOST:PORT"))?
            .next()
            .ok_or_else(|| format!("--server {server}: no address"))
    }

    /// The pretended port.
    ///
    /// # Errors
    /// When an argument does not say what it should.
    pub fn port(&self) -> Result<Port, String> {
        let mac = MacAddress::parse(&self.mac).map_err(|e| format!("--mac: {e}"))?;
        let mut extra = Vec::new();
        let dictionary = self.dictionary()?;
        for line in &self.attributes {
            let (name, value) =
                line.split_once('=').ok_or_else(|| format!("--attribute {line:?}: write \"Name = value\""))?;
            let encoded = dictionary.encode(name.trim(), value.trim());
            extra.extend(encoded.map_err(|e| format!("--attribute: {e}"))?);
        }
        let port_id = "cordon-test".to_owned();
        Ok(Port { secret: Secret::new(self.secret.as_bytes()), mac, port_id, extra })
    }

    /// Attributes by name.
    ///
    /// # Errors
    /// When a file of one's own cannot be used.
    pub fn dictionary(&self) -> Result<Dictionary, String> {
        dictionary(self.dictionaries.as_deref()).map_err(|e| format!("--dictionaries: {e}"))
    }

    /// The supplicant's side of TLS.
    ///
    /// # Errors
    /// When a file cannot be used.
    pub fn client_tls(&self, resumption: bool) -> Result<ClientTlsConfig, String> {
        let read = |path: &PathBuf| std::fs::read(path).map_err(|e| format!("{}: {e}", path.display()));
        let ca = self.ca.as_ref().ok_or("--ca is needed: without it any server would be believed")?;
        let roots = pem::certificates(&read(ca)?).map_err(|e| format!("{}: {e}", ca.display()))?;
        let identity = match (&self.cert, &self.key) {
            (Some(cert), Some(key)) => {
                Some(certified_key(&read(cert)?, &read(key)?).map_err(|e| format!("{}: {e}", cert.display()))?)
            }
            (None, None) => None,
            _ => return Err("--cert and --key go together".into()),
        };
        let (min, max) = self.tls.range();
        let key_exchange = if self.classic { KeyExchange::Classic } else { KeyExchange::Hybrid };
        ClientTlsConfig::new(&roots, identity, min, max, resumption, key_exchange).map_err(|e| e.to_string())
    }

    /// The socket.
    ///
    /// # Errors
    /// As the system says.
    pub fn exchange(&self, service: Service) -> Result<Exchange, String> {
        Exchange::connect(self.address(service)?, Duration::from_millis(self.timeout), self.tries)
            .map_err(|e| e.to_string())
    }
}

/// Logs in once and says how it went.
///
/// # Errors
/// When the login is refused or comes to no end.
pub fn run(args: &AuthArgs) -> Result<(), String> {
    if args.mab { mab(args) } else { eap_tls(args) }
}

fn mab(args: &AuthArgs) -> Result<(), String> {
    let (port, dictionary) = (args.client.port()?, args.client.dictionary()?);
    let mut exchange = args.client.exchange(Service::Authentication)?;
    let request = port.mab(exchange.next_identifier()).map_err(|e| e.to_string())?;
    show(args, &Traced::Request(&request, "MAC authentication bypass"), &dictionary);
    let reply = exchange.answer(&request, &port.secret).map_err(|e| e.to_string())?;
    let packet = Packet::parse(&reply).map_err(|e| e.to_string())?;
    show(args, &Traced::Reply(packet), &dictionary);
    match packet.code() {
        Code::AccessAccept => {
            println!("accepted: {}", args.client.mac);
            Ok(())
        }
        code => Err(format!("refused ({code}): the server's decision record says why")),
    }
}

fn eap_tls(args: &AuthArgs) -> Result<(), String> {
    let tls = args.client.client_tls(false)?;
    let mut exchange = args.client.exchange(Service::Authentication)?;
    let mut login = Login::new(args.client.port()?, &args.client.identity, tls, args.client.max_eap_len);
    let dictionary = args.client.dictionary()?;
    let ending = exchange.login(&mut login, |traced| show(args, &traced, &dictionary)).map_err(|e| e.to_string())?;
    if let Some(e) = &ending.established {
        println!(
            "TLS {}, {}, {}{}",
            e.version,
            e.cipher_suite,
            e.key_exchange.as_deref().unwrap_or("no new key exchange"),
            if e.resumed { ", resumed" } else { "" },
        );
    }
    match (ending.code, ending.keys_match, ending.why()) {
        (Code::AccessAccept, true, _) => {
            println!("accepted after {} requests; the keys match", login.rounds);
            Ok(())
        }
        (Code::AccessAccept, false, _) => {
            Err("accepted, but the server's keys are not ours: the link would not come up".into())
        }
        (code, _, Some(why)) => Err(format!("refused ({code}): {why}")),
        (code, _, None) => Err(format!("refused ({code}): the server's decision record says why")),
    }
}

fn show(args: &AuthArgs, traced: &Traced<'_>, dictionary: &Dictionary) {
    if args.quiet {
        return;
    }
    match traced {
        Traced::Request(bytes, what) => println!("-> Access-Request, {} octets: {what}", bytes.len()),
        Traced::Reply(packet) => {
            println!("<- {}, {} octets", packet.code(), packet.bytes().len());
            if packet.code() != Code::AccessChallenge {
                for (name, value) in dictionary.describe(packet) {
                    println!("     {name} = {value}");
                }
            }
        }
    }
}
