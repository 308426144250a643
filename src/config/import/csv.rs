//! Tables: identities and NASes from CSV with a header.

use super::document::Document;
use super::steward::Steward;
use crate::config::ConfigError;
use crate::inventory::identity::{IdentityKind, IdentityStatus};
use crate::inventory::mac::MacAddress;
use crate::inventory::nas::IpPrefix;
use csv::{ByteRecord, ReaderBuilder};
use std::collections::HashMap;
use std::io::Read;
use std::path::Path;

/// Faults that are named; the others are counted. Nobody reads more at once.
pub const MAX_FAULTS: usize = 1000;
/// Between the values of a cell that may hold several.
const SEPARATOR: char = ';';
/// What an identity has besides credentials and attributes.
const IDENTITY: [&str; 7] = ["name", "kind", "groups", "owner", "purpose", "status", "expires"];
/// By what an identity is recognised; those that may be several in a cell.
const CREDENTIALS: [&str; 8] =
    ["san_dns", "san_uri", "san_email", "san_upn", "sid", "fingerprint", "key_fingerprint", "mac"];
/// By what an identity is recognised; names that may hold a semicolon.
const WHOLE_CREDENTIALS: [&str; 3] = ["common_name", "issuer", "serial"];
const NAS: [&str; 7] = ["name", "address", "vendor", "secret", "site", "groups", "message_authenticator"];
const MESSAGE_AUTHENTICATOR: [&str; 3] = ["required", "learned", "off"];

/// What was read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Imported {
    /// TOML.
    pub document: String,
    /// How many rows.
    pub rows: usize,
    /// How many of them are no users and lack an owner or a purpose.
    pub unowned: usize,
    /// Columns that have no meaning of their own, and became attributes.
    pub attributes: Vec<String>,
}

/// What is wrong with a table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Faults {
    /// The first [`MAX_FAULTS`].
    pub named: Vec<ConfigError>,
    /// How many more there are.
    pub more: usize,
}

impl std::fmt::Display for Faults {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (number, error) in self.named.iter().enumerate() {
            write!(f, "{}{error}", if number > 0 { "\n" } else { "" })?;
        }
        match self.more {
            0 => Ok(()),
            more => write!(f, "\n... and {more} more"),
        }
    }
}

/// Reads `[[identity]]` from a table, row by row. Columns that are no key of an
/// identity or of its credentials become its attributes. Rows that are no users
/// and lack an owner or a purpose get those of `steward`.
///
/// # Errors
/// All that is wrong.
pub fn identities(file: &Path, input: impl Read, steward: &Steward) -> Result<Imported, Faults> {
    let mut table = Table::open(file, input, |_| true)?;
    let known =
        |name: &str| IDENTITY.contains(&name) || CREDENTIALS.contains(&name) || WHOLE_CREDENTIALS.contains(&name);
    let attributes: Vec<String> = table.columns.iter().filter(|name| !known(name)).cloned().collect();
    table.need(&["name", "kind"])?;
    let mut document = Document::with_comment(&format!("Imported from {}.", file.display()));
    let (mut rows, mut unowned) = (0, 0);
    let (mut owner_is_needed, mut owner_is_there) = (false, false);
    while let Some(row) = table.next() {
        rows += 1;
        let (name, kind) = (table.required(&row, "name"), table.required(&row, "kind"));
        let user = kind == IdentityKind::User.as_str();
        let given = |key, otherwise: &Option<String>| {
            row.get(key).map(str::to_owned).or_else(|| otherwise.clone().filter(|_| !user))
        };
        let (owner, purpose) = (given("owner", &steward.owner), given("purpose", &steward.purpose));
        unowned += usize::from(!user && (owner.is_none() || purpose.is_none()));
        owner_is_needed |= !user && row.get("owner").is_none();
        owner_is_there |= user && steward.owner.as_deref().is_some_and(|o| o.to_lowercase() == name.to_lowercase());
        if !kind.is_empty()
            && let Err(e) = kind.parse::<IdentityKind>()
        {
            table.wrong(&row, "kind", e.to_string(), "give the kind of the identity");
        }
        if !name.is_empty() {
            table.once(&row, "name", format!("{kind}\n{name}"));
        }
        let (status, expires) = (row.get("status"), row.get("expires"));
        if let Some(Err(e)) = status.map(str::parse::<IdentityStatus>) {
            table.wrong(&row, "status", e.to_string(), "only an active identity may log in");
        }
        if expires.is_some_and(|at| at.parse::<jiff::Timestamp>().is_err()) {
            table.wrong(&row, "expires", "this is no time", "write it as 2027-01-31T00:00:00Z");
        }
        document.section("identity");
        document.text("name", name);
        document.text("kind", kind);
        document.list("groups", &row.list("groups"));
        document.optional("owner", owner.as_deref());
        document.optional("purpose", purpose.as_deref());
        document.optional("status", status);
        document.optional("expires", expires);
        let credentials = credentials(&mut table, &row);
        document.tables("credentials", &credentials);
        let free: Vec<_> = attributes.iter().filter_map(|name| Some((name, row.get(name)?))).collect();
        document.table("attributes", &free);
    }
    if owner_is_needed && !owner_is_there {
        steward.write_owner(&mut document);
    }
    table.finish(Imported { document: document.into_text(), rows, unowned, attributes })
}

