//! The gateway: its broker, its codec, the chain from the serial line to what is durable and detected, and the program.

mod broker;
mod chain;
mod codec;
mod event;
mod footprint;
mod rabbit;

use crate::Bench;

/// The benches of this area.
pub const BENCHES: &[Bench] = &[
    (&["gateway/broker_readings_per_s", "gateway/broker_cpu_us_per_reading"], broker::groups),
    (&["gateway/broker_commits_per_s"], broker::commits),
    (&["gateway/rabbitmq_readings_per_s", "gateway/rabbitmq_share_of_bare"], rabbit::publish),
    (&["gateway/codec_frames_per_s"], codec::frames),
    (&["gateway/event_p50_ms", "gateway/event_p99_ms"], event::event),
    (&["gateway/readings_per_s", "gateway/readings_per_cpu_s"], chain::heart_rates),
    (&["gateway/bursts_per_s", "gateway/bursts_per_cpu_s"], chain::bursts),
    (&["gateway/cpu_s_per_10k_reports"], footprint::cpu),
    (&["gateway/ready_s"], footprint::ready),
    (&["gateway/rss_mib"], footprint::memory),
    (&["gateway/syncs_per_s"], footprint::syncs),
];
