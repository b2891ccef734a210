//! A made-up ward for tests: typed, and the same every time.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use medmon_api::alert::{Acknowledgement, Alert, AlertDetail, AlertSegment, Notice, RawSeries};
use medmon_api::board::{Board, BoardGateway, BoardRow, Counts, Section};
use medmon_api::feeling::Feeling;
use medmon_api::limits::{InForce, LimitValue};
use medmon_api::report::Report;
use medmon_api::vitals::{Hole, Latest, Point, Series, Trend};
use medmon_core::noun::{
    Audience, Binding, Class, ClockQuality, Condition, Direction, Fact, FactKind, Ieee, Language, Priority, ReadingId,
    TextReason, Vital, alert::Raised,
};
use uuid::Uuid;

use super::app::{App, CHARTS, Look, Message, Record};
use super::words::Words;

/// 14:32:08 in Paris, a quarter of a second in: what blinks is lit.
pub fn now() -> Timestamp {
    "2026-11-24T13:32:08Z".parse().unwrap()
}

fn ago(seconds: i64) -> Timestamp {
    now() - SignedDuration::from_secs(seconds)
}

fn latest(vital: Vital, value: f64, age_s: u64, trend: Option<Trend>) -> Latest {
    let stale = age_s > u64::from(vital.info().unwrap().silence_s);
    Latest { vital, value, unit: vital.unit().into(), at: ago(age_s as i64), age_s, stale, suspect: false, trend }
}

/// Something open.
pub fn alert(number: u128, condition: Condition, vital: Vital, priority: Priority, raised_s_ago: i64) -> Alert {
    Alert {
        id: Uuid::from_u128(0x0199_0000_0000_7000_8000_0000_0000_0000 + number),
        patient: None,
        gateway: Uuid::from_u128(7),
        vital,
        direction: Direction::High,
        condition,
        class: if condition == Condition::Silence { Class::Technical } else { Class::Physiological },
        priority,
        onset_at: ago(raised_s_ago + 60),
        raised_at: ago(raised_s_ago),
        cleared_at: None,
        explanation: None,
        acknowledged_ward: None,
        acknowledged_family: None,
        silenced_until: None,
        silence_reason: None,
        notices: Vec::new(),
        taken_over_by: None,
        open: true,
    }
}

fn row(
    number: u128,
    name: &str,
    birth_year: i16,
    section: Section,
    vitals: Vec<Latest>,
    alerts: Vec<Alert>,
) -> BoardRow {
    BoardRow {
        patient: Uuid::from_u128(number),
        name: name.into(),
        birth_year,
        time_zone: "Europe/Paris".into(),
        ward: None,
        section,
        vitals,
        alerts,
        gateway: Some(BoardGateway {
            id: Uuid::from_u128(70 + number),
            name: format!("gw-{number:04}"),
            binding: Binding::Confirmed,
            since: "2026-10-03T08:00:00Z".parse().unwrap(),
            last_heard_at: Some(ago(2)),
            heard_age_s: Some(2),
            clock: Some(ClockQuality::Synced),
            settings: InForce::InForce,
        }),
        feeling: None,
    }
}

