//! The API over a real port with the typed client: every resource, and who may not.

#![expect(clippy::unwrap_used, reason = "outside a #[test] function, but tests all the same")]

mod common;

use std::time::Duration;

use common::{MINUTE, SECOND, T0, World, new_patient};
use medmon_api::assignment::Devices;
use medmon_api::contact::{ContactPatch, ContactTest, NewContact};
use medmon_api::feeling::NewFeeling;
use medmon_api::gateway::{ContactNow, ContactQuery, DeviceHeard, Enrol, Heartbeat, NewGateway, Pair};
use medmon_api::limits::{InForce, LimitsPatch};
use medmon_api::patient::{PatientPatch, PatientQuery};
use medmon_api::report::NewReport;
use medmon_api::token::NewToken;
use medmon_api::vitals::{SeriesQuery, Trend};
use medmon_api::ward::NewWard;
use medmon_api::{ErrorKind, PageQuery};
use medmon_core::noun::{Binding, Device, Ieee, Language, Place, Role, Vital};
use uuid::Uuid;

fn kind<T: std::fmt::Debug>(result: Result<T, medmon_api::Error>) -> ErrorKind {
    result.unwrap_err().kind()
}

fn contact(name: &str, phone: &str) -> NewContact {
    NewContact {
        name: name.into(),
        phone: phone.into(),
        relation: "son".into(),
        language: Language::Fr,
        position: None,
    }
}

#[tokio::test]
async fn a_fresh_cloud_has_a_site_and_a_ward_and_says_who_asks() {
    let world = World::new().await;
    let me = world.nurse.whoami().await.unwrap();
    assert_eq!(
        (me.role, me.site_name.as_str(), me.ward_name.as_deref()),
        (Role::Nurse, "default", Some("Les Tilleuls"))
    );
    let names: Vec<_> = world.doctor.wards().await.unwrap().into_iter().map(|ward| ward.name).collect();
    assert_eq!(names, ["Les Tilleuls", "default"]);
    assert_eq!(world.nurse.wards().await.unwrap().len(), 1, "a nurse of a ward sees that one");
    assert_eq!(world.admin.sites().await.unwrap().len(), 1);
    let again = NewWard { name: "Les Tilleuls".into(), on_call_phone: None };
    assert_eq!(kind(world.admin.add_ward(&again).await), ErrorKind::Conflict);
    assert_eq!(kind(world.nurse.add_ward(&again).await), ErrorKind::Forbidden);
    world.nurse.with_token(None).unwrap().ready().await.unwrap();
    assert_eq!(kind(world.nurse.with_token(None).unwrap().whoami().await), ErrorKind::NotLoggedIn);
    assert_eq!(kind(world.nurse.with_token(Some("mm_no")).unwrap().whoami().await), ErrorKind::NotLoggedIn);
}

#[tokio::test]
async fn patients_are_opened_changed_archived_and_listed_by_who_may() {
    let world = World::new().await;
    let ids: Vec<_> = ["MOREL André", "DOE Jeanne", "PETIT Rose"].map(|name| new_patient(name, world.ward.id)).into();
    for new in &ids {
        world.doctor.add_patient(new).await.unwrap();
    }
    let (query, mut page) = (PatientQuery::default(), PageQuery { limit: Some(2), cursor: None });
    let first = world.nurse.patients(&query, &page).await.unwrap();
    assert_eq!(first.items.iter().map(|row| row.name.as_str()).collect::<Vec<_>>(), ["DOE Jeanne", "MOREL André"]);
    page = page.at(first.next);
    let second = world.nurse.patients(&query, &page).await.unwrap();
    assert_eq!((second.items[0].name.as_str(), second.next), ("PETIT Rose", None));

    let patch = PatientPatch { nickname: Some("Dédé".into()), archived: Some(true), ..PatientPatch::default() };
    let id = first.items[1].id;
    let edited = world.doctor.edit_patient(id, &patch).await.unwrap();
    assert!(edited.nickname == "Dédé" && edited.archived_at.is_some());
    assert_eq!(world.nurse.patients(&query, &PageQuery::default()).await.unwrap().items.len(), 2);
    assert_eq!(kind(world.nurse.edit_patient(id, &patch).await), ErrorKind::Forbidden);
    assert_eq!(kind(world.doctor.patient(Uuid::now_v7()).await), ErrorKind::NotFound);
    assert_eq!(kind(world.admin.patients(&query, &PageQuery::default()).await), ErrorKind::Forbidden);

    let elsewhere = world.client(Role::Nurse, Some("default"), None).await;
    assert_eq!(kind(elsewhere.patient(id).await), ErrorKind::Forbidden);
    assert!(elsewhere.patients(&query, &PageQuery::default()).await.unwrap().items.is_empty());
    let relative = world.client(Role::Relative, None, Some(id)).await;
    assert_eq!(relative.patient(id).await.unwrap().name, "MOREL André");
    assert_eq!(kind(relative.patient(first.items[0].id).await), ErrorKind::Forbidden);
    assert_eq!(kind(relative.latest(id).await), ErrorKind::Forbidden);

    for (patch, word) in [
        (PatientPatch { birth_year: Some(1066), ..PatientPatch::default() }, "birth_year = 1066"),
        (PatientPatch { time_zone: Some("Mars/Base".into()), ..PatientPatch::default() }, "Europe/Paris"),
        (PatientPatch { name: Some(" ".into()), ..PatientPatch::default() }, "name:"),
    ] {
        let error = world.doctor.edit_patient(id, &patch).await.unwrap_err();
        assert!(error.kind() == ErrorKind::Invalid && error.to_string().contains(word), "{error}");
    }
}