fn credentials(table: &mut Table<impl Read>, row: &Row) -> Vec<Vec<(&'static str, String)>> {
    let mut all = Vec::new();
    for key in CREDENTIALS {
        for value in row.list(key) {
            let spelled = match MacAddress::parse(value) {
                Ok(mac) if key == "mac" => mac.to_string(),
                Err(e) if key == "mac" => {
                    table.wrong(row, key, e.to_string(), "give the endpoint's address");
                    continue;
                }
                _ => value.to_owned(),
            };
            let same = match key {
                "san_uri" | "sid" => spelled.clone(),
                "fingerprint" | "key_fingerprint" => {
                    spelled.chars().filter(char::is_ascii_hexdigit).collect::<String>().to_ascii_lowercase()
                }
                _ => spelled.trim_end_matches('.').to_lowercase(),
            };
            table.once(row, key, same);
            all.push(vec![(key, spelled)]);
        }
    }
    if let Some(name) = row.get("common_name") {
        table.once(row, "common_name", name.to_owned());
        all.push(vec![("common_name", name.to_owned())]);
    }
    match (row.get("issuer"), row.get("serial")) {
        (Some(issuer), Some(serial)) => {
            table.once(row, "serial", format!("{issuer}\n{}", serial.to_ascii_lowercase()));
            all.push(vec![("issuer", issuer.to_owned()), ("serial", serial.to_owned())]);
        }
        (None, None) => {}
        (given, _) => {
            let empty = if given.is_some() { "serial" } else { "issuer" };
            table.wrong(row, empty, "issuer and serial go together", "give both");
        }
    }
    all
}

/// Reads `[[nas]]` from a table, row by row.
///
/// # Errors
/// All that is wrong.
pub fn nas(file: &Path, input: impl Read) -> Result<Imported, Faults> {
    let mut table = Table::open(file, input, |name| NAS.contains(&name))?;
    table.need(&["name", "address", "secret"])?;
    let mut document =
        Document::with_comment(&format!("Imported from {}. It holds shared secrets: keep it.", file.display()));
    let mut rows = 0;
    while let Some(row) = table.next() {
        rows += 1;
        let name = table.required(&row, "name");
        table.required(&row, "address");
        let secret = table.required(&row, "secret");
        if !name.is_empty() {
            table.once(&row, "name", name.to_owned());
        }
        let addresses = row.list("address");
        for address in &addresses {
            match address.parse::<IpPrefix>() {
                Ok(prefix) => table.once(&row, "address", prefix.to_string()),
                Err(e) => table.wrong(&row, "address", e.to_string(), "give the address that the NAS sends from"),
            }
        }
        let mode = row.get("message_authenticator");
        if mode.is_some_and(|mode| !MESSAGE_AUTHENTICATOR.contains(&mode)) {
            let words = MESSAGE_AUTHENTICATOR.join(", ");
            table.wrong(
                &row,
                "message_authenticator",
                format!("this is not one of {words}"),
                "leave it empty: learned",
            );
        }
        document.section("nas");
        document.text("name", name);
        document.list("address", &addresses);
        document.text("secret", secret);
        document.optional("vendor", row.get("vendor"));
        document.optional("message_authenticator", mode);
        document.optional("site", row.get("site"));
        document.list("groups", &row.list("groups"));
    }
    table.finish(Imported { document: document.into_text(), rows, unowned: 0, attributes: Vec::new() })
}

/// A table that is read row by row; what is wrong with it adds up.
struct Table<R> {
    file: std::path::PathBuf,
    reader: csv::Reader<R>,
    columns: Vec<String>,
    /// The line of what may be there once, by column and value.
    seen: HashMap<(&'static str, String), u64>,
    faults: Faults,
}

/// A row: its line, and the cells by column.
struct Row {
    line: u64,
    cells: HashMap<String, String>,
}

impl Row {
    /// The cell of a column, unless it is empty or not there.
    fn get(&self, column: &str) -> Option<&str> {
        self.cells.get(column).map(String::as_str)
    }