/// Two who need an answer, one not heard, one answered, two calm.
pub fn board() -> Board {
    let vitals = |hr, hr_age, t, g| {
        vec![
            latest(Vital::HEART_RATE, hr, hr_age, Some(Trend::Steady)),
            latest(Vital::TEMPERATURE, t, 120, None),
            latest(Vital::GLUCOSE, g, 180, Some(Trend::Falling)),
            latest(Vital::ACTIVITY, 12.0, 30, Some(Trend::Steady)),
        ]
    };
    let mut fall = alert(1, Condition::Fall, Vital::ACCELERATION, Priority::High, 66);
    fall.explanation = Some("impact 4.1 g, posture turned 78° and stayed, still 62 s".into());
    fall.notices = vec![Notice {
        contact: Uuid::from_u128(99),
        name: Some("Paul".into()),
        channel: "modem".into(),
        notified_at: Some(ago(65)),
        delivered_at: Some(ago(59)),
        texts: 1,
    }];
    let mut fast = alert(2, Condition::Tachycardia, Vital::HEART_RATE, Priority::Medium, 3068);
    fast.explanation = Some("118 bpm for 10 min at rest".into());
    let silent = alert(3, Condition::Silence, Vital::HEART_RATE, Priority::Medium, 2048);
    let mut fever = alert(4, Condition::Fever, Vital::TEMPERATURE, Priority::Medium, 8528);
    fever.acknowledged_ward = Some(Acknowledgement { by: "A. Blanc".into(), at: ago(8288) });
    let mut calm = row(5, "BERNARD Luc", 1945, Section::Calm, vitals(64.0, 2, 36.5, 104.0), vec![]);
    calm.feeling = Some(Feeling {
        id: Uuid::from_u128(50),
        patient: Uuid::from_u128(5),
        mood: 4,
        pain: None,
        text: "slept well".into(),
        author: "BERNARD Luc".into(),
        at: ago(20_000),
    });
    let mut alone = row(6, "García María", 1944, Section::Calm, vec![], vec![]);
    alone.gateway = None;
    Board {
        at: now(),
        site: "Les Ormes".into(),
        ward: Some("Les Tilleuls".into()),
        last_event_id: 1,
        counts: Counts { patients: 6, high: 1, medium: 1, low: 0, unknown: 1, acknowledged: 1 },
        rows: vec![
            row(1, "DOE Jeanne", 1941, Section::NeedsAnswer, vitals(96.0, 3, 36.4, 112.0), vec![fall]),
            row(2, "PETIT Rose", 1947, Section::NeedsAnswer, vitals(118.0, 5, 38.3, 140.0), vec![fast]),
            row(3, "ROUX Lise", 1950, Section::NotHeard, vitals(72.0, 2048, 36.6, 131.0), vec![silent]),
            row(4, "LEROY Max", 1933, Section::Answered, vitals(88.0, 4, 39.0, 98.0), vec![fever]),
            calm,
            alone,
        ],
    }
}

fn series(vital: Vital, of: impl Fn(f64) -> f64) -> Series {
    let since = ago(86_400);
    let span_s = 300;
    let hole = (ago(30_000), ago(20_000));
    let at = (0..288).map(|step| since + SignedDuration::from_secs(step * i64::from(span_s)));
    let points = at.enumerate().filter(|(_, at)| *at < hole.0 || *at > hole.1).map(|(index, at)| {
        let mean = of(index as f64 / 30.0);
        let last_at = at + SignedDuration::from_secs(290);
        Point {
            at,
            span_s,
            min: mean - 1.0,
            max: mean + 1.0,
            mean,
            count: 6,
            last: mean,
            last_at,
            coverage: 1.0,
            suspect: 0,
        }
    });
    Series {
        patient: Uuid::from_u128(1),
        vital,
        unit: vital.unit().into(),
        since,
        until: now(),
        step_s: Some(span_s),
        coverage: 0.88,
        points: points.collect(),
        gaps: vec![Hole { from_at: hole.0, to_at: hole.1, lost: Some(208) }],
    }
}