#[tokio::test]
async fn a_binding_is_one_per_gateway_and_patient_and_confirmed_by_the_gateway() {
    let world = World::new().await;
    let (one, two) = (world.patient("DOE Jeanne").await, world.patient("MOREL André").await);
    let (left, right) = (world.gateway("gw-1").await, world.gateway("gw-2").await);
    assert_eq!(left.client.settings(None, 0).await.unwrap().unwrap().epoch, 0);
    let bound = world.doctor.bind(one.id, left.id).await.unwrap();
    assert_eq!(bound.binding, Binding::Pending);
    assert_eq!(kind(world.doctor.bind(one.id, right.id).await), ErrorKind::Conflict);
    assert_eq!(kind(world.doctor.bind(two.id, left.id).await), ErrorKind::Conflict);
    assert_eq!(kind(world.nurse.bind(two.id, right.id).await), ErrorKind::Forbidden);
    assert_eq!(kind(world.admin.revoke_gateway(left.id).await), ErrorKind::Conflict);
    let archive = PatientPatch { archived: Some(true), ..PatientPatch::default() };
    assert_eq!(kind(world.doctor.edit_patient(one.id, &archive).await), ErrorKind::Conflict);

    right.beat().await;
    assert!(matches!(world.doctor.limits(one.id).await.unwrap().state, InForce::Pending { .. }));
    left.beat().await;
    let open = world.doctor.patient(one.id).await.unwrap().assignment.unwrap();
    assert_eq!((open.binding, open.epoch), (Binding::Confirmed, bound.epoch));
    assert_eq!(world.doctor.limits(one.id).await.unwrap().state, InForce::InForce);
    assert_eq!(world.admin.gateway(left.id).await.unwrap().settings, InForce::InForce);

    world.doctor.unbind(one.id).await.unwrap();
    assert_eq!(kind(world.doctor.unbind(one.id).await), ErrorKind::NotFound);
    let next = world.doctor.bind(two.id, left.id).await.unwrap();
    assert!(next.epoch > bound.epoch);
    let history = world.doctor.assignments(one.id).await.unwrap();
    assert_eq!(history.iter().map(|row| row.binding).collect::<Vec<_>>(), [Binding::Ended]);
}

