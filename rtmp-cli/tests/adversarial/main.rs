//! `rtmp serve`, `play`, `publish` and `relay` under attack, over sockets.
//!
//! Each attack is what some other implementation fell to. It is carried out on a server beside a healthy
//! publisher and a healthy player, who lose nothing: every frame arrives, in order and intact, while the
//! attack goes on and after it. What the server takes of memory meanwhile is bounded, test by test; when the
//! attackers have gone, memory and file descriptors are back to what they were. Attackers write their bytes by
//! hand. Nothing waits for a time to pass, only for events; the pace of what is to be slow is that of the
//! healthy stream.
//!
//! | row | origin | test |
//! |---|---|---|
//! | 1 | FFmpeg CVE-2016-10191 | `chunks::new_lengths_inside_a_message` |
//! | 2 | librtmp `RTMP_ReadPacket` | `clients::new_lengths_inside_a_message` |
//! | 3 | KallDrexx PR 50, moq 3632 | `chunks::interleaved_chunk_streams` |
//! | 4 | go-rtmp PR 72, livekit/ingress PR 80 | `chunks::empty_messages_of_every_type` |
//! | 5 | nginx-rtmp 2f2db81 | `chunks::chunk_sizes_between_messages` |
//! | 6 | nginx-rtmp 1042 and ed23a34 | `chunks::chunk_sizes_at_the_edges` |
//! | 7 | Red5 475 | `work::chunks_of_one_byte` |
//! | 8 | Red5 456, mediamtx 2252 | `memory::announced_and_not_sent`, `memory::announced_and_sent`, `clients::servers_that_lie` |
//! | 9 | Red5 479 | `memory::tiny_messages_for_a_slow_player`, `memory::questions_and_no_ear_for_answers` |
//! | 10 | nginx-rtmp 23e1873 | `values::nested_values_everywhere` |
//! | 11 | ZLMediaKit 4787, brpc 3344, Red5 469, flvmeta 29 | `work::nesting_without_end`, `clients::servers_that_lie` |
//! | 12 | Red5 469 | `memory::counts_that_lie`, `clients::servers_that_lie` |
//! | 13 | Wireshark CVE-2021-4185, GitLab 17813 | `values::lengths_that_lie` |
//! | 14 | Wireshark CVE-2022-0586, CVE-2017-6472 | `work::nothing_over_and_over` |
//! | 15 | librtmp CVE-2015-8270, 8271, 8272 | `values::references_and_commands_to_nothing` |
//! | 16 | FFmpeg CVE-2017-11665 | `values::commands_cut_at_every_byte` |
//! | 17 | SRS, port to Go, e8f6450 | `values::commands_cut_at_every_byte` |
//! | 18 | SRS 607 | `work::streams_without_end` |
//! | 19 | SRS 183, 29, 416 | `commands::everything_in_every_state`, `commands::type_3_first` |
//! | 20 | nginx-http-flv 170 | `commands::names_of_all_kinds` |
//! | 21 | OBS and librtmp, `close` | `clients::close_without_end`, `clients::one_new_connection_for_many_closes`, `clients::a_relay_with_one_bad_destination` |
//! | 22 | GStreamer `parse_header` | `clients::noise_in_the_place_of_a_server` |
//! | 23 | gortmplib 5512, mediamtx 1459, 1819 | `commands::unknown_events_and_early_media` |
//! | 24 | ireader/media-server 235, ZLMediaKit 1839 | `commands::streams_come_and_go`, `commands::takeovers_of_the_healthy_stream` |
//! | 25 | xiu 25 | `timestamps::wrapping_timestamps`, `timestamps::the_end_of_32_bits` |
//! | 26 | zenomt/rtmfp-cpp 19 | `chunks::aborts_of_anything` |
//! | 27 | Red5 461 | `tunnel::replayed_requests`, `tunnel::a_flood_of_open` |
//! | 28 | krtmp | `handshakes::lenient_where_clients_are_wrong`, `handshakes::other_protocols` |
//! | 29 | Node-Media-Server, lal | `chunks::chunk_sizes_inside_a_message` |
//! | 30 | slow loris | `deadlines` |
//!
//! Memory and descriptors are read from `/proc`.
#![cfg(target_os = "linux")]

mod amf;
mod attacker;
mod bystanders;
mod chunks;
mod clients;
mod commands;
#[path = "../common/mod.rs"]
mod common;
mod deadlines;
mod handshakes;
mod host;
mod log;
mod memory;
mod peer;
mod scene;
mod timestamps;
mod tunnel;
mod usage;
mod values;
mod wire;
mod witness;
mod work;
