//! One SQL text for both databases: what differs between them is written here.

use crate::time::Timestamp;
use sqlx::postgres::{PgArguments, Postgres};
use sqlx::query::Query;
use sqlx::sqlite::{Sqlite, SqliteArguments};
use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr};
use std::fmt::Write;

/// A value that goes with a statement.
#[derive(Clone, PartialEq, Debug)]
pub enum Arg {
    /// A number.
    Int(Option<i64>),
    /// A text.
    Text(Option<String>),
    /// Octets.
    Blob(Option<Vec<u8>>),
}

/// What a column holds.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    /// Numbers.
    Int,
    /// Text.
    Text,
    /// Octets.
    Blob,
}

macro_rules! arg {
    ($variant:ident: $($from:ty => $convert:expr),+ $(,)?) => {
        $(impl From<$from> for Arg {
            fn from(value: $from) -> Self {
                let convert: fn($from) -> _ = $convert;
                Self::$variant(Some(convert(value)))
            }
        }
        impl From<Option<$from>> for Arg {
            fn from(value: Option<$from>) -> Self {
                let convert: fn($from) -> _ = $convert;
                Self::$variant(value.map(convert))
            }
        })+
    };
}

arg!(Int: i64 => |n| n, u32 => i64::from, bool => i64::from, Timestamp => Timestamp::as_micros);
// Integers are signed; no counter gets there in earnest.
arg!(Int: u64 => |n| i64::try_from(n).unwrap_or(i64::MAX));
arg!(Text: &str => str::to_owned, String => |s| s, &String => String::clone);
arg!(Blob: Vec<u8> => |b| b, &[u8] => <[u8]>::to_vec, &[u8; 16] => |b| b.to_vec(), &[u8; 32] => |b| b.to_vec());

#[derive(Clone, Debug)]
enum Piece {
    Text(String),
    Arg(Arg),
    Rows(&'static [Kind], Vec<Arg>),
}

/// A statement in the making: text in which `?` stands for a value, and the
/// values, in their order.
#[derive(Clone, Debug, Default)]
pub struct Sql {
    pieces: Vec<Piece>,
}

impl Sql {
    /// Begins with this text. Its `?` are filled by [`Sql::bind`], in order.
    pub fn new(text: impl Into<String>) -> Self {
        Self { pieces: vec![Piece::Text(text.into())] }
    }

    /// The value of the next `?`.
    #[must_use]
    pub fn bind(mut self, value: impl Into<Arg>) -> Self {
        self.pieces.push(Piece::Arg(value.into()));
        self
    }

    /// Appends text; its `?` are filled by the values that are bound next.
    #[must_use]
    pub fn then(mut self, text: impl Into<String>) -> Self {
        self.pieces.push(Piece::Text(text.into()));
        self
    }

    /// Appends `text ?` with its value, if there is one.
    #[must_use]
    pub fn narrow(self, text: &str, value: Option<impl Into<Arg>>) -> Self {
        match value {
            Some(value) => self.then(format!(" AND {text} ?")).bind(value),
            None => self,
        }
    }

    /// Appends another statement's text and values.
    #[must_use]
    pub fn join(mut self, other: &Sql) -> Self {
        self.pieces.extend(other.pieces.iter().cloned());
        self
    }

    /// Whether it says nothing yet.
    pub fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// How SQLite would go about it.
    #[cfg(test)]
    pub(in crate::store) fn explained(mut self) -> Self {
        self.pieces.insert(0, Piece::Text("EXPLAIN QUERY PLAN ".into()));
        self
    }

    /// Appends rows of values, as something to select from: `VALUES (...), (...)`
    /// or what serves as well. `values` holds one row after the other, each with a
    /// value of each of `kinds`.
    #[must_use]
    pub fn rows(mut self, kinds: &'static [Kind], values: Vec<Arg>) -> Self {
        self.pieces.push(Piece::Rows(kinds, values));
        self
    }

    /// For SQLite: the text as it is, rows as `VALUES`.
    pub(super) fn for_sqlite(self) -> (SqlStr, Vec<Arg>) {
        let (mut text, mut args) = (String::new(), Vec::new());
        for piece in self.pieces {
            match piece {
                Piece::Text(more) => text.push_str(&more),
                Piece::Arg(arg) => args.push(arg),
                Piece::Rows(kinds, values) => {
                    text.push_str("VALUES ");
                    let row = format!("({})", vec!["?"; kinds.len()].join(","));
                    let count = values.len() / kinds.len().max(1);
                    text.push_str(&vec![row.as_str(); count].join(","));
                    args.extend(values);
                }
            }
        }
        (safe(text), args)
    }