#[tokio::test]
async fn settings_carry_the_record_and_their_number_grows_with_it() {
    let world = World::new().await;
    let (patient, home) = world.home("DOE Jeanne").await;
    let before = home.client.settings(None, 0).await.unwrap().unwrap();
    assert_eq!(home.client.settings(Some(before.version), 0).await.unwrap(), None);

    world.doctor.add_contact(patient.id, &contact("Paul", "+33 6 12 34 56 78")).await.unwrap();
    let first = NewContact { position: Some(1), ..contact("Anna", "+33612345679") };
    let anna = world.nurse.add_contact(patient.id, &first).await.unwrap();
    let patch = LimitsPatch::from([("heart_rate.high_urgent".into(), Some(140.0))]);
    let limits = world.doctor.set_limits(patient.id, &patch, Some(0)).await.unwrap();
    assert_eq!(limits.version, 1);
    let device = Device {
        ieee: Ieee(0x0012_4b00_2a5c_0d01),
        label: "wrist band".into(),
        vitals: vec![Vital::HEART_RATE],
        place: Some(Place::Wrist),
    };
    let devices =
        Devices { devices: vec![device.clone()], cadences: [(Vital::TEMPERATURE, 5)].into(), ..Devices::default() };
    assert_eq!(world.doctor.set_devices(patient.id, &devices).await.unwrap(), devices);

    let after = home.client.settings(Some(before.version), 0).await.unwrap().unwrap();
    assert_eq!(after.version, before.version + 4);
    let names: Vec<_> = after.contacts.iter().map(|contact| (contact.name.as_str(), contact.phone.as_str())).collect();
    assert_eq!(names, [("Anna", "+33612345679"), ("Paul", "+33612345678")]);
    assert_eq!(after.limits.by_key("heart_rate.high_urgent"), Some(140.0));
    assert_eq!((after.nickname.as_str(), after.birth_year, after.language), ("Jeanne", Some(1941), Language::Fr));
    assert_eq!((after.on_call_phone.as_deref(), after.time_zone.as_str()), (Some("+33123456789"), "Europe/Paris"));
    assert_eq!((after.cadence_s(Vital::TEMPERATURE), after.devices), (5, vec![device]));

    let moved = ContactPatch { position: Some(2), ..ContactPatch::default() };
    assert_eq!(world.doctor.edit_contact(patient.id, anna.id, &moved).await.unwrap().position, 2);
    world.doctor.remove_contact(patient.id, anna.id).await.unwrap();
    let left = world.nurse.contacts(patient.id).await.unwrap();
    assert_eq!(left.iter().map(|row| (row.name.as_str(), row.position)).collect::<Vec<_>>(), [("Paul", 1)]);
    let twice = world.doctor.add_contact(patient.id, &contact("Paul 2", "+33612345678")).await;
    assert_eq!(kind(twice), ErrorKind::Conflict);
    let local = world.doctor.add_contact(patient.id, &contact("Luc", "06 12")).await.unwrap_err();
    assert!(local.to_string().contains("international") && !local.to_string().contains("06 12"), "{local}");
    // The same sensor cannot be in two homes.
    let other = world.patient("MOREL André").await;
    assert_eq!(kind(world.doctor.set_devices(other.id, &devices).await), ErrorKind::Conflict);
}

#[tokio::test]
async fn a_waiting_gateway_is_told_at_once() {
    let world = World::new().await;
    let (patient, home) = world.home("DOE Jeanne").await;
    let version = home.client.settings(None, 0).await.unwrap().unwrap().version;
    let waiting = tokio::spawn({
        let client = home.client.clone();
        async move { client.settings(Some(version), 60).await }
    });
    let patch = LimitsPatch::from([("heart_rate.low".into(), Some(45.0))]);
    world.doctor.set_limits(patient.id, &patch, None).await.unwrap();
    let settings = waiting.await.unwrap().unwrap().unwrap();
    assert_eq!(settings.limits.by_key("heart_rate.low"), Some(45.0));
}

#[tokio::test]
async fn limits_change_together_or_not_and_an_old_version_is_refused() {
    let world = World::new().await;
    let patient = world.patient("DOE Jeanne").await;
    let set = |pairs: &[(&str, Option<f64>)]| -> LimitsPatch {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), *value)).collect()
    };
    let both = set(&[("heart_rate.high", Some(120.0)), ("heart_rate.high_urgent", Some(140.0))]);
    let limits = world.doctor.set_limits(patient.id, &both, None).await.unwrap();
    assert_eq!(limits.changed_by.as_deref(), Some("A. doctor"));
    assert_eq!(limits.limits.iter().filter(|row| row.set).count(), 2);
    let stale = world.doctor.set_limits(patient.id, &both, Some(0)).await.unwrap_err();
    assert_eq!((stale.kind(), stale.problem().unwrap().status), (ErrorKind::Conflict, 412));
    for (patch, word) in [
        (set(&[("heart_rate.high_urgent", Some(119.0))]), "must stay below"),
        (set(&[("heart_rate.hihg", Some(119.0))]), "heart_rate.hihg"),
        (set(&[("glucose.low", Some(1.0))]), "outside"),
    ] {
        let error = world.doctor.set_limits(patient.id, &patch, None).await.unwrap_err();
        assert!(error.kind() == ErrorKind::Invalid && error.to_string().contains(word), "{error}");
    }
    assert_eq!(kind(world.nurse.set_limits(patient.id, &both, None).await), ErrorKind::Forbidden);
    let back = world.doctor.set_limits(patient.id, &set(&[("heart_rate.high", None)]), Some(1)).await.unwrap();
    assert_eq!(back.limits.iter().filter(|row| row.set).count(), 1);
}

