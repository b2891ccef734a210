//! The records' schema, one entry per version; a released entry never changes (expand, contract one release later).
//!
//! Ids are UUIDv7 in 16 bytes, times µs UTC. BIGINT, TEXT and BLOB only, so that another engine can hold it.
//! Invariants are unique indexes here, never a prior SELECT in the code.

/// What leads from version n to n + 1.
pub const MIGRATIONS: &[&str] = &[
    "
CREATE TABLE site (
    id BLOB PRIMARY KEY NOT NULL,
    name TEXT NOT NULL UNIQUE,
    created_us BIGINT NOT NULL
);
CREATE TABLE ward (
    id BLOB PRIMARY KEY NOT NULL,
    site BLOB NOT NULL REFERENCES site (id),
    name TEXT NOT NULL,
    on_call_phone TEXT,
    created_us BIGINT NOT NULL,
    UNIQUE (site, name)
);
CREATE TABLE patient (
    id BLOB PRIMARY KEY NOT NULL,
    site BLOB NOT NULL REFERENCES site (id),
    ward BLOB REFERENCES ward (id),
    name TEXT NOT NULL,
    nickname TEXT NOT NULL,
    birth_year BIGINT NOT NULL,
    language TEXT NOT NULL,
    time_zone TEXT NOT NULL,
    cadences TEXT NOT NULL DEFAULT '{}',
    created_us BIGINT NOT NULL,
    archived_us BIGINT
);
CREATE INDEX patient_by_name ON patient (site, name, id);
CREATE TABLE limits (
    patient BLOB NOT NULL REFERENCES patient (id),
    version BIGINT NOT NULL,
    at_us BIGINT NOT NULL,
    principal BLOB NOT NULL,
    author TEXT NOT NULL,
    -- every key that differs from its default, as JSON
    values_set TEXT NOT NULL,
    PRIMARY KEY (patient, version)
);
CREATE TABLE contact (
    id BLOB PRIMARY KEY NOT NULL,
    patient BLOB NOT NULL REFERENCES patient (id),
    position BIGINT NOT NULL,
    name TEXT NOT NULL,
    phone TEXT NOT NULL,
    relation TEXT NOT NULL,
    language TEXT NOT NULL,
    created_us BIGINT NOT NULL,
    removed_us BIGINT
);
CREATE UNIQUE INDEX contact_position ON contact (patient, position) WHERE removed_us IS NULL;
CREATE UNIQUE INDEX contact_phone ON contact (patient, phone) WHERE removed_us IS NULL;
CREATE TABLE device (
    ieee TEXT PRIMARY KEY NOT NULL,
    patient BLOB NOT NULL REFERENCES patient (id),
    position BIGINT NOT NULL,
    label TEXT NOT NULL,
    vitals TEXT NOT NULL,
    place TEXT
);
CREATE INDEX device_of_patient ON device (patient, position);
CREATE TABLE gateway (
    id BLOB PRIMARY KEY NOT NULL,
    site BLOB NOT NULL REFERENCES site (id),
    name TEXT NOT NULL,
    install BLOB UNIQUE,
    code_hash BLOB UNIQUE,
    code_expires_us BIGINT,
    code_install BLOB,
    created_us BIGINT NOT NULL,
    revoked_us BIGINT,
    heard_us BIGINT,
    heartbeat TEXT,
    settings_version BIGINT NOT NULL,
    settings_us BIGINT NOT NULL,
    in_force_version BIGINT NOT NULL DEFAULT 0,
    UNIQUE (site, name)
);
CREATE TABLE assignment (
    epoch BIGINT PRIMARY KEY NOT NULL,
    site BLOB NOT NULL REFERENCES site (id),
    gateway BLOB NOT NULL REFERENCES gateway (id),
    patient BLOB NOT NULL REFERENCES patient (id),
    subject BLOB NOT NULL UNIQUE,
    from_us BIGINT NOT NULL,
    to_us BIGINT,
    binding TEXT NOT NULL
);
CREATE UNIQUE INDEX assignment_open_gateway ON assignment (gateway) WHERE to_us IS NULL;
CREATE UNIQUE INDEX assignment_open_patient ON assignment (patient) WHERE to_us IS NULL;
CREATE INDEX assignment_of_patient ON assignment (patient, epoch);
CREATE TABLE principal (
    id BLOB PRIMARY KEY NOT NULL,
    site BLOB NOT NULL REFERENCES site (id),
    ward BLOB REFERENCES ward (id),
    patient BLOB REFERENCES patient (id),
    gateway BLOB REFERENCES gateway (id),
    name TEXT NOT NULL,
    role TEXT NOT NULL,
    token_hash BLOB NOT NULL UNIQUE,
    created_us BIGINT NOT NULL,
    expires_us BIGINT,
    revoked_us BIGINT
);
CREATE UNIQUE INDEX principal_of_gateway ON principal (gateway) WHERE gateway IS NOT NULL AND revoked_us IS NULL;
CREATE INDEX principal_of_site ON principal (site, id);
CREATE TABLE report (
    id BLOB PRIMARY KEY NOT NULL,
    patient BLOB NOT NULL REFERENCES patient (id),
    kind TEXT NOT NULL,
    text TEXT NOT NULL,
    author TEXT NOT NULL,
    principal BLOB NOT NULL,
    at_us BIGINT NOT NULL
);
CREATE INDEX report_of_patient ON report (patient, id);
CREATE TABLE feeling (
    id BLOB PRIMARY KEY NOT NULL,
    patient BLOB NOT NULL REFERENCES patient (id),
    mood BIGINT NOT NULL,
    pain BIGINT,
    text TEXT NOT NULL,
    author TEXT NOT NULL,
    principal BLOB NOT NULL,
    at_us BIGINT NOT NULL
);
CREATE INDEX feeling_of_patient ON feeling (patient, id);
CREATE TABLE envelope (
    install BLOB NOT NULL,
    stream BIGINT NOT NULL,
    sequence BIGINT NOT NULL,
    hash BLOB NOT NULL,
    gateway BLOB NOT NULL,
    epoch BIGINT NOT NULL,
    sealed_us BIGINT NOT NULL,
    received_us BIGINT NOT NULL,
    PRIMARY KEY (install, stream, sequence)
);
CREATE TABLE quarantine (
    id BLOB PRIMARY KEY NOT NULL,
    gateway BLOB NOT NULL,
    hash BLOB NOT NULL,
    reason TEXT NOT NULL,
    received_us BIGINT NOT NULL,
    envelope BLOB NOT NULL,
    UNIQUE (gateway, hash)
);
CREATE TABLE alert (
    -- the fold of its facts, for lists and pages; `fact` is the truth
    id BLOB PRIMARY KEY NOT NULL,
    gateway BLOB NOT NULL REFERENCES gateway (id),
    site BLOB NOT NULL,
    patient BLOB REFERENCES patient (id),
    raised_us BIGINT,
    priority BIGINT,
    open BIGINT NOT NULL
);
CREATE INDEX alert_of_patient ON alert (patient, raised_us, id);
CREATE INDEX alert_of_site ON alert (site, raised_us, id);
CREATE INDEX alert_open ON alert (site, patient) WHERE open = 1;
CREATE INDEX alert_of_gateway ON alert (gateway) WHERE open = 1;
CREATE TABLE fact (
    id BLOB PRIMARY KEY NOT NULL,
    seq BIGINT NOT NULL UNIQUE,
    alert BLOB NOT NULL REFERENCES alert (id),
    gateway BLOB NOT NULL,
    -- 'gateway' or 'ward': what came from elsewhere goes down to the gateway
    origin TEXT NOT NULL,
    at_us BIGINT NOT NULL,
    received_us BIGINT NOT NULL,
    body TEXT NOT NULL
);
CREATE INDEX fact_of_alert ON fact (alert);
CREATE INDEX fact_down ON fact (gateway, origin, seq);
CREATE TABLE audit (
    -- append-only; opaque ids, never names or figures
    id BLOB PRIMARY KEY NOT NULL,
    at_us BIGINT NOT NULL,
    site BLOB NOT NULL,
    principal BLOB NOT NULL,
    action TEXT NOT NULL,
    resource TEXT NOT NULL,
    patient BLOB
);
CREATE INDEX audit_of_site ON audit (site, id);
CREATE TABLE answered (
    -- what an idempotency key was answered, to answer the same again
    principal BLOB NOT NULL,
    key TEXT NOT NULL,
    request_hash BLOB NOT NULL,
    status BIGINT NOT NULL,
    -- NULL: had a secret in it
    body TEXT,
    at_us BIGINT NOT NULL,
    PRIMARY KEY (principal, key)
);
CREATE INDEX answered_by_age ON answered (at_us);
",
    "
CREATE TABLE device_given (
    -- every patient a sensor was ever given to
    id BLOB PRIMARY KEY NOT NULL,
    ieee TEXT NOT NULL,
    patient BLOB NOT NULL REFERENCES patient (id),
    label TEXT NOT NULL,
    author TEXT NOT NULL,
    from_us BIGINT NOT NULL,
    to_us BIGINT
);
CREATE INDEX device_given_of ON device_given (ieee, from_us);
CREATE UNIQUE INDEX device_given_open ON device_given (ieee) WHERE to_us IS NULL;
INSERT INTO device_given (id, ieee, patient, label, author, from_us)
    SELECT randomblob(16), ieee, patient, label, '', created_us FROM device JOIN patient ON patient.id = device.patient;
CREATE TABLE device_heard (
    -- which gateways hear a sensor, on their list or not
    ieee TEXT NOT NULL,
    gateway BLOB NOT NULL REFERENCES gateway (id),
    at_us BIGINT NOT NULL,
    listed BIGINT NOT NULL,
    PRIMARY KEY (ieee, gateway)
);
ALTER TABLE gateway ADD COLUMN pair_until_us BIGINT;
ALTER TABLE patient ADD COLUMN cadences_of TEXT NOT NULL DEFAULT '{}';
",
    "
ALTER TABLE patient ADD COLUMN phone TEXT;
CREATE TABLE drill (
    -- exercises that were asked for
    id BLOB PRIMARY KEY NOT NULL,
    patient BLOB NOT NULL REFERENCES patient (id),
    -- NULL: the first contact
    contact BLOB REFERENCES contact (id),
    asked_us BIGINT NOT NULL,
    until_us BIGINT NOT NULL,
    principal BLOB NOT NULL
);
CREATE INDEX drill_of_patient ON drill (patient, until_us);
-- when a gateway last proved that it can page
ALTER TABLE gateway ADD COLUMN pages_us BIGINT;
UPDATE gateway SET pages_us = heard_us;
-- 1: somebody has to page for it; 2: the cloud does. One too many does no harm
ALTER TABLE alert ADD COLUMN pages BIGINT NOT NULL DEFAULT 0;
UPDATE alert SET pages = 1 WHERE open = 1 AND priority = 3;
CREATE INDEX alert_pages ON alert (gateway) WHERE pages > 0;
",
    "
CREATE TABLE segment (
    -- raw readings around alerts, as they were sealed
    alert BLOB NOT NULL REFERENCES alert (id),
    part BIGINT NOT NULL,
    gateway BLOB NOT NULL,
    body BLOB NOT NULL,
    received_us BIGINT NOT NULL,
    PRIMARY KEY (alert, part)
);
",
    "
-- which numbers of a stream are held (ledger.rs); no row an envelope
CREATE TABLE stream (
    install BLOB NOT NULL,
    stream BIGINT NOT NULL,
    state BLOB NOT NULL,
    PRIMARY KEY (install, stream)
);
DROP TABLE envelope;
CREATE TABLE erasing (
    -- subjects whose vitals were erased, or are about to be
    subject BLOB PRIMARY KEY NOT NULL,
    asked_us BIGINT NOT NULL,
    done_us BIGINT
);
CREATE TABLE cloud (
    -- one row: what this cloud is
    generation BIGINT NOT NULL,
    segment BIGINT NOT NULL,
    -- numbers go on above these: after a restore, what was given out since the backup is not given out again
    epoch_floor BIGINT NOT NULL,
    fact_floor BIGINT NOT NULL
);
INSERT INTO cloud (generation, segment, epoch_floor, fact_floor) VALUES (1, 0, 0, 0);
-- two boxes have its install id: nothing of it is believed
ALTER TABLE gateway ADD COLUMN frozen_us BIGINT;
-- of the last heartbeat, for the board
ALTER TABLE gateway ADD COLUMN clock TEXT;
CREATE INDEX feeling_by_time ON feeling (at_us);
-- what a person decided about an envelope that was set aside
ALTER TABLE quarantine ADD COLUMN decided_us BIGINT;
ALTER TABLE quarantine ADD COLUMN decision TEXT;
ALTER TABLE quarantine ADD COLUMN principal BLOB;
CREATE INDEX assignment_of_gateway ON assignment (gateway, epoch);
CREATE INDEX quarantine_waiting ON quarantine (gateway, received_us) WHERE decided_us IS NULL;
",
];
