//! `cordon ask`: the API of a server, here or elsewhere, from the command line.

use super::host::runtime;
use crate::config::Config;
use crate::config::token::api_token;
use crate::secret::Secret;
use crate::server;
use crate::transport::https;
use clap::Args;
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What stands before a path that does not begin with `/`.
const BASE: &str = "/api/v1/";
/// The longest a whole answer may take: exports are long, and a watcher watches.
const LONGEST: Duration = Duration::from_secs(7 * 86_400);
/// The most octets that are shown of a refusal.
const MAX_REFUSAL: usize = 64 * 1024;

/// Ask a server what its API offers: all that can be seen and done
///
/// `cordon ask get sessions?live=true`, `cordon ask put nas/sw1 --data @sw1.json`, `cordon ask get events`. On the server's
/// host its configuration says where it is and how to get in; elsewhere --server, --token-file and --ca do.
#[derive(Debug, Args)]
pub struct AskArgs {
    /// get, post, put, patch or delete
    #[arg(value_parser = method)]
    method: Method,
    /// What for: below /api/v1/, or from / on
    path: String,
    /// What to send: JSON, @FILE for what a file holds (of TOML and YAML as a document to apply), - for standard input
    #[arg(long)]
    data: Option<String>,
    /// A header, such as "If-Match: \"3\""; may be repeated
    #[arg(long)]
    header: Vec<String>,
    /// Where the server is, such as https://nac.example:8443
    #[arg(long, env = "CORDON_SERVER", requires = "token_file")]
    server: Option<String>,
    /// The file with the token
    #[arg(long, env = "CORDON_TOKEN_FILE")]
    token_file: Option<PathBuf>,
    /// Certificates of CAs that may vouch for the server besides the system's, in PEM
    #[arg(long, env = "CORDON_CA")]
    ca: Option<PathBuf>,
    /// The configuration file of the server, on its host
    #[arg(long, env = "CORDON_CONFIG", default_value = "cordon.toml")]
    config: PathBuf,
}

fn method(text: &str) -> Result<Method, String> {
    let known = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
    let found = known.into_iter().find(|method| method.as_str().eq_ignore_ascii_case(text));
    found.ok_or_else(|| "one of get, post, put, patch, delete".into())
}

/// Where to ask, and as whom.
struct Door {
    server: String,
    token: Secret,
    cas: Vec<CertificateDer<'static>>,
}

fn told(path: &Path) -> impl Fn(std::io::Error) -> String + '_ {
    move |error| format!("{}: {error}", path.display())
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let all: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    all.map_err(|e| format!("{}: {e}", path.display()))
}

impl Door {
    fn of(args: &AskArgs) -> Result<Door, String> {
        let mut cas = args.ca.as_deref().map_or(Ok(Vec::new()), certificates)?;
        let given = |path: &PathBuf| -> Result<Secret, String> {
            let text = std::fs::read_to_string(path).map_err(told(path))?;
            Ok(Secret::new(text.trim().to_owned()))
        };
        let token = args.token_file.as_ref().map(given).transpose()?;
        if let (Some(server), Some(token)) = (&args.server, &token) {
            return Ok(Door { server: server.trim_end_matches('/').to_owned(), token: token.clone(), cas });
        }
        let (config, source) = Config::load(&args.config)
            .map_err(|e| format!("{e}\n  -> on another host, say --server and --token-file"))?;
        if let Some(dir) = &config.pki.dir {
            cas.extend(certificates(&source.resolve(dir.get_ref()).join("ca.pem")).unwrap_or_default());
        }
        let own = || api_token(&config, &source).map_err(|e| e.to_string());
        let server = server::origin(&config, *config.http.listen.get_ref());
        Ok(Door { server, token: token.map_or_else(own, Ok)?, cas })
    }
}

fn body(data: &str) -> Result<Vec<u8>, String> {
    let mut text = Vec::new();
    match data.strip_prefix('@') {
        Some(file) => return std::fs::read(file).map_err(told(Path::new(file))),
        None if data == "-" => std::io::stdin().read_to_end(&mut text).map_err(|e| format!("standard input: {e}"))?,
        None => return Ok(data.as_bytes().to_vec()),
    };
    Ok(text)
}