#[tokio::test]
async fn reports_and_feelings_are_written_read_and_paged() {
    let world = World::new().await;
    let patient = world.patient("DOE Jeanne").await;
    let report = |text: &str| NewReport { kind: "visit".into(), text: text.into() };
    for text in ["one", "two", "three"] {
        world.nurse.add_report(patient.id, &report(text)).await.unwrap();
    }
    let page = PageQuery { limit: Some(2), cursor: None };
    let newest = world.doctor.reports(patient.id, &page).await.unwrap();
    assert_eq!(newest.items.iter().map(|row| row.text.as_str()).collect::<Vec<_>>(), ["three", "two"]);
    let oldest = world.doctor.reports(patient.id, &page.at(newest.next)).await.unwrap();
    assert_eq!((oldest.items[0].author.as_str(), oldest.next), ("A. nurse", None));
    assert_eq!(world.doctor.report(patient.id, newest.items[0].id).await.unwrap(), newest.items[0]);
    let long = world.nurse.add_report(patient.id, &report(&"x".repeat((64 << 10) + 1))).await;
    assert_eq!(kind(long), ErrorKind::Invalid);
    world.nurse.add_report(patient.id, &report(&"\u{1}é".replace('\u{1}', "\"").repeat(20_000))).await.unwrap();

    let own = world.client(Role::Patient, None, Some(patient.id)).await;
    let feeling = NewFeeling { mood: 3, pain: Some(2), text: "slept badly".into() };
    own.add_feeling(patient.id, &feeling).await.unwrap();
    assert_eq!(world.nurse.feelings(patient.id, &PageQuery::default()).await.unwrap().items[0].text, "slept badly");
    for bad in [NewFeeling { mood: 0, ..feeling.clone() }, NewFeeling { pain: Some(11), ..feeling.clone() }] {
        assert_eq!(kind(own.add_feeling(patient.id, &bad).await), ErrorKind::Invalid);
    }
    assert_eq!(kind(own.reports(patient.id, &PageQuery::default()).await), ErrorKind::Forbidden);
    assert_eq!(kind(own.add_report(patient.id, &report("x")).await), ErrorKind::Forbidden);
    let relative = world.client(Role::Relative, None, Some(patient.id)).await;
    assert_eq!(kind(relative.feelings(patient.id, &PageQuery::default()).await), ErrorKind::Forbidden);
}

#[tokio::test]
async fn the_same_key_has_one_effect_and_another_request_under_it_is_refused() {
    let world = World::new().await;
    let patient = world.patient("DOE Jeanne").await;
    let keyed = world.nurse.keyed(Uuid::now_v7());
    let new = NewReport { kind: "note".into(), text: "dizzy".into() };
    let first = keyed.add_report(patient.id, &new).await.unwrap();
    assert_eq!(keyed.add_report(patient.id, &new).await.unwrap(), first);
    let other = keyed.add_report(patient.id, &NewReport { text: "fell".into(), ..new }).await.unwrap_err();
    assert_eq!((other.kind(), other.problem().unwrap().slug()), (ErrorKind::Conflict, "idempotency-key-reused"));
    assert_eq!(world.nurse.reports(patient.id, &PageQuery::default()).await.unwrap().items.len(), 1);
    // A refused request used no key up, and a secret is not kept to be shown again.
    let admin = world.admin.keyed(Uuid::now_v7());
    let token = NewToken { name: "B. Blanc".into(), role: Role::Doctor, ward: None, patient: None, expires_at: None };
    assert_eq!(kind(admin.create_token(&NewToken { name: String::new(), ..token.clone() }).await), ErrorKind::Invalid);
    admin.create_token(&token).await.unwrap();
    assert_eq!(kind(admin.create_token(&token).await), ErrorKind::Conflict);
}