    /// For PostgreSQL: numbered placeholders, rows as arrays, one for each column,
    /// so that a statement is the same for any number of rows.
    pub(super) fn for_postgres(self) -> (SqlStr, Vec<Column>) {
        let (mut text, mut args) = (String::new(), Vec::new());
        let (mut numbered, mut filled) = (0, 0);
        for piece in self.pieces {
            match piece {
                Piece::Text(more) => {
                    for part in more.split_inclusive('?') {
                        match part.strip_suffix('?') {
                            Some(part) => {
                                numbered += 1;
                                let _ = write!(text, "{part}${numbered}");
                            }
                            None => text.push_str(part),
                        }
                    }
                }
                Piece::Arg(arg) => {
                    filled += 1;
                    args.push(Column::One(arg));
                }
                Piece::Rows(kinds, values) => {
                    debug_assert_eq!(numbered, filled, "values of earlier text come before rows");
                    let mut arrays = Vec::with_capacity(kinds.len());
                    let rows = values.len() / kinds.len().max(1);
                    let mut columns: Vec<Column> = kinds.iter().map(|kind| Column::empty(*kind, rows)).collect();
                    for (at, value) in values.into_iter().enumerate() {
                        if let Some(column) = columns.get_mut(at % kinds.len()) {
                            column.push(value);
                        }
                    }
                    for kind in kinds {
                        numbered += 1;
                        filled += 1;
                        arrays.push(format!("${numbered}::{}[]", kind.postgres()));
                    }
                    let _ = write!(text, "SELECT * FROM UNNEST({})", arrays.join(", "));
                    args.extend(columns);
                }
            }
        }
        (safe(text), args)
    }
}

/// All texts are of this program; what comes from outside is bound.
fn safe(text: String) -> SqlStr {
    AssertSqlSafe(text).into_sql_str()
}

impl Kind {
    fn postgres(self) -> &'static str {
        match self {
            Kind::Int => "int8",
            Kind::Text => "text",
            Kind::Blob => "bytea",
        }
    }
}

/// What PostgreSQL is given for one placeholder.
#[derive(Debug)]
pub(super) enum Column {
    One(Arg),
    Ints(Vec<Option<i64>>),
    Texts(Vec<Option<String>>),
    Blobs(Vec<Option<Vec<u8>>>),
}

impl Column {
    fn empty(kind: Kind, rows: usize) -> Self {
        match kind {
            Kind::Int => Self::Ints(Vec::with_capacity(rows)),
            Kind::Text => Self::Texts(Vec::with_capacity(rows)),
            Kind::Blob => Self::Blobs(Vec::with_capacity(rows)),
        }
    }

    fn push(&mut self, value: Arg) {
        match (self, value) {
            (Self::Ints(all), Arg::Int(value)) => all.push(value),
            (Self::Texts(all), Arg::Text(value)) => all.push(value),
            (Self::Blobs(all), Arg::Blob(value)) => all.push(value),
            // A column of another kind than was said: nothing, which the
            // database refuses where something must be.
            (Self::Ints(all), _) => all.push(None),
            (Self::Texts(all), _) => all.push(None),
            (Self::Blobs(all), _) => all.push(None),
            (Self::One(_), _) => {}
        }
    }
}

pub(super) type SqliteQuery = Query<'static, Sqlite, SqliteArguments>;
pub(super) type PostgresQuery = Query<'static, Postgres, PgArguments>;

pub(super) fn sqlite_query(sql: Sql) -> SqliteQuery {
    let (text, args) = sql.for_sqlite();
    args.into_iter().fold(sqlx::query(text), |query, arg| match arg {
        Arg::Int(value) => query.bind(value),
        Arg::Text(value) => query.bind(value),
        Arg::Blob(value) => query.bind(value),
    })
}

pub(super) fn postgres_query(sql: Sql) -> PostgresQuery {
    let (text, args) = sql.for_postgres();
    args.into_iter().fold(sqlx::query(text), |query, arg| match arg {
        Column::One(Arg::Int(value)) => query.bind(value),
        Column::One(Arg::Text(value)) => query.bind(value),
        Column::One(Arg::Blob(value)) => query.bind(value),
        Column::Ints(values) => query.bind(values),
        Column::Texts(values) => query.bind(values),
        Column::Blobs(values) => query.bind(values),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_text_becomes_that_of_each_database() {
        let sql = || {
            Sql::new("SELECT * FROM t WHERE a = ? AND (b, c) IN (")
                .bind(7_i64)
                .rows(&[Kind::Text, Kind::Blob], vec!["x".into(), vec![1_u8].into(), "y".into(), vec![2_u8].into()])
                .then(") AND d < ?")
                .bind(Option::<&str>::None)
                .narrow("e =", Some("z"))
                .narrow("f =", Option::<&str>::None)
        };
        let (text, args) = sql().for_sqlite();
        assert_eq!(text.as_str(), "SELECT * FROM t WHERE a = ? AND (b, c) IN (VALUES (?,?),(?,?)) AND d < ? AND e = ?");
        assert_eq!(args.len(), 7);
        let (text, args) = sql().for_postgres();
        assert_eq!(
            text.as_str(),
            "SELECT * FROM t WHERE a = $1 AND (b, c) IN (SELECT * FROM UNNEST($2::text[], $3::bytea[])) AND d < $4 AND e = $5"
        );
        assert_eq!(args.len(), 5);
        assert!(matches!(&args[1], Column::Texts(all) if all.len() == 2), "{args:?}");
    }
}
