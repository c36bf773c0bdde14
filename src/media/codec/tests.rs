#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::super::error::MediaError;
use super::aac::parse_asc;
use super::avc::{nal_units_fit, parse_avcc};

const AVCC: &[u8] = &[
    1, 0x64, 0x00, 0x0d, 0xff, 0xe1, 0, 4, 0x67, 0x64, 0, 0x0d, 1, 0, 3, 0x68, 0xeb, 0xec, 0xfd,
    0xf8, 0xf8, 0,
];

#[test]
fn names_profile_constraints_and_level() {
    let avc = parse_avcc(AVCC).unwrap();
    assert_eq!(avc.codec, "avc1.64000D");
    assert_eq!(avc.length_size, 4);
    let mut baseline = AVCC.to_vec();
    baseline[1..4].copy_from_slice(&[0x42, 0xc0, 0x1e]);
    assert_eq!(parse_avcc(&baseline).unwrap().codec, "avc1.42C01E");
}

#[test]
fn refuses_every_cut_of_an_avcc() {
    // The last four bytes are the optional extensions of the high profiles.
    for length in 0..AVCC.len() - 4 {
        assert!(parse_avcc(&AVCC[..length]).is_err(), "{length} bytes");
    }
    assert!(parse_avcc(&AVCC[..AVCC.len() - 4]).is_ok());
}

#[test]
fn refuses_an_avcc_without_parameter_sets() {
    assert!(parse_avcc(&[1, 0x42, 0, 30, 0xff, 0xe0, 0]).is_err());
}

#[test]
fn walks_nal_units() {
    assert!(nal_units_fit(&[0, 0, 0, 2, 0x65, 1, 0, 0, 0, 1, 0x41], 4));
    assert!(nal_units_fit(&[0, 2, 0x65, 1], 2));
    assert!(!nal_units_fit(&[0, 0, 0, 2, 0x65], 4));
    assert!(!nal_units_fit(&[0, 0, 0, 1, 0x65, 0], 4));
    assert!(!nal_units_fit(&[0xff, 0xff, 0xff, 0xff, 0x65], 4));
}

#[test]
fn reads_aac_lc() {
    let aac = parse_asc(&[0x11, 0x90]).unwrap();
    assert_eq!(aac.codec, "mp4a.40.2");
    assert_eq!((aac.sample_rate, aac.core_rate), (48_000, 48_000));
    assert_eq!((aac.channels, aac.frame_samples), (2, 1024));
    assert_eq!(parse_asc(&[0x12, 0x08]).unwrap().sample_rate, 44_100);
    assert_eq!(parse_asc(&[0x11, 0xb8]).unwrap().channels, 8);
    assert_eq!(parse_asc(&[0x11, 0x94]).unwrap().frame_samples, 960);
}

#[test]
fn reads_explicit_he_aac() {
    // Object type 5, 24 kHz, 2 channels, extension 48 kHz, AAC-LC.
    let aac = parse_asc(&[0x2b, 0x11, 0x88, 0x00]).unwrap();
    assert_eq!(aac.codec, "mp4a.40.5");
    assert_eq!((aac.core_rate, aac.sample_rate), (24_000, 48_000));
    // The same with parametric stereo over mono.
    let aac = parse_asc(&[0xeb, 0x09, 0x88, 0x00]).unwrap();
    assert_eq!(aac.codec, "mp4a.40.29");
    assert_eq!((aac.channel_configuration, aac.channels), (1, 2));
}

#[test]
fn reads_backward_compatible_he_aac() {
    let aac = parse_asc(&[0x13, 0x10, 0x56, 0xe5, 0x98]).unwrap();
    assert_eq!(aac.codec, "mp4a.40.5");
    assert_eq!((aac.core_rate, aac.sample_rate), (24_000, 48_000));
    // SBR said to be absent.
    let aac = parse_asc(&[0x11, 0x90, 0x56, 0xe5, 0x00]).unwrap();
    assert_eq!(aac.codec, "mp4a.40.2");
}

#[test]
fn reads_an_escaped_sample_rate() {
    // 00010 1111 (24 bits: 48000) 0010 000
    let aac = parse_asc(&[0x17, 0x80, 0x5d, 0xc0, 0x10]).unwrap();
    assert_eq!((aac.sample_rate, aac.channels), (48_000, 2));
    let absurd = [0x17, 0xff, 0xff, 0xff, 0x90];
    assert_eq!(
        parse_asc(&absurd),
        Err(MediaError::Asc("its sample rate is out of range"))
    );
}

#[test]
fn refuses_what_it_cannot_send() {
    assert!(matches!(
        parse_asc(&[0x11, 0x80]),
        Err(MediaError::UnsupportedAudio(_))
    ));
    assert!(matches!(
        parse_asc(&[0x09, 0x90]),
        Err(MediaError::UnsupportedAudio(_))
    ));
    assert!(matches!(parse_asc(&[0x11]), Err(MediaError::Asc(_))));
    assert!(matches!(parse_asc(&[]), Err(MediaError::Asc(_))));
    assert!(matches!(parse_asc(&[0x16, 0x90]), Err(MediaError::Asc(_))));
    assert!(matches!(parse_asc(&[0x11, 0xc0]), Err(MediaError::Asc(_))));
}