#[tokio::test]
async fn tokens_are_made_listed_revoked_and_expire() {
    let world = World::new().await;
    let patient = world.patient("DOE Jeanne").await;
    let new = |role, patient| NewToken { name: "P. Doe".into(), role, ward: None, patient, expires_at: None };
    let made = world.admin.create_token(&new(Role::Relative, Some(patient.id))).await.unwrap();
    let relative = world.admin.with_token(Some(&made.token)).unwrap();
    assert_eq!(relative.whoami().await.unwrap().patient, Some(patient.id));
    world.admin.revoke_token(made.about.id).await.unwrap();
    assert_eq!(kind(relative.whoami().await), ErrorKind::NotLoggedIn);
    let listed = world.admin.tokens(&PageQuery::default()).await.unwrap().items;
    assert!(listed.iter().any(|row| row.id == made.about.id && row.revoked_at.is_some()));
    for wrong in [new(Role::Relative, None), new(Role::Gateway, None), new(Role::Nurse, Some(patient.id))] {
        assert_eq!(kind(world.admin.create_token(&wrong).await), ErrorKind::Invalid);
    }
    assert_eq!(kind(world.doctor.tokens(&PageQuery::default()).await), ErrorKind::Forbidden);

    let soon = Some(medmon_api::time(T0 + 60 * MINUTE));
    let made = world.admin.create_token(&NewToken { expires_at: soon, ..new(Role::Nurse, None) }).await.unwrap();
    let nurse = world.admin.with_token(Some(&made.token)).unwrap();
    assert_eq!(nurse.whoami().await.unwrap().expires_at, soon);
    world.clock.shift_utc(61 * MINUTE);
    assert_eq!(kind(nurse.whoami().await), ErrorKind::NotLoggedIn);
}

#[tokio::test]
async fn a_gateway_enrols_with_a_code_once_and_is_revoked() {
    let world = World::new().await;
    let added = world.admin.add_gateway(&NewGateway { name: "gw-1".into() }).await.unwrap();
    assert_eq!(kind(world.admin.add_gateway(&NewGateway { name: "gw-1".into() }).await), ErrorKind::Conflict);
    assert_eq!(kind(world.nurse.add_gateway(&NewGateway { name: "gw-2".into() }).await), ErrorKind::Forbidden);
    let nobody = world.admin.with_token(None).unwrap();
    let enrol = Enrol { code: added.code.to_lowercase(), install: Uuid::now_v7() };
    let first = nobody.enrol(&enrol).await.unwrap();
    let other = Enrol { install: Uuid::now_v7(), ..enrol.clone() };
    assert_eq!(kind(nobody.enrol(&other).await), ErrorKind::NotLoggedIn, "the code is used");
    let second = nobody.enrol(&enrol).await.unwrap();
    assert_eq!(first.gateway, second.gateway);
    let (lost, kept) =
        (nobody.with_token(Some(&first.token)).unwrap(), nobody.with_token(Some(&second.token)).unwrap());
    assert_eq!(kind(lost.settings(None, 0).await), ErrorKind::NotLoggedIn);
    assert!(kept.settings(None, 0).await.is_ok());
    assert_eq!(kind(kept.patients(&PatientQuery::default(), &PageQuery::default()).await), ErrorKind::Forbidden);
    assert_eq!(kind(kept.events(None).await.map(drop)), ErrorKind::Forbidden);
    assert_eq!(kind(world.doctor.settings(None, 0).await), ErrorKind::Forbidden);

    let maintainer = world.client(Role::Maintainer, None, None).await;
    let replaced = maintainer.gateway_code(first.gateway).await.unwrap();
    nobody.enrol(&Enrol { code: replaced.code, ..other }).await.unwrap();
    assert_eq!(kind(kept.settings(None, 0).await), ErrorKind::NotLoggedIn, "the box before is out");
    maintainer.revoke_gateway(first.gateway).await.unwrap();
    assert!(maintainer.gateways().await.unwrap()[0].revoked_at.is_some());

    let late = world.admin.add_gateway(&NewGateway { name: "gw-3".into() }).await.unwrap();
    world.clock.shift_utc(25 * 60 * MINUTE);
    let enrol = Enrol { code: late.code, install: Uuid::now_v7() };
    assert_eq!(kind(nobody.enrol(&enrol).await), ErrorKind::NotLoggedIn, "a code is good for a day");
}

