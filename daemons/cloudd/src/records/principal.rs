//! Principals and the hashes of their tokens. How a token is made and read: `auth`.

use medmon_api::token::{NewToken, Token};
use medmon_api::{Page, PageQuery, time};
use medmon_core::noun::{Action, Principal, Resource, Role};
use rusqlite::{Connection, Row, params};
use uuid::Uuid;

use super::{Tx, all, changed_one, key, maybe, maybe_uuid, one, text, unword, uuid, ward};
use crate::auth::Secret;
use crate::refusal::{Refusal, conflict};

const COLUMNS: &str = "id, site, ward, patient, gateway, name, role, created_us, expires_us, revoked_us";

/// A principal to make; its parts are checked against each other.
#[derive(Clone, Debug)]
pub struct NewPrincipal {
    /// As shown.
    pub name: String,
    /// Role.
    pub role: Role,
    /// Site.
    pub site: Uuid,
    /// Confined to this ward.
    pub ward: Option<Uuid>,
    /// The patient of a relative or a patient.
    pub patient: Option<Uuid>,
    /// Which gateway it is.
    pub gateway: Option<Uuid>,
    /// When it ends by itself, µs UTC.
    pub expires_us: Option<i64>,
}

impl NewPrincipal {
    /// What an API caller asks for, in the caller's site.
    pub fn of(new: &NewToken, site: Uuid) -> Self {
        Self {
            name: new.name.clone(),
            role: new.role,
            site,
            ward: new.ward,
            patient: new.patient,
            gateway: None,
            expires_us: new.expires_at.map(|at| at.as_microsecond()),
        }
    }
}

/// The principal behind a token's hash, if it is not revoked.
pub fn by_hash(db: &Connection, hash: &[u8; 32]) -> Result<Option<Principal>, Refusal> {
    let sql = format!("SELECT {COLUMNS} FROM principal WHERE token_hash = ?1 AND revoked_us IS NULL");
    maybe(db, &sql, [hash], |row| {
        Ok(Principal {
            id: uuid(row, "id")?,
            name: row.get("name")?,
            role: unword(row.get("role")?)?,
            site: uuid(row, "site")?,
            ward: maybe_uuid(row, "ward")?,
            patient: maybe_uuid(row, "patient")?,
            gateway: maybe_uuid(row, "gateway")?,
            expires_us: row.get("expires_us")?,
        })
    })
}

/// Makes a principal with a fresh token. The caller is not asked: handlers and the server's own command line do.
pub fn create(tx: &Tx<'_>, new: &NewPrincipal) -> Result<(Token, Secret), Refusal> {
    let name = text("name", &new.name, 1, 100)?;
    if let Some(asked) = new.ward {
        ward::get(tx.db, new.site, asked)?;
    }
    match (new.role, new.patient, new.gateway) {
        (Role::Relative | Role::Patient, Some(patient), None) => {
            let found = ward::resource_of(tx.db, patient)?;
            (found.site == new.site).then_some(()).ok_or_else(|| Refusal::not_found("patient", patient))?;
        }
        (Role::Relative | Role::Patient, None, _) => {
            return Err(Refusal::Invalid(format!("patient: a {} token is for one patient; name it", new.role)));
        }
        (Role::Gateway, None, Some(_)) => {}
        (Role::Gateway, ..) => {
            return Err(Refusal::Invalid("role = gateway: gateways enrol with a code; add one instead".into()));
        }
        (_, Some(_), _) => {
            return Err(Refusal::Invalid(format!(
                "patient: a {} token is not for one patient; leave it out",
                new.role
            )));
        }
        _ => {}
    }
    if new.expires_us.is_some_and(|end| end <= tx.now_us()) {
        return Err(Refusal::Invalid("expires_at: is over already; give a later time".into()));
    }
    let secret = Secret::generate()?;
    let id = tx.id();
    tx.db
        .execute(
            "INSERT INTO principal (id, site, ward, patient, gateway, name, role, token_hash, created_us, expires_us)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
            params![
                key(id),
                key(new.site),
                new.ward.map(key),
                new.patient.map(key),
                new.gateway.map(key),
                name,
                new.role.name(),
                secret.hash(),
                tx.now_us(),
                new.expires_us
            ],
        )
        .map_err(|error| conflict(error, |_| "this gateway has a token already; revoke it first".into()))?;
    tx.audit("token.create", id, new.patient)?;
    Ok((get(tx.db, id)?, secret))
}

/// One token.
pub fn get(db: &Connection, id: Uuid) -> Result<Token, Refusal> {
    one(db, &format!("SELECT {COLUMNS} FROM principal WHERE id = ?1"), [key(id)], token, "token", id)
}

/// Tokens of a site, newest first.
pub fn list(db: &Connection, site: Uuid, page: &PageQuery) -> Result<Page<Token>, Refusal> {
    let before = cursor(page)?.unwrap_or(Uuid::max());
    let sql = format!("SELECT {COLUMNS} FROM principal WHERE site = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3");
    let items = all(db, &sql, params![key(site), key(before), i64::from(page.limit()) + 1], token)?;
    Ok(paged(items, page, |token| token.id.to_string()))
}

/// Revokes a token: from now on it is unknown.
pub fn revoke(tx: &Tx<'_>, id: Uuid) -> Result<(), Refusal> {
    let token = get(tx.db, id)?;
    tx.caller.may(Action::ManageTokens, &Resource::of_site(token.site))?;
    if token.revoked_at.is_none() {
        let sql = "UPDATE principal SET revoked_us = ?2 WHERE id = ?1";
        changed_one(tx.db.execute(sql, params![key(id), tx.now_us()])?)?;
        tx.forget(id);
        tx.audit("token.revoke", id, token.patient)?;
    }
    Ok(())
}

/// Revokes whatever token a gateway has.
pub fn revoke_of_gateway(tx: &Tx<'_>, gateway: Uuid) -> Result<(), Refusal> {
    let sql = "UPDATE principal SET revoked_us = ?2 WHERE gateway = ?1 AND revoked_us IS NULL";
    tx.db.execute(sql, params![key(gateway), tx.now_us()])?;
    tx.forget(gateway);
    Ok(())
}

/// The id that a cursor is, in lists whose cursor is one.
pub fn cursor(page: &PageQuery) -> Result<Option<Uuid>, Refusal> {
    let parse = |text: &String| {
        text.parse().map_err(|_| Refusal::Invalid(format!("cursor = \"{text}\": send `next` of the page before")))
    };
    page.cursor.as_ref().map(parse).transpose()
}

/// A page of what was read with one item more than fits.
pub fn paged<T>(mut items: Vec<T>, page: &PageQuery, cursor: impl Fn(&T) -> String) -> Page<T> {
    let limit = page.limit() as usize;
    let more = items.len() > limit;
    items.truncate(limit);
    let next = if more { items.last().map(cursor) } else { None };
    Page { items, next }
}

fn token(row: &Row<'_>) -> rusqlite::Result<Token> {
    Ok(Token {
        id: uuid(row, "id")?,
        name: row.get("name")?,
        role: unword(row.get("role")?)?,
        site: uuid(row, "site")?,
        ward: maybe_uuid(row, "ward")?,
        patient: maybe_uuid(row, "patient")?,
        gateway: maybe_uuid(row, "gateway")?,
        created_at: time(row.get("created_us")?),
        expires_at: row.get::<_, Option<i64>>("expires_us")?.map(time),
        revoked_at: row.get::<_, Option<i64>>("revoked_us")?.map(time),
    })
}
