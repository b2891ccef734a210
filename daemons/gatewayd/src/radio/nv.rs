//! The dongle's memory: items by id, and the tables of the extended memory of Z-Stack 3.x.0.
//!
//! Commands and layouts as zigpy-znp (`nvram.py`, `types/nvids.py`) and zigbee-herdsman (`adapter-nv-memory.ts`) use them.

use super::link::{Link, LinkError};

const SYS_NV_INIT: u16 = 0x2107;
const SYS_NV_DELETE: u16 = 0x2112;
const SYS_NV_LENGTH: u16 = 0x2113;
const SYS_NV_READ_LONG: u16 = 0x211C;
const SYS_NV_WRITE_LONG: u16 = 0x211D;
const SYS_ROW_CREATE: u16 = 0x2130;
const SYS_ROW_LENGTH: u16 = 0x2132;
const SYS_ROW_READ: u16 = 0x2133;
const SYS_ROW_WRITE: u16 = 0x2134;

pub const EXTADDR: u16 = 0x0001;
pub const STARTUP_OPTION: u16 = 0x0003;
pub const NIB: u16 = 0x0021;
pub const EXTENDED_PAN_ID: u16 = 0x002D;
pub const ACTIVE_KEY: u16 = 0x003A;
pub const ALTERNATE_KEY: u16 = 0x003B;
pub const USE_EXTENDED_PAN_ID: u16 = 0x0047;
pub const LINK_KEYS: u16 = 0x004C;
pub const FORMED: u16 = 0x0055;
pub const CONFIGURED_BY_HOST: u16 = 0x0060;
pub const NETWORK_KEY: u16 = 0x0062;
pub const KEYS_ENABLE: u16 = 0x0063;
pub const LEGACY_KEY: u16 = 0x0082;
pub const PAN_ID: u16 = 0x0083;
pub const CHANNELS: u16 = 0x0084;
pub const LOGICAL_TYPE: u16 = 0x0087;
pub const DIRECT_CB: u16 = 0x008F;
pub const LINK_KEY_SEED: u16 = 0x0101;

/// Extended memory: address manager, link keys by seed, of install codes, by value, and frame counters.
pub const ADDRESSES: u16 = 0x0001;
pub const SEEDED_KEYS: u16 = 0x0004;
pub const INSTALL_CODE_KEYS: u16 = 0x0005;
pub const KEY_DATA: u16 = 0x0006;
pub const SECURITY_MATERIAL: u16 = 0x0007;

/// More rows than any table has.
const ROWS_MAX: u16 = 1024;
/// What fits one request beside its head.
const PART: usize = 240;
/// "Created" of SYS_NV_INIT, as good as "there already".
const CREATED: u8 = 9;
/// The extended memory's system id of Z-Stack.
const ZSTACK: u8 = 1;

/// An item's value; `None`: there is none, or it may not be read.
pub async fn read(link: &Link, item: u16) -> Result<Option<Vec<u8>>, LinkError> {
    let id = item.to_le_bytes();
    let length = length(link, item).await?;
    let mut value = Vec::new();
    while value.len() < length {
        let offset = (value.len() as u16).to_le_bytes();
        let answer = link.request(SYS_NV_READ_LONG, &[id, offset].concat()).await?;
        match answer[..] {
            [0, count, ref part @ ..] if count > 0 && part.len() >= usize::from(count) => {
                value.extend_from_slice(&part[..usize::from(count)]);
            }
            _ => return Ok(None),
        }
    }
    Ok((!value.is_empty()).then_some(value))
}

async fn length(link: &Link, item: u16) -> Result<usize, LinkError> {
    match link.request(SYS_NV_LENGTH, &item.to_le_bytes()).await?[..] {
        [low, high, ..] => Ok(usize::from(u16::from_le_bytes([low, high]))),
        _ => Err(LinkError::Short(SYS_NV_LENGTH)),
    }
}

/// Writes an item, making it where there is none or one of another size.
pub async fn write(link: &Link, item: u16, value: &[u8]) -> Result<(), LinkError> {
    let (id, size) = (item.to_le_bytes(), (value.len() as u16).to_le_bytes());
    let held = length(link, item).await?;
    if held != value.len() {
        if held != 0 {
            done(SYS_NV_DELETE, link.request(SYS_NV_DELETE, &[id, (held as u16).to_le_bytes()].concat()).await?)?;
        }
        let first = &value[..value.len().min(PART)];
        let init = [&id[..], &size, &[first.len() as u8], first].concat();
        done(SYS_NV_INIT, link.request(SYS_NV_INIT, &init).await?)?;
    }
    for (index, part) in value.chunks(PART).enumerate() {
        let (offset, count) = (((index * PART) as u16).to_le_bytes(), (part.len() as u16).to_le_bytes());
        let request = [&id[..], &offset, &count, part].concat();
        done(SYS_NV_WRITE_LONG, link.request(SYS_NV_WRITE_LONG, &request).await?)?;
    }
    Ok(())
}

/// All rows of a table of the extended memory.
pub async fn table(link: &Link, table: u16) -> Result<Vec<Vec<u8>>, LinkError> {
    let mut rows = Vec::new();
    for row in 0..ROWS_MAX {
        let length = row_length(link, table, row).await?;
        if length == 0 {
            break;
        }
        let request = [&place(table, row)[..], &[0, 0, length]].concat();
        match link.request(SYS_ROW_READ, &request).await?[..] {
            [0, _, ref value @ ..] if value.len() >= usize::from(length) => {
                rows.push(value[..usize::from(length)].to_vec());
            }
            [status, ..] => return Err(LinkError::Refused(SYS_ROW_READ, status)),
            [] => return Err(LinkError::Short(SYS_ROW_READ)),
        }
    }
    Ok(rows)
}

/// Writes the rows of a table, making those that are missing.
pub async fn write_table(link: &Link, table: u16, rows: &[Vec<u8>]) -> Result<(), LinkError> {
    for (row, value) in rows.iter().enumerate() {
        let place = place(table, row as u16);
        if row_length(link, table, row as u16).await? == 0 {
            let request = [&place[..], &(value.len() as u32).to_le_bytes()].concat();
            done(SYS_ROW_CREATE, link.request(SYS_ROW_CREATE, &request).await?)?;
        }
        let request = [&place[..], &[0, 0, value.len() as u8], value].concat();
        done(SYS_ROW_WRITE, link.request(SYS_ROW_WRITE, &request).await?)?;
    }
    Ok(())
}

/// The length's width differs between descriptions of it; rows are shorter than 256 bytes, so the first byte says it.
async fn row_length(link: &Link, table: u16, row: u16) -> Result<u8, LinkError> {
    let answer = link.request(SYS_ROW_LENGTH, &place(table, row)).await?;
    answer.first().copied().ok_or(LinkError::Short(SYS_ROW_LENGTH))
}

fn place(table: u16, row: u16) -> [u8; 5] {
    let ([t0, t1], [r0, r1]) = (table.to_le_bytes(), row.to_le_bytes());
    [ZSTACK, t0, t1, r0, r1]
}

fn done(command: u16, answer: Vec<u8>) -> Result<(), LinkError> {
    match answer[..] {
        [0 | CREATED, ..] => Ok(()),
        [status, ..] => Err(LinkError::Refused(command, status)),
        [] => Err(LinkError::Short(command)),
    }
}