#[tokio::test]
async fn vitals_come_in_steps_with_their_holes_and_the_newest_with_age_and_arrow() {
    let world = World::new().await;
    let (patient, home) = world.home("DOE Jeanne").await;
    world.clock.shift_utc(30 * MINUTE);
    home.send(&[home.envelope(1, 0, &[60, 62, 64]), home.envelope(2, 20, &[70, 74, 78, 82, 86, 90, 94])]).await;
    let query = SeriesQuery { since: Some(medmon_api::time(T0)), until: None, step_s: Some(600) };
    let series = world.nurse.vitals(patient.id, Vital::HEART_RATE, &query).await.unwrap();
    assert_eq!(series.points.iter().map(|point| point.count).collect::<Vec<_>>(), [3, 7]);
    assert_eq!((series.points[0].mean, series.unit.as_str()), (62.0, "bpm"));
    assert_eq!(series.gaps.len(), 2, "{:?}", series.gaps);
    assert!((series.coverage - 10.0 / 30.0).abs() < 0.01, "{}", series.coverage);
    let latest = world.nurse.latest(patient.id).await.unwrap();
    assert_eq!((latest[0].value, latest[0].trend, latest[0].stale), (94.0, Some(Trend::Rising), true));
    assert!((210..=215).contains(&latest[0].age_s), "{}", latest[0].age_s);
    let fine = SeriesQuery { since: Some(medmon_api::time(T0 - 200 * 1440 * MINUTE)), until: None, step_s: Some(1) };
    assert_eq!(kind(world.nurse.vitals(patient.id, Vital::GLUCOSE, &fine).await), ErrorKind::Invalid);
    let maintainer = world.client(Role::Maintainer, None, None).await;
    assert_eq!(kind(maintainer.latest(patient.id).await), ErrorKind::Forbidden);
    assert_eq!(kind(maintainer.board(None).await), ErrorKind::Forbidden);
}

#[tokio::test]
async fn a_sensor_has_a_history_and_who_hears_it_is_known() {
    let world = World::new().await;
    let (first, home) = world.home("DOE Jeanne").await;
    let (second, neighbour) = world.home("ROE Paul").await;
    let ieee: Ieee = "00124b002a5c0d01".parse().unwrap();
    let listed = Device { ieee, label: "strap".into(), vitals: vec![Vital::HEART_RATE], place: None };
    let give = async |patient, devices: Vec<Device>| {
        world.doctor.set_devices(patient, &Devices { devices, ..Devices::default() }).await
    };
    give(first.id, vec![listed.clone()]).await.unwrap();
    assert!(give(second.id, vec![listed.clone()]).await.is_err(), "it is the first one's");
    give(first.id, vec![]).await.unwrap();
    give(second.id, vec![listed]).await.unwrap();
    for (home, listed) in [(&home, false), (&neighbour, true)] {
        let heard = DeviceHeard { ieee, heard_s_ago: Some(3), link_quality: Some(90), battery_percent: None, listed };
        let beat = Heartbeat { epoch: home.epoch, devices: vec![heard], ..Heartbeat::default() };
        home.client.heartbeat(&beat).await.unwrap();
    }
    let own = [(ieee, [(Vital::HEART_RATE, 600)].into())].into();
    let devices = world.doctor.devices(second.id).await.unwrap();
    world.doctor.set_devices(second.id, &Devices { cadences_of: own, ..devices }).await.unwrap();
    let settings = neighbour.client.settings(None, 0).await.unwrap().unwrap();
    assert_eq!(settings.silence_of(ieee, Vital::HEART_RATE), 1500, "this sensor speaks every ten minutes");
    let history = world.doctor.device_history(ieee).await.unwrap();
    let given: Vec<_> = history.given.iter().map(|row| (row.patient, row.to.is_none())).collect();
    assert_eq!(given, [(second.id, true), (first.id, false)]);
    assert_eq!(history.given[0].by, "A. doctor");
    let mut heard: Vec<_> = history.heard.iter().map(|row| (row.name.as_str(), row.listed)).collect();
    heard.sort_unstable();
    assert_eq!(heard, [("gw of DOE Jeanne", false), ("gw of ROE Paul", true)]);
    assert!(world.admin.device_history(ieee).await.unwrap().given.is_empty(), "an admin sees no patients");
    let relative = world.client(Role::Relative, None, Some(first.id)).await;
    assert_eq!(kind(relative.device_history(ieee).await), ErrorKind::Forbidden);
}

#[tokio::test]
async fn a_window_for_sensors_is_open_for_minutes_and_travels_with_the_settings() {
    let world = World::new().await;
    let (_, home) = world.home("DOE Jeanne").await;
    let before = home.client.settings(None, 0).await.unwrap().unwrap();
    assert_eq!(before.pair_until_us, None);
    for for_s in [0, 901] {
        let refused = world.doctor.pair(home.id, &Pair { for_s }).await;
        assert_eq!(kind(refused), ErrorKind::Invalid, "{for_s}");
    }
    assert_eq!(kind(world.nurse.pair(home.id, &Pair { for_s: 60 }).await), ErrorKind::Forbidden);
    world.doctor.pair(home.id, &Pair { for_s: 60 }).await.unwrap();
    let settings = home.client.settings(Some(before.version), 0).await.unwrap().unwrap();
    let open_us = settings.pair_until_us.unwrap() - world.clock.utc_us();
    assert!((1..=60 * SECOND).contains(&open_us), "{open_us}");
}

