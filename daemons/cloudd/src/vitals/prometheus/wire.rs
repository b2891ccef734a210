//! Remote write 1.0: a protobuf `WriteRequest` in a snappy block
//! (<https://prometheus.io/docs/specs/prw/remote_write_spec/>). Four messages of strings and numbers: by hand.

use std::collections::BTreeMap;

use super::layout::Item;

/// The body that says `items`, each at its instant (ms). Series and samples are in order.
pub fn body(items: &[(Item, i64)]) -> Vec<u8> {
    let mut series = BTreeMap::<_, Vec<(&Item, i64)>>::new();
    for (item, at_ms) in items {
        series.entry(item.series()).or_default().push((item, *at_ms));
    }
    let mut request = Vec::new();
    for parts in series.values() {
        let [(first, _), ..] = parts.as_slice() else { continue };
        let mut samples = BTreeMap::<&str, Vec<u8>>::new();
        for (item, at_ms) in parts {
            for (name, value) in item.values(*at_ms) {
                sample(samples.entry(name).or_default(), value, *at_ms);
            }
        }
        for (name, samples) in samples {
            let metric = format!("{}{name}", first.family());
            let mut one = Vec::with_capacity(samples.len() + 160);
            label(&mut one, "__name__", &metric);
            for (name, value) in first.labels() {
                label(&mut one, name, &value);
            }
            one.extend(samples);
            field(&mut request, 1, &one);
        }
    }
    pack(&request)
}

/// The body that says one value for each set of labels, all at `at_ms`.
pub fn gauges<const N: usize>(rows: &[([(&str, String); N], f64)], at_ms: i64) -> Vec<u8> {
    let mut request = Vec::new();
    for (labels, value) in rows {
        let mut one = Vec::new();
        labels.iter().for_each(|(name, value)| label(&mut one, name, value));
        sample(&mut one, *value, at_ms);
        field(&mut request, 1, &one);
    }
    pack(&request)
}

/// Snappy's only error is a body beyond 4 GiB; requests are cut long before.
fn pack(request: &[u8]) -> Vec<u8> {
    snap::raw::Encoder::new().compress_vec(request).unwrap_or_default()
}

/// `Label { name = 1, value = 2 }` as field 1 of a series.
fn label(series: &mut Vec<u8>, name: &str, value: &str) {
    let mut one = Vec::with_capacity(name.len() + value.len() + 6);
    field(&mut one, 1, name.as_bytes());
    field(&mut one, 2, value.as_bytes());
    field(series, 1, &one);
}

/// `Sample { double value = 1, int64 timestamp = 2 }` as field 2 of a series.
fn sample(series: &mut Vec<u8>, value: f64, at_ms: i64) {
    let mut one = Vec::with_capacity(20);
    one.push(1 << 3 | 1);
    one.extend(value.to_le_bytes());
    one.push(2 << 3);
    varint(&mut one, at_ms as u64);
    field(series, 2, &one);
}

fn field(to: &mut Vec<u8>, number: u8, content: &[u8]) {
    to.push(number << 3 | 2);
    varint(to, content.len() as u64);
    to.extend_from_slice(content);
}

fn varint(to: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        to.push(value as u8 | 0x80);
        value >>= 7;
    }
    to.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_is_laid_out_as_the_specification_says() {
        let packed = gauges(&[([("__name__", "up".into())], 1.0)], 300);
        let request = snap::raw::Decoder::new().decompress_vec(&packed).unwrap();
        let label = [&[10, 14, 10, 8][..], b"__name__", &[18, 2], b"up"].concat();
        let sample = [&[18, 12, 9][..], &1f64.to_le_bytes(), &[16, 0xac, 2]].concat();
        assert_eq!(request, [&[10, (label.len() + sample.len()) as u8][..], &label, &sample].concat());
    }
}