/// What is sent as JSON: of a file in TOML or YAML a document, as `apply` takes them.
fn json(data: &str) -> Result<Vec<u8>, String> {
    let text = body(data)?;
    let name = data.strip_prefix('@').unwrap_or_default();
    let form = match Path::new(name).extension().and_then(|end| end.to_str()) {
        Some("toml") => "toml",
        Some("yaml" | "yml") => "yaml",
        _ => return Ok(text),
    };
    let text = String::from_utf8(text).map_err(|_| format!("{name}: it is not UTF-8"))?;
    Ok(json!({ form: text }).to_string().into_bytes())
}

/// Asks, and prints what is answered.
///
/// # Errors
/// In words: what the server refused and why, or why it was not reached.
pub fn run(args: &AskArgs) -> Result<(), String> {
    let door = Door::of(args)?;
    let path = if args.path.starts_with('/') { args.path.clone() } else { format!("{BASE}{}", args.path) };
    let url = format!("{}{path}", door.server);
    runtime()?.block_on(async {
        let failed = |e: https::FetchError| {
            format!("{}: {e}\n  -> is the server there, and does --ca name the CA of its certificate?", door.server)
        };
        let client = https::client(&door.cas).map_err(failed)?;
        let token = String::from_utf8_lossy(door.token.expose()).into_owned();
        let mut request = client.request(args.method.clone(), &url).bearer_auth(token).timeout(LONGEST);
        if let Some(data) = &args.data {
            request = request.header(CONTENT_TYPE, "application/json").body(json(data)?);
        }
        for header in &args.header {
            let (name, value) = header.split_once(':').ok_or_else(|| format!("{header:?} is not \"Name: value\""))?;
            let name: HeaderName = name.trim().parse().map_err(|_| format!("{name:?} is no name of a header"))?;
            let value =
                HeaderValue::from_str(value.trim()).map_err(|_| format!("{value:?} is no value of a header"))?;
            request = request.header(name, value);
        }
        let mut response = request.send().await.map_err(|e| failed(e.into()))?;
        if !response.status().is_success() {
            return Err(refusal(response).await);
        }
        let (mut out, mut last) = (std::io::stdout(), b'\n');
        while let Some(chunk) = response.chunk().await.map_err(|e| failed(e.into()))? {
            out.write_all(&chunk).and_then(|()| out.flush()).map_err(|e| e.to_string())?;
            last = chunk.last().copied().unwrap_or(last);
        }
        if last != b'\n' {
            println!();
        }
        Ok(())
    })
}

/// What the server says is wrong (RFC 9457), for people.
async fn refusal(mut response: reqwest::Response) -> String {
    let (status, mut text) = (response.status(), Vec::new());
    while let Ok(Some(chunk)) = response.chunk().await
        && text.len() < MAX_REFUSAL
    {
        text.extend_from_slice(&chunk);
    }
    let problem: Value = serde_json::from_slice(&text).unwrap_or_default();
    let Some(title) = problem["title"].as_str() else {
        return format!("{status}: {}", String::from_utf8_lossy(&text));
    };
    let mut words = format!("{title} ({})", status.as_u16());
    let mut say = |text: &str| words.push_str(text);
    if let Some(detail) = problem["detail"].as_str() {
        say(&format!(": {detail}"));
    }
    for error in problem["errors"].as_array().into_iter().flatten() {
        let part = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
        say(&format!("\n  {} {}", part("at"), part("message")));
        if let Some(remedy) = error["remedy"].as_str() {
            say(&format!("\n    -> {remedy}"));
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_sent_as_what_its_name_says() {
        let dir = tempfile::tempdir().unwrap();
        for (name, text, wanted) in [
            ("a.toml", "x = 1\n", "{\"toml\":\"x = 1\\n\"}"),
            ("a.yml", "x: 1", r#"{"yaml":"x: 1"}"#),
            ("a.json", "{}", "{}"),
        ] {
            let file = dir.path().join(name);
            std::fs::write(&file, text).unwrap();
            let sent = json(&format!("@{}", file.display())).unwrap();
            assert_eq!(String::from_utf8(sent).unwrap(), wanted, "{name}");
        }
        assert_eq!(json("a.toml").unwrap(), b"a.toml");
        assert!(method("GET").is_ok() && method("patch").is_ok() && method("brew").is_err());
    }
}