    fn list(&self, column: &str) -> Vec<&str> {
        let cell = self.get(column).unwrap_or_default();
        cell.split(SEPARATOR).map(str::trim).filter(|value| !value.is_empty()).collect()
    }
}

impl<R: Read> Table<R> {
    fn open(file: &Path, input: R, known: impl Fn(&str) -> bool) -> Result<Self, Faults> {
        let reader = ReaderBuilder::new().has_headers(false).flexible(true).trim(csv::Trim::All).from_reader(input);
        let faults = Faults { named: Vec::new(), more: 0 };
        let mut table = Self { file: file.to_owned(), reader, columns: Vec::new(), seen: HashMap::new(), faults };
        let mut header = ByteRecord::new();
        match table.reader.read_byte_record(&mut header) {
            Ok(true) => {}
            Ok(false) => table.fault(1, "the table is empty", "its first line names the columns"),
            Err(e) => table.fault(1, format!("cannot be read: {e}"), "save it as CSV"),
        }
        for cell in &header {
            let name = String::from_utf8_lossy(cell).trim_start_matches('\u{feff}').trim().to_owned();
            let lower = name.to_ascii_lowercase();
            // Of one's own columns the case may matter; of keys it does not.
            let is_key = IDENTITY.contains(&&*lower)
                || CREDENTIALS.contains(&&*lower)
                || WHOLE_CREDENTIALS.contains(&&*lower)
                || NAS.contains(&&*lower);
            let name = if is_key { lower } else { name };
            if name.contains(SEPARATOR) && header.len() == 1 {
                table.fault(1, "the columns are separated by semicolons", "save the table with commas");
            } else if name.is_empty() {
                table.fault(1, "a column has no name", "name it, or remove it");
            } else if table.columns.contains(&name) {
                table.fault(1, format!("two columns are called {name}"), "remove one of them");
            } else if !known(&name) {
                table.fault(1, format!("no column is called {name}"), format!("there are {}", NAS.join(", ")));
            }
            table.columns.push(name);
        }
        if table.faults.named.is_empty() { Ok(table) } else { Err(table.faults) }
    }

    fn need(&mut self, columns: &[&str]) -> Result<(), Faults> {
        for column in columns {
            if !self.columns.iter().any(|c| c == column) {
                self.fault(1, format!("there is no column {column}"), "the first line names the columns; add it");
            }
        }
        if self.faults.named.is_empty() { Ok(()) } else { Err(self.faults.clone()) }
    }

    fn next(&mut self) -> Option<Row> {
        let mut record = ByteRecord::new();
        loop {
            match self.reader.read_byte_record(&mut record) {
                Ok(true) => {}
                Ok(false) => return None,
                Err(e) => {
                    let line = self.reader.position().line();
                    self.fault(line, format!("cannot be read: {e}"), "save it as CSV");
                    return None;
                }
            }
            let line = record.position().map_or(0, csv::Position::line);
            if record.iter().all(<[u8]>::is_empty) {
                continue;
            }
            if record.len() != self.columns.len() {
                let message = format!("{} cells, but there are {} columns", record.len(), self.columns.len());
                self.fault(line, message, "put a cell that holds a comma in double quotes");
                continue;
            }
            let mut cells = HashMap::new();
            let mut wrong = Vec::new();
            for (column, cell) in self.columns.iter().zip(&record) {
                match std::str::from_utf8(cell) {
                    Ok("") => {}
                    Ok(text) => {
                        cells.insert(column.clone(), text.to_owned());
                    }
                    Err(_) => wrong.push(column.clone()),
                }
            }
            for column in wrong {
                self.fault(line, format!("column {column}: this is not UTF-8"), "save the table as UTF-8");
            }
            return Some(Row { line, cells });
        }
    }

    /// The cell of a column that must have one.
    fn required<'a>(&mut self, row: &'a Row, column: &str) -> &'a str {
        row.get(column).unwrap_or_else(|| {
            self.wrong(row, column, "this is empty", "each row needs one");
            ""
        })
    }

    /// Says that a value may be there once.
    fn once(&mut self, row: &Row, column: &'static str, value: String) {
        if let Some(first) = self.seen.insert((column, value), row.line) {
            self.wrong(row, column, format!("line {first} has the same"), "it belongs to one row only");
        }
    }

    fn wrong(&mut self, row: &Row, column: &str, message: impl Into<String>, remedy: &str) {
        self.fault(row.line, format!("column {column}: {}", message.into()), remedy);
    }

    fn fault(&mut self, line: u64, message: impl Into<String>, remedy: impl Into<String>) {
        if self.faults.named.len() < MAX_FAULTS {
            let (file, line) = (self.file.clone(), usize::try_from(line).ok());
            self.faults.named.push(ConfigError { file, line, message: message.into(), remedy: remedy.into() });
        } else {
            self.faults.more += 1;
        }
    }

    fn finish(self, imported: Imported) -> Result<Imported, Faults> {
        if self.faults.named.is_empty() { Ok(imported) } else { Err(self.faults) }
    }
}

#[cfg(test)]
#[path = "csv_tests.rs"]
mod tests;
