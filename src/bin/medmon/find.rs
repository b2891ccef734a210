//! Finds what somebody named: an id, a unique prefix of one, or a unique beginning of a name.

use std::future::Future;

use medmon_api::alert::AlertQuery;
use medmon_api::gateway::Gateway;
use medmon_api::patient::{Patient, PatientQuery};
use medmon_api::ward::Ward;
use medmon_api::{Client, Error, Page, PageQuery};
use uuid::Uuid;

use crate::fail::{Exit, fail};

/// All items of a list that comes in pages.
pub async fn all<T, F, R>(fetch: F) -> Result<Vec<T>, Error>
where
    F: Fn(PageQuery) -> R,
    R: Future<Output = Result<Page<T>, Error>>,
{
    let first = PageQuery { limit: Some(medmon_api::page::MAX_LIMIT), cursor: None };
    let (mut items, mut next) = (Vec::new(), Some(first.clone()));
    while let Some(query) = next {
        let page = fetch(query).await?;
        items.extend(page.items);
        next = page.next.map(|cursor| first.at(Some(cursor)));
    }
    Ok(items)
}

/// The one of `items` that `typed` names. `label` gives its id and how people call it.
pub fn pick<'a, T>(
    what: &str,
    typed: &str,
    items: &'a [T],
    label: impl Fn(&T) -> (Uuid, String),
) -> anyhow::Result<&'a T> {
    let wanted = typed.trim().to_lowercase();
    let labelled: Vec<_> = items.iter().map(|item| (item, label(item))).collect();
    let exact = |(_, (id, name)): &&(&T, (Uuid, String))| id.to_string() == wanted || name.to_lowercase() == wanted;
    let starts = |(_, (id, name)): &&(&T, (Uuid, String))| {
        id.to_string().starts_with(&wanted) || name.to_lowercase().starts_with(&wanted)
    };
    if wanted.is_empty() {
        return Err(fail(Exit::Usage, format!("an empty text names no {what}; write an id or the beginning of one")));
    }
    let mut found: Vec<_> = labelled.iter().filter(exact).collect();
    if found.is_empty() {
        found = labelled.iter().filter(starts).collect();
    }
    match found[..] {
        [] => Err(fail(Exit::NotFound, format!("no {what} `{typed}`; `medmon {what} list` shows those you may see"))),
        [(item, _)] => Ok(item),
        _ => {
            let lines: Vec<_> = found.iter().map(|(_, (id, name))| format!("  {id}  {name}")).collect();
            let many = format!(
                "`{typed}` may mean {} of them; write more of the name or the id:\n{}",
                found.len(),
                lines.join("\n")
            );
            Err(fail(Exit::Usage, many))
        }
    }
}

/// The patient that `typed` names: id, prefix, or beginning of the name.
pub async fn patient(client: &Client, typed: &str) -> anyhow::Result<Patient> {
    if let Ok(id) = typed.parse() {
        return Ok(client.patient(id).await?);
    }
    let query = PatientQuery { archived: Some(true), ..PatientQuery::default() };
    let patients = patients(client, &query).await?;
    // Namesakes are told apart by their birth year, here as on every question about a person.
    let label = |patient: &Patient| (patient.id, format!("{} {}", patient.name, patient.birth_year));
    pick("patient", typed, &patients, label).cloned()
}

/// The patient that `typed` names; without it the caller's own record.
pub async fn patient_or_own(client: &Client, typed: Option<&str>) -> anyhow::Result<Patient> {
    if let Some(typed) = typed {
        return patient(client, typed).await;
    }
    let own = client.whoami().await?.patient;
    let id = own.ok_or_else(|| fail(Exit::Usage, "whose? you have no record of your own here: pass --patient P"))?;
    Ok(client.patient(id).await?)
}

/// Patients, all pages.
pub async fn patients(client: &Client, query: &PatientQuery) -> Result<Vec<Patient>, Error> {
    all(|page| async move { client.patients(query, &page).await }).await
}

/// The alert that `typed` names.
pub async fn alert(client: &Client, typed: &str) -> anyhow::Result<Uuid> {
    if let Ok(id) = typed.parse() {
        return Ok(id);
    }
    let query = AlertQuery::default();
    let query = &query;
    let alerts = all(|page| async move { client.alerts(query, &page).await }).await?;
    // An alert has no name of its own: only its id counts.
    pick("alert", typed, &alerts, |alert| (alert.id, String::new())).map(|alert| alert.id)
}

/// The gateway that `typed` names.
pub async fn gateway(client: &Client, typed: &str) -> anyhow::Result<Gateway> {
    let gateways = client.gateways().await?;
    pick("gateway", typed, &gateways, |gateway| (gateway.id, gateway.name.clone())).cloned()
}

/// The ward that `typed` names.
pub async fn ward(client: &Client, typed: &str) -> anyhow::Result<Ward> {
    let wards = client.wards().await?;
    pick("ward", typed, &wards, |ward| (ward.id, ward.name.clone())).cloned()
}

/// The id of the ward that `typed` names, if anything is typed.
pub async fn ward_id(client: &Client, typed: Option<&str>) -> anyhow::Result<Option<Uuid>> {
    match typed {
        Some(typed) => Ok(Some(ward(client, typed).await?.id)),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fail::exit_code;

    #[test]
    fn a_prefix_is_enough_when_it_is_unique() {
        let people = [
            (Uuid::from_u128(0x0199_aaaa << 96), "DOE Jeanne"),
            (Uuid::from_u128(0x0199_bbbb << 96), "DOE John"),
            (Uuid::from_u128(0x0199_cccc << 96), "MOREL André"),
            (Uuid::from_u128(0x01ff_cccc << 96), "MO"),
        ];
        let pick = |typed| pick("patient", typed, &people, |(id, name)| (*id, (*name).to_owned()));
        for (typed, name) in [("0199b", "DOE John"), ("morel", "MOREL André"), ("doe jea", "DOE Jeanne"), ("mo", "MO")]
        {
            assert_eq!(pick(typed).unwrap().1, name, "{typed}");
        }
        for (typed, code, says) in
            [("0199", 2, "DOE John"), ("DOE", 2, "2 of them"), ("x", 3, "list"), (" ", 2, "empty")]
        {
            let error = pick(typed).unwrap_err();
            assert_eq!(exit_code(&error), code, "{typed}");
            assert!(error.to_string().contains(says), "{error}");
        }
    }
}