#[tokio::test]
async fn a_patients_own_phone_is_for_whoever_sees_contacts_and_travels_with_the_settings() {
    let world = World::new().await;
    let (patient, home) = world.home("DOE Jeanne").await;
    let phone = |phone: &str| PatientPatch { phone: Some(phone.into()), ..PatientPatch::default() };
    let before = home.client.settings(None, 0).await.unwrap().unwrap();
    assert_eq!((before.patient_phone, patient.phone), (None, None));
    let edited = world.doctor.edit_patient(patient.id, &phone("+33 6 12 34 56 70")).await.unwrap();
    assert_eq!(edited.phone.as_deref(), Some("+33612345670"));
    let settings = home.client.settings(Some(before.version), 0).await.unwrap().unwrap();
    assert_eq!(settings.patient_phone.as_deref(), Some("+33612345670"));
    let relative = world.client(Role::Relative, None, Some(patient.id)).await;
    assert_eq!(relative.patient(patient.id).await.unwrap().phone, None);
    let page = PageQuery::default();
    assert_eq!(relative.patients(&PatientQuery::default(), &page).await.unwrap().items[0].phone, None);
    assert!(world.nurse.patients(&PatientQuery::default(), &page).await.unwrap().items[0].phone.is_some());
    assert_eq!(kind(world.doctor.edit_patient(patient.id, &phone("0612")).await), ErrorKind::Invalid);
    let kept = PatientPatch { nickname: Some("Jeannette".into()), ..PatientPatch::default() };
    assert!(world.doctor.edit_patient(patient.id, &kept).await.unwrap().phone.is_some());
    assert_eq!(world.doctor.edit_patient(patient.id, &phone("")).await.unwrap().phone, None);
    let new = medmon_api::patient::NewPatient {
        phone: Some("+33612345671".into()),
        ..new_patient("MOREL André", world.ward.id)
    };
    assert_eq!(world.doctor.add_patient(&new).await.unwrap().phone, new.phone);
}

#[tokio::test]
async fn an_exercise_is_asked_for_once_by_whoever_may_and_only_of_a_bound_gateway() {
    let world = World::new().await;
    let (patient, home) = world.home("DOE Jeanne").await;
    let paul = world.doctor.add_contact(patient.id, &contact("Paul", "+33612345678")).await.unwrap();
    let anna = world.doctor.add_contact(patient.id, &contact("Anna", "+33612345679")).await.unwrap();
    let before = home.client.settings(None, 0).await.unwrap().unwrap();
    let test = ContactTest::default();
    for (name, who, expected) in [
        ("relative", world.client(Role::Relative, None, Some(patient.id)).await, ErrorKind::Forbidden),
        ("patient", world.client(Role::Patient, None, Some(patient.id)).await, ErrorKind::Forbidden),
        ("admin", world.admin.clone(), ErrorKind::Forbidden),
        ("maintainer", world.client(Role::Maintainer, None, None).await, ErrorKind::Forbidden),
        ("gateway", home.client.clone(), ErrorKind::Forbidden),
        ("nurse of another ward", world.client(Role::Nurse, Some("default"), None).await, ErrorKind::Forbidden),
        ("nobody", world.nurse.with_token(None).unwrap(), ErrorKind::NotLoggedIn),
    ] {
        assert_eq!(kind(who.test_contact(patient.id, paul.id, &test).await), expected, "{name}");
    }
    assert_eq!(kind(elsewhere(&world).await.test_contact(patient.id, paul.id, &test).await), ErrorKind::Forbidden);
    for for_s in [0, 59, 3601] {
        let refused = world.nurse.test_contact(patient.id, paul.id, &ContactTest { for_s: Some(for_s) }).await;
        assert_eq!(kind(refused), ErrorKind::Invalid, "{for_s}");
    }
    assert_eq!(kind(world.nurse.test_contact(patient.id, Uuid::now_v7(), &test).await), ErrorKind::NotFound);
    assert_eq!(home.client.settings(Some(before.version), 0).await.unwrap(), None, "refused, it changed nothing");

    let key = world.nurse.keyed(Uuid::now_v7());
    let drill = key.test_contact(patient.id, paul.id, &test).await.unwrap();
    assert_eq!(key.test_contact(patient.id, paul.id, &test).await.unwrap(), drill);
    assert_eq!((drill.contact, drill.gateway), (Some(paul.id), home.id));
    assert_eq!(drill.until.as_microsecond() - drill.asked_at.as_microsecond(), 600 * SECOND);
    let again = world.doctor.test_contact(patient.id, paul.id, &test).await.unwrap_err();
    assert!(again.kind() == ErrorKind::Conflict && again.to_string().contains("under way"), "{again}");
    world.doctor.test_contact(patient.id, anna.id, &test).await.unwrap();
    let settings = home.client.settings(Some(before.version), 0).await.unwrap().unwrap();
    let asked: Vec<_> = settings.drills.iter().map(|drill| drill.contact).collect();
    assert_eq!((asked, settings.drills[0].id), (vec![Some(paul.id), Some(anna.id)], drill.id));
    world.clock.shift_utc(11 * MINUTE);
    assert!(home.client.settings(None, 0).await.unwrap().unwrap().drills.is_empty(), "too old to begin");
    world.doctor.test_contact(patient.id, paul.id, &test).await.unwrap();

    let unbound = world.patient("MOREL André").await;
    let rose = world.doctor.add_contact(unbound.id, &contact("Rose", "+33612345680")).await.unwrap();
    let refused = world.nurse.test_contact(unbound.id, rose.id, &test).await.unwrap_err();
    assert!(refused.kind() == ErrorKind::Conflict && refused.to_string().contains("no gateway"), "{refused}");
}