/// The screen of the first patient.
pub fn record() -> Record {
    let limit = |key: &str, value| LimitValue {
        key: key.into(),
        value,
        unit: "bpm".into(),
        default: value,
        source: "NEWS2".into(),
        set: false,
    };
    Record {
        patient: Uuid::from_u128(1),
        charts: CHARTS
            .map(|vital| match vital {
                Vital::HEART_RATE => series(vital, |x| 80.0 + 25.0 * x.sin()),
                Vital::TEMPERATURE => series(vital, |x| 36.5 + 0.4 * x.cos()),
                Vital::GLUCOSE => series(vital, |x| 110.0 + 4.0 * x),
                _ => Series { points: vec![], gaps: vec![], ..series(vital, |_| 0.0) },
            })
            .into(),
        limits: vec![limit("heart_rate.low_urgent", 40.0), limit("heart_rate.high_urgent", 100.0)],
        alerts: board().rows[0].alerts.clone(),
        feelings: vec![Feeling {
            id: Uuid::from_u128(51),
            patient: Uuid::from_u128(1),
            mood: 3,
            pain: Some(2),
            text: "slept badly".into(),
            author: "DOE Jeanne".into(),
            at: ago(22_800),
        }],
        reports: vec![Report {
            id: Uuid::from_u128(52),
            patient: Uuid::from_u128(1),
            kind: "visit".into(),
            text: "dizziness, check orthostatic pressure".into(),
            author: "Dr Blanc".into(),
            at: ago(170_000),
        }],
    }
}

/// The first alert with its facts.
pub fn detail() -> AlertDetail {
    let mut alert = board().rows[0].alerts[0].clone();
    alert.patient = Some(Uuid::from_u128(1));
    let contact = Uuid::from_u128(99);
    let fact = |number: u128, seconds_ago: i64, kind| Fact {
        id: Uuid::from_u128(number),
        alert: alert.id,
        at_us: ago(seconds_ago).as_microsecond(),
        author: "gateway".into(),
        kind,
    };
    let raised = Raised {
        epoch: 1,
        vital: Vital::ACCELERATION,
        direction: Direction::Event,
        condition: Condition::Fall,
        class: Class::Physiological,
        priority: Priority::High,
        onset_us: 0,
        device: Ieee(1),
        reading: ReadingId::default(),
        completed_us: 0,
        settings_version: 7,
        explanation: "impact 4.1 g, posture turned 78° and stayed".into(),
        contact: None,
    };
    let acknowledged = FactKind::Acknowledged { by: contact, name: "Paul".into(), audience: Audience::Family };
    let facts = vec![
        fact(1, 66, FactKind::Raised(raised)),
        fact(2, 65, FactKind::Notified { contact, channel: "modem".into(), reason: TextReason::Raised, step: 0 }),
        fact(3, 59, FactKind::Delivered { contact, reason: TextReason::Raised, step: 0 }),
        fact(4, 20, acknowledged),
    ];
    AlertDetail { alert, facts }
}

/// What fired it: an impact, with a hole in the heart rate.
pub fn segment() -> AlertSegment {
    let from = ago(190);
    let at = |ms: i64| from + SignedDuration::from_millis(ms);
    let norm = |index: i64| match index {
        1198..1204 => 4.1,
        ..1198 => 1.0 + ((index * 7) % 13) as f64 / 40.0,
        _ => 1.0,
    };
    let rate = |second: &i64| !(240..300).contains(second);
    let rates = (0..420).step_by(2).filter(rate).map(|second| (at(second * 1000), 80.0 + (second / 20) as f64));
    let series = |vital: Vital, points| {
        let unit = vital.unit().to_owned();
        RawSeries { vital, device: Ieee(vital.0.into()), unit, points, axes: Vec::new() }
    };
    AlertSegment {
        from,
        to: at(420_000),
        cut: true,
        series: vec![
            series(Vital::HEART_RATE, rates.collect()),
            series(Vital::ACCELERATION, (0..4200).map(|index| (at(index * 100), norm(index))).collect()),
        ],
    }
}

/// A dashboard that nothing has reached yet.
pub fn blank() -> App {
    let look = Look {
        user: "A. Martin, nurse".into(),
        read_only: false,
        privacy: false,
        zone: TimeZone::get("Europe/Paris").unwrap(),
        words: Words::of(Language::En),
        colour: true,
        phone: false,
    };
    App::new(look, now())
}

/// A dashboard with the made-up ward.
pub fn app() -> App {
    let mut app = blank();
    app.update(Message::Board { of: None, board: Box::new(board()) });
    app
}
