//! The waist score of FALLS.md, copied for tests only: proof that synthetic falls look like falls and the rest do not.
//!
//! Deliberately batch and slow. Not for: production (the gateway has its own).

type Vector = [f64; 3];

const CAP: f64 = 2.5;
const PEAK: f64 = 1.6;
const THRESHOLD: f64 = 0.234;

#[derive(Clone, Copy)]
struct Bin {
    mean: Vector,
    largest: f64,
}

pub fn norm(v: Vector) -> f64 {
    v.iter().map(|axis| axis * axis).sum::<f64>().sqrt()
}

fn angle(a: Vector, b: Vector) -> f64 {
    let dot: f64 = a.iter().zip(b).map(|(x, y)| x * y).sum();
    (dot / (norm(a) * norm(b))).clamp(-1.0, 1.0).acos().to_degrees()
}

/// Time of each fall and its score.
pub fn falls(samples: &[(f64, Vector)]) -> Vec<(f64, f64)> {
    let bins = bins(samples);
    let at = |k: i64| usize::try_from(k).ok().and_then(|k| bins.get(k).copied().flatten());
    let filled = |p: i64, from: f64, to: f64| {
        let (from, to) = ((from / 0.05).round() as i64, (to / 0.05).round() as i64);
        (p + from..=p + to).filter_map(at).collect::<Vec<Bin>>()
    };
    let mut falls: Vec<(f64, f64)> = Vec::new();
    for p in 0..bins.len() as i64 - 120 {
        let Some(peak) = at(p) else { continue };
        let before = filled(p, -0.5, -0.05).iter().all(|bin| bin.largest < peak.largest);
        let after = filled(p, 0.05, 0.5).iter().all(|bin| bin.largest <= peak.largest);
        let t = p as f64 * 0.05;
        if peak.largest < PEAK || !before || !after || falls.last().is_some_and(|(last, _)| t - last < 30.0) {
            continue;
        }
        let pre = mean(&filled(p, -3.0, -1.0));
        let steady = |from: f64, to: f64| angle(pre, mean(&filled(p, from, to)));
        let ang = (0..10)
            .map(|n| steady(1.0 + 0.5 * f64::from(n), 1.5 + 0.5 * f64::from(n)))
            .fold(steady(5.0, 6.0), f64::min);
        let turn = angle(mean(&filled(p, -0.8, -0.3)), mean(&filled(p, 0.5, 1.0)));
        let around = filled(p, -0.35, 0.3);
        let step = around
            .windows(2)
            .map(|pair| norm([0, 1, 2].map(|axis| pair[1].mean[axis] - pair[0].mean[axis])))
            .fold(0.0, f64::max);
        let later = filled(p, 1.0, 6.0).iter().map(|bin| bin.largest).fold(0.0, f64::max);
        let rel = (peak.largest / later).log2();
        let z = 0.0963 * ang.clamp(0.0, 60.0)
            + 0.0641 * turn.clamp(0.0, 60.0)
            + 3.497 * step.clamp(0.4, 3.2).log2()
            + 2.262 * rel.clamp(0.0, 1.5)
            - 10.329;
        if z >= THRESHOLD {
            falls.push((t, z));
        }
    }
    falls
}

fn bins(samples: &[(f64, Vector)]) -> Vec<Option<Bin>> {
    let mut sums: Vec<(f64, Vector, f64)> = Vec::new();
    for &(t, v) in samples {
        let k = (t / 0.05 + 1e-9).floor() as usize;
        if sums.len() <= k {
            sums.resize(k + 1, (0.0, [0.0; 3], 0.0));
        }
        let length = norm(v);
        let (scale, length) = if length > CAP { (CAP / length, CAP) } else { (1.0, length) };
        let bin = &mut sums[k];
        bin.0 += 1.0;
        bin.1 = [0, 1, 2].map(|axis| bin.1[axis] + v[axis] * scale);
        bin.2 = bin.2.max(length);
    }
    sums.into_iter()
        .map(|(count, sum, largest)| (count > 0.0).then(|| Bin { mean: sum.map(|axis| axis / count), largest }))
        .collect()
}

fn mean(bins: &[Bin]) -> Vector {
    [0, 1, 2].map(|axis| bins.iter().map(|bin| bin.mean[axis]).sum::<f64>() / bins.len() as f64)
}