/// A doctor of another site.
async fn elsewhere(world: &World) -> medmon_api::Client {
    let site = world.admin.add_site(&medmon_api::ward::NewSite { name: "elsewhere".into() }).await.unwrap();
    let made = world.running.cloud.create_token(Role::Doctor, "A. Loin", Some(&site.name), None, None).await.unwrap();
    medmon_api::Client::new(&world.running.url(), Some(&made.token)).unwrap()
}

#[tokio::test]
async fn a_gateway_is_told_whom_it_is_about_to_text_as_they_are_now() {
    let world = World::new().await;
    let (patient, home) = world.home("DOE Jeanne").await;
    let paul = world.doctor.add_contact(patient.id, &contact("Paul", "+33612345678")).await.unwrap();
    let anna = world.doctor.add_contact(patient.id, &contact("Anna", "+33612345679")).await.unwrap();
    let ask = async |home: &common::Home, contact| {
        let query = ContactQuery { epoch: home.epoch, contact };
        home.client.contact_now(&query, Duration::from_secs(2)).await.unwrap()
    };
    let now = ask(&home, Some(anna.id)).await;
    assert_eq!((now.epoch, now.contact.map(|contact| contact.phone)), (home.epoch, Some(anna.phone)));
    let moved = ContactPatch { phone: Some("+33612345600".into()), ..ContactPatch::default() };
    world.nurse.edit_contact(patient.id, anna.id, &moved).await.unwrap();
    assert_eq!(ask(&home, Some(anna.id)).await.contact.unwrap().phone, "+33612345600");
    for gone in [None, Some(Uuid::now_v7())] {
        assert_eq!(ask(&home, gone).await.contact.unwrap().id, paul.id, "the first one in place of one that is gone");
    }
    // Another home's contact is none of this one's.
    let (other, away) = world.home("MOREL André").await;
    let rose = world.doctor.add_contact(other.id, &contact("Rose", "+33612345680")).await.unwrap();
    assert_eq!(ask(&home, Some(rose.id)).await.contact.unwrap().id, paul.id);
    world.doctor.remove_contact(other.id, rose.id).await.unwrap();
    assert_eq!(ask(&away, None).await.contact, None);
    world.doctor.unbind(patient.id).await.unwrap();
    assert_eq!(ask(&home, Some(anna.id)).await, ContactNow::default());
    let next = world.doctor.bind(patient.id, home.id).await.unwrap();
    assert!(ask(&home, Some(anna.id)).await.epoch == next.epoch && next.epoch > home.epoch);
    for nobody in [&world.nurse, &world.doctor, &world.admin] {
        let asked = nobody.contact_now(&ContactQuery::default(), Duration::from_secs(2)).await;
        assert_eq!(kind(asked), ErrorKind::Forbidden);
    }
}
